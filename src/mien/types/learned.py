"""What training makes: prototypes, calibration, threshold."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien.types.arrays import read_only


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured value with a two-sided confidence interval.

    Attributes:
        value: the estimate.
        low: lower end.
        high: upper end.
        level: confidence level.
    """

    value: float
    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Calibration:
    """Similarities to probabilities: o = exp(slope * similarity + offset) are a person's odds.

    The odds are shared: of all people's odds o_j, person i has the probability o_i / (1 + sum o_j),
    and 1 / (1 + sum o_j) is that of a stranger.

    Attributes:
        slope: above 0, so that probability rises with similarity.
        offset: any number.
    """

    slope: float
    offset: float

    def __post_init__(self) -> None:
        if not self.slope > 0:
            raise ValueError(f"slope must be above 0, got {self.slope}")
        if not (math.isfinite(self.slope) and math.isfinite(self.offset)):
            raise ValueError("slope and offset must be finite")

    def probability(
        self,
        similarity: NDArray[np.float32],
        others: NDArray[np.float64] | float = 0.0,
    ) -> NDArray[np.float64]:
        """Return the probability for each similarity; same shape, float64 in [0, 1].

        Args:
            similarity: to one person.
            others: the sum of the odds of all other people (`odds`), of the same shape.
        """
        score = self.slope * similarity.astype(np.float64) + self.offset - np.log1p(others)
        return 0.5 * (1 + np.tanh(score / 2))

    def odds(self, similarity: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the odds of one person against a stranger; same shape, float64 above 0."""
        score = self.slope * similarity.astype(np.float64) + self.offset
        return np.exp(np.minimum(score, 700.0))  # beyond it is infinite in float64


Basis = Literal["strangers", "card", "few"]
"""How a threshold was found.

`strangers`: by searching enough strangers in this gallery. `card`: from the impostor statistics on
the embedder's card. `few`: with neither, so that no stranger searched is given a name.
"""


@dataclass(frozen=True, slots=True)
class Policy:
    """When a face is given a name.

    Attributes:
        threshold: least cosine similarity to the nearest person for which a name is given.
        false_positive_rate: share of strangers that the user allows to be given any name (FPIR).
        expected: expected rate, with its interval: from the strangers searched in this gallery
            where they are enough to measure it, else from how alike its own people look.
        strangers: how many stranger faces were searched in this gallery; may be 0.
        supported: whether the evidence supports the requested rate.
        source: one sentence on how the threshold was found.
        basis: how the threshold was found.
        shift: how much more alike this gallery's own people look than the strangers on the
            embedder's card, in cosine; 0 where it is not known.
    """

    threshold: float
    false_positive_rate: float
    expected: Interval
    strangers: int
    supported: bool
    source: str
    basis: Basis = "strangers"
    shift: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.false_positive_rate < 1:
            raise ValueError(f"a rate lies between 0 and 1, got {self.false_positive_rate}")
        if self.basis not in get_args(Basis):
            raise ValueError(f"unknown basis {self.basis!r}")

    @property
    def support(self) -> str:
        """What supports the requested rate, in a few words."""
        if not self.supported:
            return "not supported: too little is known of strangers"
        if self.basis == "card":
            return "supported by the embedder's card, not measured on this data"
        return "supported by measurement"


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Everything that training learns: the last stage of the graph as plain values.

    Attributes:
        kind: how the prototypes were made: `prototype`, `softmax` or `margin`.
        people: P distinct names, any Unicode text.
        prototypes: (P, D) float32 unit rows, one per person.
        photos: (P,) int64, how many photos each prototype was made of.
        contract: id of the embeddings that may be compared with the prototypes.
        calibration: similarity to probability.
        policy: when a face is given a name.
        negatives: (N, D) float32 unit rows: faces that a user said are not a certain person. A
            face that is at least as similar to one of them as to that person's prototype is not
            given that person's name. N may be 0.
        negative_of: (N,) int64, index of the person that each of them is not.
    """

    kind: str
    people: tuple[str, ...]
    prototypes: NDArray[np.float32]
    photos: NDArray[np.int64]
    contract: str
    calibration: Calibration
    policy: Policy
    negatives: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    negative_of: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        count = len(self.people)
        if len(set(self.people)) != count:
            raise ValueError("names must be distinct")
        object.__setattr__(
            self, "prototypes", read_only(self.prototypes, np.float32, (count, None))
        )
        object.__setattr__(self, "photos", read_only(self.photos, np.int64, (count,)))
        rejected, dimension = len(self.negative_of), self.prototypes.shape[1]
        negatives = self.negatives if self.negatives.size else np.zeros((0, dimension), np.float32)
        object.__setattr__(
            self, "negatives", read_only(negatives, np.float32, (rejected, dimension))
        )
        object.__setattr__(self, "negative_of", read_only(self.negative_of, np.int64, (rejected,)))
        if np.any((self.negative_of < 0) | (self.negative_of >= count)):
            raise ValueError("negative_of must be indices of people")
        for rows, what in ((self.prototypes, "prototypes"), (self.negatives, "negatives")):
            if not np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3):
                raise ValueError(f"{what} must be unit rows")

    def __repr__(self) -> str:
        people = "1 person" if len(self.people) == 1 else f"{len(self.people):,} people"
        return (
            f"<Head {self.kind}, {people}, {self.prototypes.shape[1]} dimensions, "
            f"unknown below {self.policy.threshold:.3f}>"
        )
