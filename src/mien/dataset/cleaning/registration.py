"""Find faces cut from one photo in two ways, by registration of their crops.

Where a photo was cut or turned differently, the detector's points move a little, and the aligned
crops with them. Of two very similar faces one crop is shifted, scaled and turned within that range
until it correlates best with the other. Of LFW's pairs with such a similarity those at or above the
limit are the same picture, and the others are below it. Of photos that are cut again about two in
three are found.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.dataset.cleaning.correlation import standardised
from mien.dataset.cleaning.doubts import Faces
from mien.dataset.cleaning.duplicates import CopyPair, similar_pairs
from mien.dataset.storage.records import THUMB_SIDE
from mien.policy.similarity_limits import CleaningLimits

SAME_PICTURE = 0.96
"""Lowest correlation of two registered crops of the same picture."""

_SCALES = (0.88, 0.94, 1.0, 1.06, 1.12)
_TURNS = (-4.0, 0.0, 4.0)
_EDGE = 4


def recut_pairs(
    faces: Faces, known: Iterable[CopyPair], limits: CleaningLimits | None
) -> list[CopyPair]:
    """Return pairs of rows with one picture cut in two ways, without those known already.

    Args:
        faces: all rows.
        known: pairs found in other ways.
        limits: similarity limits of the embedder; None where it is not calibrated: then no pair
            is found.
    """
    if limits is None:
        return []
    done = {(pair.first, pair.second) for pair in known}
    pairs = []
    for first, second, cosines in similar_pairs(faces, limits.very_alike):
        for i in range(len(cosines)):
            a, b = int(first[i]), int(second[i])
            if (a, b) in done:
                continue
            as_is = best_correlation(faces.thumbs[a], faces.thumbs[b])
            mirrored = best_correlation(
                faces.thumbs[a], np.ascontiguousarray(faces.thumbs[b][:, ::-1])
            )
            if max(as_is, mirrored) >= SAME_PICTURE:
                text = f"cosine {cosines[i]:.3f}, registered crops correlate "
                text += f"{max(as_is, mirrored):.3f}" + ", one mirrored" * (mirrored > as_is)
                pairs.append(CopyPair(a, b, "mirrored" if mirrored > as_is else "crop", text))
    return pairs


def best_correlation(still: NDArray[np.uint8], moved: NDArray[np.uint8]) -> float:
    """Return the highest correlation of two thumbs, (32, 32) uint8 each, after registration.

    `moved` is shifted by up to 4 pixels, scaled and turned to match `still`.
    """
    inner = THUMB_SIDE - 2 * _EDGE
    target = standardised(still[_EDGE:-_EDGE, _EDGE:-_EDGE][None])[0]
    picture = Image.fromarray(moved)
    best = -1.0
    for scale in _SCALES:
        for turn in _TURNS:
            warped = np.asarray(_warped(picture, scale, turn), np.float32)
            windows = np.lib.stride_tricks.sliding_window_view(warped, (inner, inner))
            views = standardised(windows.reshape(-1, inner, inner))
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
