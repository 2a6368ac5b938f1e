"""Search of probes in a gallery, block by block to bound memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.graph.settings import EVEN_ODDS
from mien.types import Calibration, Head, Policy, Progress, silent

BLOCK = 512
"""Probes per block: with 100,000 people the similarities of a block take 200 MB."""

STRANGER = -1
"""Value of `mates` for a probe whose person is not in the gallery."""


@dataclass(frozen=True, slots=True, eq=False)
class ProbeSearch:
    """Search results of N probes among P people; K = min(P, 5).

    Attributes:
        mates: (N,) int64, index of the right person in the gallery, or `STRANGER`.
        people: (N, K) int64, indices of the most similar people, best first.
        similarities: (N, K) float32, similarities to those people.
        ranks: (N,) int64, rank of the mate, 1 the best; 0 for a stranger. On a tie the mate ranks
            last.
        own: (N,) float32, similarity to the mate; nan for a stranger.
        rivals: (N,) int64, index of the most similar person other than the mate; `STRANGER` if
            the gallery has only the mate.
        rival_similarities: (N,) float32, similarity to that person; -1 if there is none.
        probability: (N,) float64 of the most similar person; nan without a calibration.
        rival_probability: (N,) float64 of the rival in a gallery without the mate; likewise.
    """

    mates: NDArray[np.int64]
    people: NDArray[np.int64]
    similarities: NDArray[np.float32]
    ranks: NDArray[np.int64]
    own: NDArray[np.float32]
    rivals: NDArray[np.int64]
    rival_similarities: NDArray[np.float32]
    probability: NDArray[np.float64]
    rival_probability: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.mates)

    @property
    def best(self) -> NDArray[np.float32]:
        """(N,) float32, similarity to the most similar person."""
        return self.similarities[:, 0]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(N,) bool, whether the most similar person is the mate."""
        found: NDArray[np.bool_] = self.ranks == 1
        return found

    def named(self, policy: Policy) -> NDArray[np.bool_]:
        """Return (N,) bool, whether a policy gives each probe a name, as the graph decides it."""
        return named_by(policy, self.best, self.probability)


def named_by(
    policy: Policy, similarity: NDArray[np.float32], probability: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return whether a policy gives a name at each similarity and probability, (N,) bool."""
    # The threshold is float32 in the graph.
    named: NDArray[np.bool_] = similarity >= np.float32(policy.threshold)
    return named & (probability.astype(np.float32) >= EVEN_ODDS)


def search(
    head: Head,
    vectors: NDArray[np.float32],
    mates: NDArray[np.int64],
    *,
    progress: Progress = silent,
    what: str = "searching",
) -> ProbeSearch:
    """Search probes in the gallery of a head.

    Args:
        head: its prototypes are the gallery; at least one person.
        vectors: (N, D) float32 unit rows of the head's contract.
        mates: (N,) int64, index in `head.people` of each probe's person, or `STRANGER`.
        progress: called after each block.
        what: name of the work for `progress`.

    Raises:
        ValueError: shapes differ, or a mate is out of range.
    """
    return search_rows(
        head.prototypes, vectors, mates,
        calibration=head.calibration, progress=progress, what=what,
    )  # fmt: skip


def search_rows(
    gallery: NDArray[np.float32],
    vectors: NDArray[np.float32],
    mates: NDArray[np.int64],
    *,
    calibration: Calibration | None = None,
    progress: Progress = silent,
    what: str = "searching",
) -> ProbeSearch:
    """Search probes among (P, D) float32 unit rows, one per person; otherwise as `search`."""
    size = len(gallery)
    if len(vectors) != len(mates) or not size:
        raise ValueError(f"{len(vectors)} probes, {len(mates)} mates, {size} people")
    if len(mates) and not (mates.min() >= STRANGER and mates.max() < size):
        raise ValueError("a mate is not in the gallery")
    blocks = []
    for start in range(0, max(len(vectors), 1), BLOCK):
        part = slice(start, start + BLOCK)
        blocks.append(_search_block(gallery, vectors[part], mates[part], calibration))
        progress(min(start + BLOCK, len(vectors)), len(vectors), what)
    return ProbeSearch(mates, *(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def _search_block(
    prototypes: NDArray[np.float32],
    vectors: NDArray[np.float32],
    mates: NDArray[np.int64],
    calibration: Calibration | None,
) -> tuple[NDArray[np.generic], ...]:
    scores = vectors @ prototypes.T
    rows = np.arange(len(scores))
    known = mates != STRANGER
    column = np.where(known, mates, 0)
    own = np.where(known, scores[rows, column], np.float32("nan"))
    ranks = np.where(known, np.sum(scores >= own[:, None], axis=1), 0)
    people = _top(scores, min(5, scores.shape[1]))
    best = np.take_along_axis(scores, people, axis=1)
    chance = _probability(calibration, scores, best[:, 0])
    scores[rows[known], mates[known]] = -np.inf
    rivals = np.argmax(scores, axis=1)
    rival_scores = scores[rows, rivals]
    alone = np.isneginf(rival_scores)
    rival_chance = _probability(calibration, scores, rival_scores)
    rivals = np.where(alone, STRANGER, rivals)
    rival_scores = np.where(alone, np.float32(-1), rival_scores)
    return people, best, ranks, own, rivals, rival_scores, chance, rival_chance


def _probability(
    calibration: Calibration | None, scores: NDArray[np.float32], best: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return (N,) float64, the probability of the best of each row of similarities."""
    if calibration is None:
        return np.full(len(scores), np.nan)
    own = calibration.odds(best)
    others = np.maximum(calibration.odds(scores).sum(axis=1) - own, 0)
    found: NDArray[np.float64] = own / (1 + own + others)
    return found


def _top(scores: NDArray[np.float32], size: int) -> NDArray[np.int64]:
    """Return the columns of the `size` highest scores of each row, best first."""
    if size < scores.shape[1]:
        found = np.sort(np.argpartition(-scores, size - 1, axis=1)[:, :size], axis=1)
    else:
        found = np.broadcast_to(np.arange(size), scores.shape)
    order = np.argsort(-np.take_along_axis(scores, found, axis=1), axis=1, kind="stable")
    top: NDArray[np.int64] = np.take_along_axis(found, order, axis=1)
    return top


def near_pairs(vectors: NDArray[np.float32], limit: int) -> Iterator[tuple[int, int, float]]:
    """Yield the `limit` most similar pairs of rows, most similar first.

    Args:
        vectors: (P, D) float32 unit rows.
        limit: maximum number of pairs.
    """
    size = len(vectors)
    values, codes = np.empty(0, np.float32), np.empty(0, np.int64)
    for start in range(0, size, BLOCK):
        block = vectors[start : start + BLOCK] @ vectors[start:].T
        # Only pairs above the diagonal: each pair once, and no row with itself.
        block[np.tril_indices(len(block), 0, block.shape[1])] = -np.inf
        flat = block.ravel()
        keep = np.argpartition(-flat, limit)[:limit] if flat.size > limit else np.arange(flat.size)
        first, second = np.divmod(keep, block.shape[1])
        values = np.concatenate([values, flat[keep]])
        codes = np.concatenate([codes, (first + start) * size + second + start])
        order = np.lexsort((codes, -values))[:limit]
        values, codes = values[order], codes[order]
    for value, code in zip(values, codes, strict=True):
        if np.isfinite(value):
            yield int(code // size), int(code % size), float(value)
