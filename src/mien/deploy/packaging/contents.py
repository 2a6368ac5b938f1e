"""What goes into every vessel with a server: Mien's own modules, the recognizer, the page."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from mien.deploy.service.core import PAGE, PORTRAIT, PORTRAIT_SIDE, RECOGNIZER, SETTINGS
from mien.graph.align import PORTRAIT_TEMPLATE
from mien.graph.assemble import align_graph
from mien.recognizer import Recognizer
from mien.version import __version__

FORMAT = 1
"""Of the settings file."""

_PAGE_FILES = ("index.html", "page.css", "page.js")


def deployment_files(
    recognizer: Recognizer, *, kind: str, handle: str, cors: str, skin: str
) -> dict[str, bytes]:
    """Return the files of a vessel that are Mien's own, by path.

    Args:
        recognizer: its weights stored as the vessel is to have them.
        kind: of the vessel.
        handle: names the recognizer in `/classify/{handle}`.
        cors: the one origin whose pages may ask, "*" for all, empty for none but its own.
        skin: the module that the vessel starts with.
    """
    model = recognizer.to_bytes()
    settings: dict[str, Any] = {
        "format": FORMAT,
        "vessel": kind,
        "mien": __version__,
        "handle": handle,
        "cors": cors,
        "weights": recognizer.form,
        "sha256": hashlib.sha256(model).hexdigest(),
    }
    portrait = align_graph(PORTRAIT_SIDE, PORTRAIT_TEMPLATE)
    return {
        RECOGNIZER: model,
        PORTRAIT: portrait.SerializeToString(deterministic=True),
        SETTINGS: (json.dumps(settings, ensure_ascii=False, indent=2) + "\n").encode(),
        **{f"{PAGE}/{name}": template(name) for name in _PAGE_FILES},
        **own_code(skin),
    }


def weights_licences(recognizer: Recognizer) -> dict[str, str]:
    """Return the licence of each model's weights, and what they were trained on, by its id."""
    about = recognizer.about
    return {
        weights.id: f"{weights.licence}, by {weights.publisher}; trained on: {weights.trained_on}"
        for weights in (about.detector, about.embedder)
    }


def template(name: str, values: Mapping[str, str] | None = None) -> bytes:
    """Return a file of the folder `files`, with ``@KEY@`` replaced by the value of each key."""
    text = (resources.files("mien.deploy") / "files" / name).read_text(encoding="utf-8")
    for key, value in (values or {}).items():
        text = text.replace(f"@{key}@", value)
    return text.encode()


def own_code(module: str) -> dict[str, bytes]:
    """Return Mien's source files that importing one of its modules needs, by path.

    What is imported within functions stays out: those are for making recognizers.
    """
    root = Path(str(resources.files("mien"))).parent
    found: dict[str, bytes] = {}
    ahead = [module]
    while ahead:
        name = ahead.pop()
        path = _source(root, name)
        if path is None or path.relative_to(root).as_posix() in found:
            continue
        source = path.read_bytes()
        found[path.relative_to(root).as_posix()] = source
        parts = name.split(".")
        ahead += [".".join(parts[:end]) for end in range(1, len(parts))]
        ahead += _imported(ast.parse(source))
    return dict(sorted(found.items()))


def _source(root: Path, module: str) -> Path | None:
    stem = root.joinpath(*module.split("."))
    for path in (stem / "__init__.py", stem.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the modules of Mien, and what may be one, that a module imports when it is imported."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("mien"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mien"):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
