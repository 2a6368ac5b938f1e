"""A Lambda function: a zip that fits, a template that deploys it, and how.

::

    OUT/
      function.zip     the function, or with `image` a folder `image/` with a Dockerfile
      template.yaml    for AWS SAM
      README.md        the commands
      ship.json        what it was made of
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.deploy.packaging.bytecode import bytecode
from mien.deploy.packaging.contents import deployment_files, template, weights_licences
from mien.deploy.packaging.folder import replacing
from mien.deploy.packaging.libraries import Arch, libraries
from mien.deploy.packaging.sizes import (
    LAMBDA_IMAGE,
    LAMBDA_PAYLOAD,
    LAMBDA_PHOTO,
    LAMBDA_UNZIPPED,
    LAMBDA_ZIP,
    Limit,
    Part,
    check_limits,
    megabytes,
    parts_of,
)
from mien.deploy.service.core import SETTINGS
from mien.recognizer import Recognizer
from mien.types import Progress, silent

ZIP, IMAGE = "function.zip", "image"

PYTHON = "3.13"
"""Lambda's newest that all libraries have wheels for."""

_HANDLER = '''"""What Lambda calls: `handler.handle`."""

from pathlib import Path

from mien.deploy.service.aws import handler_of

handle = handler_of(Path(__file__).parent)
'''

_LEVEL = 6
"""Of compression: 9 takes four times as long for half a percent."""

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""When every file of the zip was made: the same input is the same zip, byte for byte."""


@dataclass(frozen=True, slots=True)
class DeployedLambda:
    """What was written.

    Attributes:
        folder: where.
        parts: of the function.
        limits: of Lambda, and how near it is.
        compiled: whether bytecode is in it; without, cold starts take longer.
        libraries: versions by name.
    """

    folder: Path
    parts: tuple[Part, ...]
    limits: tuple[Limit, ...]
    compiled: bool
    libraries: Mapping[str, str]


def deploy_lambda(
    recognizer: Recognizer,
    out: Path,
    *,
    handle: str,
    python: str = PYTHON,
    arch: Arch = "x86_64",
    cors: str = "",
    image: bool = False,
    progress: Progress = silent,
) -> DeployedLambda:
    """Write the folder; an earlier one is replaced as a whole.

    Args:
        recognizer: its weights stored as the function is to have them.
        out: the folder.
        handle: names the recognizer in `/classify/{handle}`.
        python: version of Lambda's Python.
        arch: of the machines it runs on.
        cors: the one origin whose pages may ask, "*" for all, empty for none but its own.
        image: whether to make a container's context, which may be larger, instead of a zip.
        progress: told of the steps.

    Raises:
        PartsMissing: the libraries cannot be had for this Python and machine.
        DeploymentTooLarge: the zip would be over a limit.
        NotADeployment: `out` is there and is something else.
        OutputError: it cannot be written.
    """
    steps = 4
    progress(0, steps, "libraries")
    library_files, versions = libraries(python, arch)
    progress(1, steps, "code")
    own = deployment_files(
        recognizer, kind="lambda", handle=handle, cors=cors, skin="mien.deploy.service.aws"
    )
    files = {**library_files, **own, "handler.py": _HANDLER.encode()}
    compiled = bytecode(files, python)
    files |= compiled
    progress(2, steps, "zip")
    packed, inside = (b"", dict[str, int]()) if image else _zipped(files)
    sizes = {path: len(data) for path, data in files.items()}
    limits = _limits(sum(sizes.values()), None if image else len(packed))
    check_limits(
        limits, "Ship it with --image as a container, or with --weights int8 or fewer people."
    )
    parts = tuple(parts_of(sizes, inside))
    told = {
        **json.loads(own[SETTINGS]),
        "python": python,
        "arch": arch,
        "image": image,
        "libraries": versions,
        "licences": weights_licences(recognizer),
    }
    progress(3, steps, "folder")
    with replacing(out, SETTINGS) as folder:
        _write(folder, files, packed, told, handle=handle, sizes=_table(parts, limits))
    progress(4, steps, "folder")
    return DeployedLambda(out, parts, limits, bool(compiled), versions)


def _write(
    folder: Path,
    files: Mapping[str, bytes],
    packed: bytes,
    told: Mapping[str, Any],
    *,
    handle: str,
    sizes: str,
) -> None:
    """Write the zip, or the container's context, and what deploys it."""
    image = told["image"]
    values = {
        "PYTHON": told["python"],
        "ARCH": told["arch"],
        "HANDLE": handle,
        "BUILD": "sam build\n" if image else "",
        "SIZES": sizes,
        "LICENCES": "\n".join(f"- {name}: {text}" for name, text in told["licences"].items()),
    }
    if image:
        _lay_out(folder / IMAGE, {**files, "Dockerfile": template("Dockerfile.lambda", values)})
    else:
        (folder / ZIP).write_bytes(packed)
    source = "template-image.yaml" if image else "template.yaml"
    (folder / "template.yaml").write_bytes(template(source, values))
    (folder / "README.md").write_bytes(template("README.lambda.md", values))
    (folder / SETTINGS).write_bytes(_json(told))


def _zipped(files: Mapping[str, bytes]) -> tuple[bytes, dict[str, int]]:
    """Return a zip that depends on the files alone, and the bytes of each within it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for path, data in sorted(files.items()):
            entry = zipfile.ZipInfo(path, _LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, whose modes the next line sets
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data)
        inside = {entry.filename: entry.compress_size for entry in archive.infolist()}
    return buffer.getvalue(), inside


def _limits(unzipped: int, zipped: int | None) -> tuple[Limit, ...]:
    if zipped is None:
        return (Limit("container image, without its base", unzipped, LAMBDA_IMAGE),)
    return (
        Limit("zip, uploaded directly", zipped, LAMBDA_ZIP),
        Limit("unzipped", unzipped, LAMBDA_UNZIPPED),
    )


def _table(parts: tuple[Part, ...], limits: tuple[Limit, ...]) -> str:
    rows = ["| part | unzipped | in the zip |", "|---|---:|---:|"]
    rows += [
        f"| {part.name} | {megabytes(part.bytes)} | "
        f"{megabytes(part.packed) if part.packed else ''} |"
        for part in parts
    ]
    rows += ["", "| limit | here | allowed |", "|---|---:|---:|"]
    rows += [
        f"| {limit.what} | {megabytes(limit.bytes)} | {megabytes(limit.limit)} |"
        for limit in limits
    ]
    photo, payload = megabytes(LAMBDA_PHOTO), megabytes(LAMBDA_PAYLOAD)
    rows += [f"| request, with a photo of up to | {photo} | {payload} |"]
    return "\n".join(rows)


def _lay_out(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
