"""Settings shared by graph builder and runtime; importing this needs no onnx."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from typing import Any, Self

UNKNOWN_PERSON = -1
"""Value of the output `person` for an unknown face."""

_STORED = {
    "max_side": "side",
    "min_side": "least_side",
    "score_threshold": "score",
    "nms_iou": "overlap",
    "max_faces": "faces",
}
"""Attribute: its name in files and JSON, which keep the names of earlier versions."""


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """How faces are searched for.

    Attributes:
        max_side: the photo's long side is reduced to at most this many pixels. Faces under
            about 10 pixels at that size are not found.
        min_side: smaller photos are enlarged to this long side; large ones are searched a
            second time at this size, for the faces that fill them.
        score_threshold: least score of a face, in (0, 1).
        nms_iou: of two boxes with a higher intersection over union, only the better one is kept.
        max_faces: at most this many faces, best first.
    """

    max_side: int = 1280
    min_side: int = 480
    score_threshold: float = 0.6
    nms_iou: float = 0.3
    max_faces: int = 500

    def __post_init__(self) -> None:
        if not 32 <= self.min_side <= self.max_side <= 4096:
            raise ValueError("sides must be 32 <= min_side <= max_side <= 4096")
        if not (0 < self.score_threshold < 1 and 0 < self.nms_iou < 1 and self.max_faces > 0):
            raise ValueError(
                "score_threshold and nms_iou lie between 0 and 1, max_faces is at least 1"
            )
        # Stored as JSON, which has no NumPy numbers.
        for name in ("max_side", "min_side", "max_faces"):
            object.__setattr__(self, name, index(getattr(self, name)))
        for name in ("score_threshold", "nms_iou"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @property
    def max_long_side(self) -> int:
        """Largest useful long side of a photo in pixels: reading at a larger size finds no more."""
        return 2 * self.max_side

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON values."""
        return {stored: getattr(self, name) for name, stored in _STORED.items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote; a TypeError for other names, a ValueError for bad values."""
        if not isinstance(fields, Mapping):
            raise TypeError("detection settings are a mapping")
        names = {stored: name for name, stored in _STORED.items()}
        if unknown := fields.keys() - names.keys():
            raise TypeError(f"unknown detection settings: {', '.join(sorted(unknown))}")
        return cls(**{names[stored]: value for stored, value in fields.items()})


EVEN_ODDS = 0.5
"""Least probability of a name: it is at least as likely as everything else together."""
