"""App deployment: a folder for hosts that run buildpacks or containers.

::

    OUT/
      Procfile, requirements.txt, .python-version   for buildpacks
      Dockerfile, compose.yaml                      for containers
      wsgi.py, gunicorn.conf.py                     the application and its server's settings
      recognizer.onnx, portrait.onnx, page/, mien/  models, page and code
      ship.json                                     settings, versions, licences
      bom.cdx.json, SHA256SUMS                      bill of materials; digest of each file
      README.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mien.deploy.packaging.bill_of_materials import MATERIALS, materials
from mien.deploy.packaging.contents import deployment_files, template, weights_licences
from mien.deploy.packaging.digests import DIGESTS
from mien.deploy.packaging.distributions import Distribution
from mien.deploy.packaging.folder import write_deployment
from mien.deploy.packaging.libraries import LIBRARIES, pinned
from mien.deploy.packaging.requirements import requirements_text, resolved
from mien.deploy.packaging.sizes import SLUG, Limit, Part, check_limits, megabytes, parts_of
from mien.deploy.service.core import SETTINGS
from mien.models.wheels import PipFailed
from mien.recognizer import Recognizer
from mien.types import Progress, silent

PYTHON = "3.13"

SERVER = "gunicorn"
"""Package that serves an app, on its host and in a parity check."""

_MIN_SERVER_PIN = ">=23"

_WSGI_MODULE = '''"""The WSGI application that the host's server loads: `wsgi:application`."""

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
    """An app deployment that was written.

    Attributes:
        folder: its path.
        parts: sizes of the installed app, without Python itself; libraries count with their size
            on this machine.
        limits: the hosts' size limits and the app's size.
        libraries: version specifier of each library that the app imports.
        unhashed: why requirements.txt has no digests of the libraries' wheels; empty where it has.
    """

    folder: Path
    parts: tuple[Part, ...]
    limits: tuple[Limit, ...]
    libraries: Mapping[str, str]
    unhashed: str


def deploy_app(
    recognizer: Recognizer,
    out: Path,
    *,
    handle: str,
    python: str = PYTHON,
    cors: str = "",
    progress: Progress = silent,
) -> DeployedApp:
    """Write an app deployment; an existing one in `out` is replaced as a whole.

    pip looks up the digests of all packages that the host will install, and installs none here.
    Where it cannot, as without the network, requirements.txt has versions only.

    Args:
        recognizer: with its weights stored in the form that the app gets.
        out: the folder to write.
        handle: name of the recognizer in `/classify/{handle}`.
        python: version of the host's Python.
        cors: the one other origin whose pages may send requests, "*" for all, empty for none.
        progress: called at each step.

    Raises:
        DeploymentTooLarge: the app would exceed a limit.
        NotADeployment: `out` exists and is not a deployment.
        OutputError: the folder cannot be written.
    """
    progress(0, 3, "code")
    own = deployment_files(
        recognizer, kind="app", handle=handle, cors=cors, adapter="mien.deploy.service.wsgi"
    )
    libraries = {**pinned(), SERVER: _server_pin()}
    sizes = {path: len(data) for path, data in own.items()}
    parts = tuple(sorted([*parts_of(sizes), *_installed()], key=lambda part: -part.bytes))
    limits = (Limit("slug", sum(part.bytes for part in parts), SLUG),)
    check_limits(
        limits, hint="Store the weights as int8, or train on fewer people.", code="app-too-large"
    )
    progress(1, 3, "requirements")
    required, unhashed = _requirements(libraries, python)
    licences = weights_licences(recognizer)
    values = {
        "PYTHON": python,
        "HANDLE": handle,
        "PIP": "" if unhashed else "--require-hashes ",
        "SIZES": _table(parts, limits),
        "LICENCES": "\n".join(f"- {name}: {text}" for name, text in licences.items()),
    }
    settings = {
        **json.loads(own[SETTINGS]),
        "python": python,
        "libraries": libraries,
        "licences": licences,
        "digests": DIGESTS,
    }
    files = {
        **own,
        **{path: template(source, values) for path, source in _TEMPLATES.items()},
        "wsgi.py": _WSGI_MODULE.encode(),
        "requirements.txt": requirements_text(required).encode(),
        ".python-version": f"{python}\n".encode(),
        SETTINGS: (json.dumps(settings, ensure_ascii=False, indent=2) + "\n").encode(),
        MATERIALS: materials(recognizer, kind="app", handle=handle, distributions=required),
    }
    progress(2, 3, "folder")
    write_deployment(out, files, SETTINGS)
    progress(3, 3, "folder")
    return DeployedApp(out, parts, limits, libraries, unhashed)


def _requirements(
    libraries: Mapping[str, str], python: str
) -> tuple[tuple[Distribution, ...], str]:
    """Return what the host installs, with digests, or without and the reason."""
    if all(pin.startswith("==") for pin in libraries.values()):
        try:
            return resolved([name + pin for name, pin in libraries.items()], python), ""
        except PipFailed as error:
            reason = str(error)
    else:
        reason = "a library is not installed on this machine"
    return tuple(map(Distribution.installed, libraries)), reason


def _server_pin() -> str:
    try:
        return f"=={metadata.version(SERVER)}"
    except metadata.PackageNotFoundError:
        return _MIN_SERVER_PIN


def _installed() -> list[Part]:
    """Return the libraries installed on this machine, with their size here."""
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
