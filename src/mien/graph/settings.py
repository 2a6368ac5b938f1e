"""What whoever runs a graph must know of it, and whoever builds it too: nothing here needs onnx."""

from __future__ import annotations

from dataclasses import dataclass

NOBODY = -1
"""Stands in the output `person` where a face is of nobody known."""


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """How faces are looked for.

    Attributes:
        side: the photo's long side is brought down to at most this many pixels. Faces under
            about 10 pixels at that size are not found.
        least_side: smaller photos are brought up to this long side; large ones are looked at a
            second time at this size, for the faces that fill them.
        score: least score of a face, in (0, 1).
        overlap: of two boxes with more intersection over union than this, the better one stays.
        faces: at most this many faces, best first.
    """

    side: int = 1280
    least_side: int = 480
    score: float = 0.6
    overlap: float = 0.3
    faces: int = 500

    def __post_init__(self) -> None:
        if not 32 <= self.least_side <= self.side <= 4096:
            raise ValueError("sides must be 32 <= least_side <= side <= 4096")
        if not (0 < self.score < 1 and 0 < self.overlap < 1 and self.faces > 0):
            raise ValueError("score and overlap lie between 0 and 1, faces is at least 1")
