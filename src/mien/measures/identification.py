"""Closed-set identification (1:N): ranks of mates, rank-k rates and the CMC."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.measures.intervals import wilson
from mien.types import Interval


def mate_ranks(similarities: ArrayLike, mates: ArrayLike) -> NDArray[np.int64]:
    """Return the rank of each probe's mate, 1 the best.

    On a tie the mate ranks last: a recognizer that gives all people the same score is never right.

    Args:
        similarities: (N, P), of each probe to each person.
        mates: (N,) int, index of each probe's person.

    Raises:
        ValueError: the shapes differ, or a mate is not in the gallery.
    """
    scores, right = np.asarray(similarities), np.asarray(mates, np.int64)
    if scores.ndim != 2 or len(scores) != len(right):
        raise ValueError(f"{scores.shape} similarities and {right.shape} mates")
    if len(right) and not (right.min() >= 0 and right.max() < scores.shape[1]):
        raise ValueError("a mate is not in the gallery")
    own = scores[np.arange(len(scores)), right]
    ranks: NDArray[np.int64] = np.sum(scores >= own[:, None], axis=1, dtype=np.int64)
    return ranks


def rank_k(ranks: ArrayLike, k: int, *, level: float = 0.95) -> Interval:
    """Return the share of probes whose mate has rank `k` or better, with Wilson's interval.

    Args:
        ranks: (N,) int, ranks of the mates, from `mate_ranks`.
        k: rank, from 1.
        level: confidence level of the interval.
    """
    found = np.asarray(ranks) <= k
    return wilson(int(found.sum()), found.size, level)


def cmc(ranks: ArrayLike, top: int) -> NDArray[np.float64]:
    """Return the cumulative match characteristic: rank-k rates for k = 1 to `top`.

    Args:
        ranks: (N,) int, ranks of the mates, from `mate_ranks`; N > 0.
        top: highest rank.

    Raises:
        ValueError: there is no probe.

    Source: P. J. Phillips et al., "The FERET evaluation methodology for face-recognition
    algorithms", PAMI 22 (2000).
    """
    found = np.asarray(ranks, np.int64)
    if not found.size:
        raise ValueError("there is no probe")
    counts = np.bincount(np.minimum(found, top + 1), minlength=top + 2)[1 : top + 1]
    shares: NDArray[np.float64] = np.cumsum(counts) / found.size
    return shares
