"""Correlation of small grey pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pair_correlations(
    thumbs: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return (2, n) float32 correlations of n pairs: as they are, and with one mirrored.

    Args:
        thumbs: (M, S, S) uint8.
        first: (n,) int64 rows.
        second: (n,) int64 rows.
    """
    a, b = standardised(thumbs[first]), standardised(thumbs[second])
    result: NDArray[np.float32] = np.stack(
        [np.einsum("nij,nij->n", a, b), np.einsum("nij,nij->n", a, b[:, :, ::-1])]
    )
    return result


def standardised(pictures: NDArray[Any]) -> NDArray[np.float32]:
    """Return (n, S, S) float32 pictures with mean 0 and length 1: dot products are correlations."""
    centred = pictures.astype(np.float32)
    centred -= centred.mean(axis=(1, 2), keepdims=True)
    lengths = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True))
    result: NDArray[np.float32] = centred / np.maximum(lengths, 1e-6)
    return result
