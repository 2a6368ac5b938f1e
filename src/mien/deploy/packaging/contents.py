"""Files that Lambda and app deployments share: Mien's own modules, the recognizer, the page."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from mien.deploy.service.core import (
    PAGE,
    PORTRAIT,
    RECOGNIZER,
    SETTINGS,
    deployment_fields,
)
from mien.graph.align import PORTRAIT_TEMPLATE
from mien.graph.assemble import align_graph
from mien.recognizer import Recognizer
from mien.types import PORTRAIT_SIDE
from mien.version import __version__

FORMAT = 1
"""Version of the settings file."""

_PAGE_FILES = ("index.html", "page.css", "page.js")


def deployment_files(
    recognizer: Recognizer, *, kind: str, handle: str, cors: str, adapter: str
) -> dict[str, bytes]:
    """Return Mien's own files of a deployment, by path.

    Args:
        recognizer: with its weights stored in the form that the deployment gets.
        kind: of the deployment: lambda or app.
        handle: name of the recognizer in `/classify/{handle}`.
        cors: the one other origin whose pages may send requests, "*" for all, empty for none.
        adapter: the module that connects the service to the host; its imports go in too.
    """
    model = recognizer.to_bytes()
    settings: dict[str, Any] = {
        "format": FORMAT,
        **deployment_fields(kind),
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
        **own_code(adapter),
    }


def weights_licences(recognizer: Recognizer) -> dict[str, str]:
    """Return the licence and the training photos of each model's weights, by the model's id."""
    about = recognizer.about
    return {
        weights.id: f"{weights.licence}, by {weights.publisher}; trained on: {weights.trained_on}"
        for weights in (about.detector, about.embedder)
    }


def template(name: str, values: Mapping[str, str] | None = None) -> bytes:
    """Return a file of the folder `files`, with each ``@KEY@`` replaced by its value."""
    text = (resources.files("mien.deploy") / "files" / name).read_text(encoding="utf-8")
    for key, value in (values or {}).items():
        text = text.replace(f"@{key}@", value)
    return text.encode()


def own_code(module: str) -> dict[str, bytes]:
    """Return the source files of Mien that importing `module` needs, by path.

    Imports inside functions do not count: those modules only build recognizers.
    """
    root = Path(str(resources.files("mien"))).parent
    found: dict[str, bytes] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        path = _source(root, name)
        if path is None or path.relative_to(root).as_posix() in found:
            continue
        source = path.read_bytes()
        found[path.relative_to(root).as_posix()] = source
        parts = name.split(".")
        pending += [".".join(parts[:end]) for end in range(1, len(parts))]
        pending += _imported(ast.parse(source))
    return dict(sorted(found.items()))


def _source(root: Path, module: str) -> Path | None:
    stem = root.joinpath(*module.split("."))
    for path in (stem / "__init__.py", stem.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module imports from Mien at its top level; some are not modules."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("mien"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mien"):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
