"""AWS Lambda deployment: a zip within Lambda's limits, and a template that deploys it.

::

    OUT/
      function.zip     the function, or with `image` a folder `image/` with a Dockerfile
      template.yaml    for AWS SAM
      README.md        the commands that deploy it
      ship.json        settings, versions, licences
      bom.cdx.json     bill of materials: libraries, models, licences, digests
      SHA256SUMS       digest of each file
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.deploy.packaging.bill_of_materials import MATERIALS, materials
from mien.deploy.packaging.bytecode import bytecode
from mien.deploy.packaging.contents import deployment_files, template, weights_licences
from mien.deploy.packaging.digests import DIGESTS
from mien.deploy.packaging.folder import write_deployment
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
"""The newest Python of Lambda for which all libraries have wheels."""

_HANDLER = '''"""The function that Lambda calls: `handler.handle`."""

from pathlib import Path

from mien.deploy.service.aws import handler_of

handle = handler_of(Path(__file__).parent)
'''

_COMPRESSION_LEVEL = 6
"""Level 9 takes four times as long and saves half a percent."""

_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
"""Time of every file in the zip, so that equal inputs give equal bytes."""


@dataclass(frozen=True, slots=True)
class DeployedLambda:
    """A Lambda deployment that was written.

    Attributes:
        folder: its path.
        parts: sizes of the function's parts.
        limits: Lambda's size limits and the function's sizes.
        compiled: whether the function contains bytecode; without it, cold starts take longer.
        libraries: version by library.
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
    """Write a Lambda deployment; an existing one in `out` is replaced as a whole.

    Args:
        recognizer: with its weights stored in the form that the function gets.
        out: the folder to write.
        handle: name of the recognizer in `/classify/{handle}`.
        python: version of Lambda's Python.
        arch: processor architecture of the machines that run it.
        cors: the one other origin whose pages may send requests, "*" for all, empty for none.
        image: write the build context of a container image, which may be larger, not a zip.
        progress: called at each step.

    Raises:
        PartsMissing: the libraries are not available for this Python and architecture.
        DeploymentTooLarge: the function would exceed a limit.
        NotADeployment: `out` exists and is not a deployment.
        OutputError: the folder cannot be written.
    """
    steps = 4
    progress(0, steps, "libraries")
    library_files, contained = libraries(python, arch)
    progress(1, steps, "code")
    own = deployment_files(
        recognizer, kind="lambda", handle=handle, cors=cors, adapter="mien.deploy.service.aws"
    )
    files = {**library_files, **own, "handler.py": _HANDLER.encode()}
    compiled = bytecode(files, python)
    files |= compiled
    progress(2, steps, "zip")
    packed, inside = (b"", dict[str, int]()) if image else _zipped(files)
    sizes = {path: len(data) for path, data in files.items()}
    limits = _limits(sum(sizes.values()), None if image else len(packed))
    check_limits(
        limits,
        hint="Make it a container image, store the weights as int8, or train on fewer people.",
        code="function-too-large",
    )
    parts = tuple(parts_of(sizes, inside))
    # Under the names that version 0.1.0 wrote, with an underscore.
    versions = {each.name.replace("-", "_"): each.version for each in contained}
    settings = {
        **json.loads(own[SETTINGS]),
        "python": python,
        "arch": arch,
        "image": image,
        "libraries": versions,
        "licences": weights_licences(recognizer),
        "digests": DIGESTS,
    }
    progress(3, steps, "folder")
    written = _outer_files(files, packed, settings, handle=handle, sizes=_table(parts, limits))
    written[MATERIALS] = materials(
        recognizer, kind="lambda", handle=handle, distributions=contained
    )
    write_deployment(out, written, SETTINGS)
    progress(4, steps, "folder")
    return DeployedLambda(out, parts, limits, bool(compiled), versions)


def _outer_files(
    files: Mapping[str, bytes],
    packed: bytes,
    settings: Mapping[str, Any],
    *,
    handle: str,
    sizes: str,
) -> dict[str, bytes]:
    """Return the zip or the image's build context, the template, the README and the settings."""
    image = settings["image"]
    values = {
        "PYTHON": settings["python"],
        "ARCH": settings["arch"],
        "HANDLE": handle,
        "BUILD": "sam build\n" if image else "",
        "SIZES": sizes,
        "LICENCES": "\n".join(f"- {name}: {text}" for name, text in settings["licences"].items()),
    }
    context = {**files, "Dockerfile": template("Dockerfile.lambda", values)}
    code = {f"{IMAGE}/{path}": data for path, data in context.items()} if image else {ZIP: packed}
    source = "template-image.yaml" if image else "template.yaml"
    return {
        **code,
        "template.yaml": template(source, values),
        "README.md": template("README.lambda.md", values),
        SETTINGS: _json(settings),
    }


def _zipped(files: Mapping[str, bytes]) -> tuple[bytes, dict[str, int]]:
    """Return a zip that depends only on the files, and each file's compressed size."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(
        buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL
    ) as archive:
        for path, data in sorted(files.items()):
            entry = zipfile.ZipInfo(path, _TIMESTAMP)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, for the file mode on the next line
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


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
