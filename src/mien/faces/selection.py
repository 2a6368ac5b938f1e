"""Select one face of a photo, by the same rule in all commands, routes and deployments."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.errors import SELDOM_FOUND, FaceNotThere, NoFace
from mien.text import count


def select_face(boxes: NDArray[np.float32], face: int | None, *, photo: str) -> int:
    """Return the index of a face, selected by number from the left, or the largest face.

    Args:
        boxes: (F, 4) float32 xyxy.
        face: number of the face, from the left, starting with 1; None for the largest.
        photo: name of the photo, for messages.

    Raises:
        NoFace: F = 0.
        FaceNotThere: there is no face with this number.
    """
    if not len(boxes):
        raise NoFace(f"no face found in {photo}", hint=SELDOM_FOUND)
    if face is None:
        sides = boxes[:, 2:] - boxes[:, :2]
        return int(np.argmax(sides[:, 0] * sides[:, 1]))
    if face > len(boxes):
        raise FaceNotThere(
            f"{photo} shows {count(len(boxes), 'face')}, there is no face {face}",
            hint="Faces are counted from the left, beginning with 1.",
        )
    return int(np.argsort(boxes[:, 0], kind="stable")[face - 1])
