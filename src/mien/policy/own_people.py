"""How alike the people of a gallery look, against the strangers on the embedder's card.

People of one age, one country or one kind of camera look more alike to an embedder than strangers
at large. The card's curve of false positives is therefore moved to where the gallery's own people
lie: each photo is compared with every other person, and the similarity that a fixed share of these
comparisons reaches is set against the card's. Few people say little: the card counts as
`PRIOR_PAIRS` pairs of people among theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mien.models.statistics import ImpostorStatistics
from mien.policy.strangers import Strangers

PRIOR_PAIRS = 30
"""What the card counts, in pairs of people: of 10 to 250, FPIR closest to the rate requested in
galleries of 10 to 80 people of View 1 of Labeled Faces in the Wild, drawn at random, from clusters
of people who look alike, and by the quality of their photos (`benchmarks/rates.py`)."""

MOST_PAIRS = 300
"""More pairs say no more of rare false positives: the curve keeps the shape of the card's."""

LEAST_PEOPLE = 20
"""With fewer people it does not show how alike they look, so that they support no rate."""

_BINS = 4000
_BLOCK = 1024
_NORMAL = NormalDist()


class ImpostorHistogram:
    """Similarities of photos to the prototypes of other people, counted in bins 0.0005 wide."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS)

    def add(
        self,
        faces: NDArray[np.float32],
        rows: NDArray[np.float32],
        weights: NDArray[np.floating],
        own: NDArray[np.int64] | None = None,
    ) -> None:
        """Count the comparisons of faces with the prototypes of other people.

        Args:
            faces: (N, D) float32 unit rows.
            rows: (P, D) float32 unit rows, the prototypes.
            weights: (N,) how much each face counts.
            own: (N,) int64, the row of each face's own person, which is left out; None where that
                person has none.
        """
        for start in range(0, len(faces), _BLOCK):
            part = slice(start, start + _BLOCK)
            similarity = faces[part] @ rows.T
            share = np.repeat(weights[part].astype(np.float64)[:, None], len(rows), axis=1)
            if own is not None:
                share[np.arange(len(share)), own[part]] = 0
            bins = np.clip(((similarity + 1) * (_BINS / 2)).astype(np.int64), 0, _BINS - 1)
            self._counts += np.bincount(bins.ravel(), weights=share.ravel(), minlength=_BINS)

    def similarity_at(self, rate: float) -> float | None:
        """Return the similarity that a share of the comparisons reaches; None without any."""
        above = np.concatenate([np.cumsum(self._counts[::-1])[::-1], [0.0]])
        if not above[0] > 0:
            return None
        edges = np.arange(_BINS + 1) * (2 / _BINS) - 1
        return float(np.interp(-rate, -above / above[0], edges))


@dataclass(frozen=True, slots=True, eq=False)
class OwnPeople:
    """The people of a gallery as strangers to each other.

    Attributes:
        strangers: each person left out in turn and searched among the others.
        impostors: all comparisons of their photos with other people.
    """

    strangers: Strangers
    impostors: ImpostorHistogram

    @property
    def pairs(self) -> float:
        """Number of pairs of people compared."""
        return self.strangers.people * self.strangers.gallery / 2


@dataclass(frozen=True, slots=True)
class Shift:
    """How much more alike a gallery's people look than the strangers on the card.

    Attributes:
        value: in cosine; above 0 where they look more alike.
        deviation: standard deviation of what is not known of it, in cosine.
    """

    value: float
    deviation: float


def shift_of(
    own: OwnPeople | None, counts: NDArray[np.int64], statistics: ImpostorStatistics
) -> Shift:
    """Return how much more alike the people of a gallery look than the strangers on the card.

    The share of comparisons is the largest that the card states. The standard deviation is that
    of a quantile of as many independent normal values as there are pairs, with the card's.

    Args:
        own: the gallery's people, or None where there is only one.
        counts: (P,) int64, number of photos of each prototype.
        statistics: of the embedder's card.
    """
    rates = statistics.false_match_rate
    if len(rates) < 2:
        return Shift(0.0, 0.0)
    card, stricter = (statistics.mean_similarity_at(rate, counts) for rate in rates[:2])
    z, z_stricter = (-_NORMAL.inv_cdf(rate) for rate in rates[:2])
    spread = (stricter - card) / (z_stricter - z)
    found = None if own is None else own.impostors.similarity_at(rates[0])
    pairs = 0.0 if own is None or found is None else own.pairs
    noise = sqrt(rates[0] * (1 - rates[0])) / _NORMAL.pdf(z) * spread
    weight = pairs / (pairs + PRIOR_PAIRS)
    value = 0.0 if found is None else weight * (found - card)
    return Shift(value, noise / sqrt(min(pairs, MOST_PAIRS) + PRIOR_PAIRS))
