"""How big a vessel is, and what the places it goes to allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mien.errors import DeploymentTooLarge

LAMBDA_ZIP: Final = 50 << 20
"""Of a zip that is uploaded directly; one that comes from S3 may be larger."""

LAMBDA_UNZIPPED: Final = 262_144_000
"""Of all files of a function, 250 MB."""

LAMBDA_PAYLOAD: Final = 6 << 20
"""Of a request or an answer."""

LAMBDA_PHOTO: Final = LAMBDA_PAYLOAD // 4 * 3 - 4096
"""Of a photo in a request: it travels in base64, with headers around it."""

LAMBDA_IMAGE: Final = 10 << 30
"""Of a container image."""

SLUG: Final = 500 << 20
"""Of an app on Heroku, compressed."""

STATIC_FILE: Final = 25 << 20
"""Of one file on the usual static hosts."""

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
"""What a path begins with, and which part it is of; all else is Mien's own."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a vessel.

    Attributes:
        name: what it is.
        bytes: of its files.
        packed: bytes of them in the archive; 0 where there is none.
    """

    name: str
    bytes: int
    packed: int = 0


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit, and how near the vessel is.

    Attributes:
        what: is limited.
        bytes: that the vessel has.
        limit: bytes that are allowed.
    """

    what: str
    bytes: int
    limit: int

    @property
    def kept(self) -> bool:
        """Whether the vessel is within it."""
        return self.bytes <= self.limit


def parts_of(files: Mapping[str, int], packed: Mapping[str, int] | None = None) -> list[Part]:
    """Return the parts of a vessel, largest first.

    Args:
        files: bytes by path.
        packed: bytes in the archive by path.
    """
    sums: dict[str, list[int]] = {}
    for path, size in files.items():
        name = next((part for start, part in _PARTS if path.startswith(start)), "Mien and the page")
        both = sums.setdefault(name, [0, 0])
        both[0] += size
        both[1] += (packed or {}).get(path, 0)
    parts = [Part(name, size, small) for name, (size, small) in sums.items()]
    return sorted(parts, key=lambda part: -part.bytes)


def check_limits(limits: Sequence[Limit], hint: str) -> None:
    """Raise where a vessel is over a limit.

    Raises:
        DeploymentTooLarge: it is; the text says by how much.
    """
    over = [limit for limit in limits if not limit.kept]
    if over:
        told = ", ".join(
            f"{limit.what} {megabytes(limit.bytes)} of {megabytes(limit.limit)}" for limit in over
        )
        raise DeploymentTooLarge(f"over the limit: {told}", hint=hint)


def megabytes(size: int) -> str:
    """Return bytes as people read them: "12.3 MB"."""
    return f"{size / 1e6:,.1f} MB"
