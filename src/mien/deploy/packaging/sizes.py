"""Sizes of a deployment's parts, and the size limits of hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mien.errors import DeploymentTooLarge

LAMBDA_ZIP: Final = 50 << 20
"""Bytes of a zip that is uploaded directly; one that comes from S3 may be larger."""

LAMBDA_UNZIPPED: Final = 262_144_000
"""Bytes of all files of a function: 250 MiB."""

LAMBDA_PAYLOAD: Final = 6 << 20
"""Bytes of a request or a response."""

LAMBDA_PHOTO: Final = LAMBDA_PAYLOAD // 4 * 3 - 4096
"""Bytes of a photo in a request: it travels in base64, with headers around it."""

LAMBDA_IMAGE: Final = 10 << 30
"""Bytes of a container image."""

SLUG: Final = 500 << 20
"""Bytes of an app on Heroku, compressed."""

STATIC_FILE: Final = 25 << 20
"""Bytes of one file on common static hosts."""

_PARTS = (
    ("onnxruntime", "onnxruntime"),
    ("numpy", "NumPy"),
    ("PIL", "Pillow"),
    ("pillow", "Pillow"),
    ("pi_heif", "pi-heif"),
    ("_pi_heif", "pi-heif"),
    ("python_multipart", "python-multipart"),
    ("recognizer", "recognizer"),
    ("runtime/", "onnxruntime-web"),
    ("fonts/", "fonts"),
)
"""Path prefix and the part it belongs to; all other files are Mien's own."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a deployment.

    Attributes:
        name: for people: a library, the recognizer.
        bytes: size of its files.
        packed: their compressed size in the archive; 0 where there is no archive.
    """

    name: str
    bytes: int
    packed: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """A size limit and a deployment's size.

    Attributes:
        what: name of the limited quantity.
        bytes: the deployment's size.
        limit: the allowed size in bytes.
    """

    what: str
    bytes: int
    limit: int

    @property
    def is_met(self) -> bool:
        """Whether the deployment is within the limit."""
        return self.bytes <= self.limit


def parts_of(files: Mapping[str, int], packed: Mapping[str, int] | None = None) -> list[Part]:
    """Return the parts of a deployment, largest first.

    Args:
        files: size in bytes by path.
        packed: compressed size in bytes by path.
    """
    sums: dict[str, list[int]] = {}
    for path, size in files.items():
        name = next((part for start, part in _PARTS if path.startswith(start)), "Mien and the page")
        pair = sums.setdefault(name, [0, 0])
        pair[0] += size
        pair[1] += (packed or {}).get(path, 0)
    parts = [Part(name, size, small) for name, (size, small) in sums.items()]
    return sorted(parts, key=lambda part: -part.bytes)


def check_limits(limits: Sequence[Limit], *, hint: str, code: str = "") -> None:
    """Check that a deployment is within its limits.

    Raises:
        DeploymentTooLarge: it exceeds one; the message states size and limit.
    """
    exceeded = [limit for limit in limits if not limit.is_met]
    if exceeded:
        listed = ", ".join(
            f"{limit.what} {megabytes(limit.bytes)} of {megabytes(limit.limit)}"
            for limit in exceeded
        )
        raise DeploymentTooLarge(f"over the limit: {listed}", hint=hint, code=code)


def megabytes(size: int) -> str:
    """Return a number of bytes as text: "12.3 MB"."""
    return f"{size / 1e6:,.1f} MB"
