"""Portraits: one face for display, upright and with some of its surroundings."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.graph.align import PORTRAIT_TEMPLATE
from mien.graph.assemble import align_graph
from mien.photo import at_moderate_size
from mien.session import Session
from mien.types import PORTRAIT_SIDE, Photo


def portrait(
    photo: Photo, points: NDArray[np.float32], side: int = PORTRAIT_SIDE
) -> NDArray[np.uint8]:
    """Return one face, (side, side, 3) uint8 RGB.

    The outer corners of the eyes are at 0.3 and 0.7 of the width and a third of the height
    (`PORTRAIT_TEMPLATE`).

    Args:
        photo: the photo.
        points: (5, 2) float32 points of the face, in pixels of `photo.pixels`.
        side: of the result, in pixels.
    """
    photo, points = at_moderate_size(photo, points)
    (crops,) = _session(side).run(
        "crops", image=photo.pixels, points=np.ascontiguousarray(points[None])
    )
    crop: NDArray[Any] = crops[0]
    return crop


@lru_cache(maxsize=8)
def _session(side: int) -> Session:
    model = align_graph(side, PORTRAIT_TEMPLATE).SerializeToString()
    return Session(model, name="portrait", threads=1)
