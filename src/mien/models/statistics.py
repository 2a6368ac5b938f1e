"""Score statistics of an embedder, as its card or a recognizer file states them.

A deployed recognizer loads this module: it needs neither cards nor onnx.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mien.types import Calibration


@dataclass(frozen=True, slots=True)
class ImpostorStatistics:
    """Similarities of different people to an embedder, for users who have no strangers to measure.

    Attributes:
        measured_on: one sentence on the people and the number of comparisons.
        false_match_rate: shares of impostor comparisons, falling.
        template_photos: number of photos averaged into the enrolled template, one per row.
        similarity: one row per template size and one column per rate: the cosine similarity that
            this share of impostor comparisons reaches.
    """

    measured_on: str
    false_match_rate: tuple[float, ...]
    template_photos: tuple[int, ...]
    similarity: tuple[tuple[float, ...], ...]

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` wrote; raises KeyError, TypeError or ValueError."""
        return cls(
            str(fields["measured_on"]),
            tuple(float(rate) for rate in fields["false_match_rate"]),
            tuple(int(photos) for photos in fields["template_photos"]),
            tuple(tuple(float(value) for value in row) for row in fields["similarity"]),
        )

    def false_positive_rates(
        self, similarities: NDArray[np.floating[Any]], counts: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return how often a stranger reaches each similarity to any person of a gallery.

        Comparisons are assumed to be independent: 1 - prod(1 - FMR). Between the stated rates the
        logarithm of the FMR is linear in the similarity; beyond the last it is constant, since it
        was not measured. A prototype of n photos takes the row of the largest template that is
        not larger.

        Args:
            similarities: (N,) cosines.
            counts: (P,) photos behind each prototype of the gallery.

        Returns:
            (N,) in [0, 1], falling with the similarity.
        """
        sizes = np.asarray(self.template_photos)
        row_of = np.maximum(np.searchsorted(sizes, counts, side="right") - 1, 0)
        people = np.bincount(row_of, minlength=len(sizes))
        logs = np.log(self.false_match_rate)
        scores = similarities.astype(np.float64)
        none = np.zeros(len(scores))
        for row, number in zip(self.similarity, people, strict=True):
            rate = np.exp(np.interp(scores, row, logs))
            none += number * np.log1p(-np.minimum(rate, 1 - 1e-12))
        result: NDArray[np.float64] = -np.expm1(none)
        return result


@dataclass(frozen=True, slots=True)
class EmbedderStatistics:
    """What is known of an embedder's similarities.

    Attributes:
        impostors: similarities of different people; None if not measured.
        verification: similarity of two photos to the probability that they show one person,
            where pairs of one person and of strangers are equally likely; None if not measured.
    """

    impostors: ImpostorStatistics | None = None
    verification: Calibration | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote; raises KeyError, TypeError or ValueError."""
        impostors, verification = fields.get("impostors"), fields.get("verification")
        return cls(
            None if impostors is None else ImpostorStatistics.from_dict(impostors),
            None if verification is None else Calibration(**verification),
        )
