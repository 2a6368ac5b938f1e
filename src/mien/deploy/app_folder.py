"""An app folder: what any host of buildpacks or containers runs.

::

    OUT/
      Procfile, requirements.txt, .python-version   for buildpacks
      Dockerfile, compose.yaml                      for containers
      wsgi.py, gunicorn.conf.py                     what is started, and how
      recognizer.onnx, portrait.onnx, page/, mien/  what it works with
      ship.json                                     what it was made of
      README.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mien.deploy.packaging.contents import deployment_files, template, weights_licences
from mien.deploy.packaging.folder import replacing
from mien.deploy.packaging.libraries import LIBRARIES, pinned
from mien.deploy.packaging.sizes import SLUG, Limit, Part, check_limits, megabytes, parts_of
from mien.deploy.service.core import SETTINGS
from mien.recognizer import Recognizer
from mien.types import Progress, silent

PYTHON = "3.13"

SERVER = "gunicorn"
"""What serves an app, on its host and for a check."""

_LEAST_SERVER = ">=23"

_START = '''"""What the host's server calls: `wsgi:application`."""

from pathlib import Path

from mien.deploy.service.wsgi import application_of

application = application_of(Path(__file__).parent)
'''

_TEMPLATES = {
    "Procfile": "Procfile",
    "gunicorn.conf.py": "gunicorn.conf",
    "Dockerfile": "Dockerfile.app",
    "compose.yaml": "compose.yaml",
    "README.md": "README.app.md",
}


@dataclass(frozen=True, slots=True)
class DeployedApp:
    """What was written.

    Attributes:
        folder: where.
        parts: of the app once its libraries are installed, without Python itself; the sizes of
            libraries are those on this machine.
        limits: of hosts, and how near it is.
        libraries: what pip is asked for by name.
    """

    folder: Path
    parts: tuple[Part, ...]
    limits: tuple[Limit, ...]
    libraries: Mapping[str, str]


def deploy_app(
    recognizer: Recognizer,
    out: Path,
    *,
    handle: str,
    python: str = PYTHON,
    cors: str = "",
    progress: Progress = silent,
) -> DeployedApp:
    """Write the folder; an earlier one is replaced as a whole.

    Args:
        recognizer: its weights stored as the app is to have them.
        out: the folder.
        handle: names the recognizer in `/classify/{handle}`.
        python: version of the host's Python.
        cors: the one origin whose pages may ask, "*" for all, empty for none but its own.
        progress: told of the steps.

    Raises:
        DeploymentTooLarge: it would be over the limit.
        NotADeployment: `out` is there and is something else.
        OutputError: it cannot be written.
    """
    progress(0, 2, "code")
    own = deployment_files(
        recognizer, kind="app", handle=handle, cors=cors, skin="mien.deploy.service.wsgi"
    )
    libraries = {**pinned(), SERVER: _server_pin()}
    sizes = {path: len(data) for path, data in own.items()}
    parts = tuple(sorted([*parts_of(sizes), *_installed()], key=lambda part: -part.bytes))
    limits = (Limit("slug", sum(part.bytes for part in parts), SLUG),)
    check_limits(limits, "Ship it with --weights int8 or fewer people.")
    licences = weights_licences(recognizer)
    values = {
        "PYTHON": python,
        "HANDLE": handle,
        "SIZES": _table(parts, limits),
        "LICENCES": "\n".join(f"- {name}: {text}" for name, text in licences.items()),
    }
    told = {
        **json.loads(own[SETTINGS]),
        "python": python,
        "libraries": libraries,
        "licences": licences,
    }
    files = {
        **own,
        **{path: template(source, values) for path, source in _TEMPLATES.items()},
        "wsgi.py": _START.encode(),
        "requirements.txt": "".join(f"{name}{pin}\n" for name, pin in libraries.items()).encode(),
        ".python-version": f"{python}\n".encode(),
        SETTINGS: (json.dumps(told, ensure_ascii=False, indent=2) + "\n").encode(),
    }
    progress(1, 2, "folder")
    with replacing(out, SETTINGS) as folder:
        for path, data in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
    progress(2, 2, "folder")
    return DeployedApp(out, parts, limits, libraries)


def _server_pin() -> str:
    try:
        return f"=={metadata.version(SERVER)}"
    except metadata.PackageNotFoundError:
        return _LEAST_SERVER


def _installed() -> list[Part]:
    """Return the libraries that are on this machine, as large as they are here."""
    parts = []
    for name in (*LIBRARIES, SERVER):
        try:
            files = metadata.files(name) or []
        except metadata.PackageNotFoundError:
            continue
        size = sum(file.size or 0 for file in files)
        parts.append(Part(str(metadata.metadata(name)["Name"]), size))
    return parts


def _table(parts: tuple[Part, ...], limits: tuple[Limit, ...]) -> str:
    rows = ["| part | installed |", "|---|---:|"]
    rows += [f"| {part.name} | {megabytes(part.bytes)} |" for part in parts]
    rows += [
        f"| **{limit.what}** (limit {megabytes(limit.limit)}) | **{megabytes(limit.bytes)}** |"
        for limit in limits
    ]
    return "\n".join(rows)
