"""Faces cut out of one photo in two ways, told by laying one crop over the other.

Where a photo was cut or turned differently the detector's points move a little, and the aligned
crops with them. Of faces that are very alike one crop is shifted, scaled and turned within that
measure until it fits the other best. Of LFW's pairs with such a cosine those from the limit on
are the same picture, and others lie below it; of photos cut anew about two in three are found.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.dataset.cleaning.doubts import Faces
from mien.dataset.cleaning.duplicates import CopyPair, alike
from mien.dataset.storage.records import THUMB_SIDE
from mien.policy.similarity_limits import CleaningLimits

SAME_PICTURE = 0.96
"""Correlation of the crops when one is laid over the other."""

_SCALES = (0.88, 0.94, 1.0, 1.06, 1.12)
_TURNS = (-4.0, 0.0, 4.0)
_EDGE = 4


def recut_pairs(
    faces: Faces, known: Iterable[CopyPair], limits: CleaningLimits | None
) -> list[CopyPair]:
    """Return pairs of rows that are one picture cut out in two ways, but for those known.

    Args:
        faces: the rows, with thumbs of their crops.
        known: pairs found otherwise.
        limits: of the embedder; None where they are not calibrated: then none is found.
    """
    if limits is None:
        return []
    done = {(pair.first, pair.second) for pair in known}
    pairs = []
    for first, second, cosines in alike(faces, limits.very_alike):
        for i in range(len(cosines)):
            a, b = int(first[i]), int(second[i])
            if (a, b) in done:
                continue
            straight = fit(faces.thumbs[a], faces.thumbs[b])
            mirrored = fit(faces.thumbs[a], np.ascontiguousarray(faces.thumbs[b][:, ::-1]))
            if max(straight, mirrored) >= SAME_PICTURE:
                text = f"cosine {cosines[i]:.3f}, laid over each other crops correlate "
                text += f"{max(straight, mirrored):.3f}" + ", one mirrored" * (mirrored > straight)
                pairs.append(CopyPair(a, b, "mirrored" if mirrored > straight else "crop", text))
    return pairs


def fit(still: NDArray[np.uint8], moved: NDArray[np.uint8]) -> float:
    """Return the greatest correlation of (32, 32) thumbs with one shifted, scaled and turned."""
    inner = THUMB_SIDE - 2 * _EDGE
    target = _standard(still[_EDGE:-_EDGE, _EDGE:-_EDGE].astype(np.float32)[None])[0]
    picture = Image.fromarray(moved)
    best = -1.0
    for scale in _SCALES:
        for turn in _TURNS:
            warped = np.asarray(_warped(picture, scale, turn), np.float32)
            windows = np.lib.stride_tricks.sliding_window_view(warped, (inner, inner))
            views = _standard(windows.reshape(-1, inner, inner))
            best = max(best, float(np.einsum("nij,ij->n", views, target).max()))
    return best


def _warped(picture: Image.Image, scale: float, turn: float) -> Image.Image:
    cosine, sine = np.cos(np.radians(turn)) / scale, np.sin(np.radians(turn)) / scale
    middle = THUMB_SIDE / 2
    across = middle - middle * cosine + middle * sine
    down = middle - middle * sine - middle * cosine
    places = (cosine, -sine, across, sine, cosine, down)
    transform, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    return picture.transform((THUMB_SIDE, THUMB_SIDE), transform, places, bilinear)


def _standard(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = pictures - pictures.mean(axis=(1, 2), keepdims=True)
    lengths = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    result: NDArray[np.float32] = centred / np.maximum(lengths, 1e-6)
    return result
