"""Portraits: one face cut out to look at, as face-alignment tutorials have it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.graph.align import PORTRAIT_TEMPLATE
from mien.graph.assemble import align_graph
from mien.session import Session
from mien.types import Detections, Photo

COURSE_SIDE = 600
"""Of the course's aligned faces."""


def portrait(photo: Photo, found: Detections, index: int, side: int) -> NDArray[np.uint8]:
    """Return one face, (side, side, 3) uint8 RGB.

    The outer corners of the eyes lie at 0.3 and 0.7 of the width and a third of the height
    (`PORTRAIT_TEMPLATE`).
    """
    points = np.ascontiguousarray(found.points[index : index + 1])
    (crops,) = _session(side).run("crops", image=photo.pixels, points=points)
    crop: NDArray[Any] = crops[0]
    return crop


@lru_cache(maxsize=8)
def _session(side: int) -> Session:
    model = align_graph(side, PORTRAIT_TEMPLATE).SerializeToString()
    return Session(model, name="portrait", threads=1)
