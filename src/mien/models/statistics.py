"""Score statistics of an embedder, as its card or a recognizer file states them.

A cosine means nothing by itself: one embedder gives 0.35 to one pair of strangers in seven hundred,
another to every second. Thresholds are therefore written as error rates, and these statistics say
which similarity has a rate.

A deployed recognizer loads this module: it needs neither cards nor onnx.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
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

    def __post_init__(self) -> None:
        _check_rates(self.false_match_rate[::-1])
        _check_rows(self.template_photos, self.similarity, len(self.false_match_rate))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` wrote; raises KeyError, TypeError or ValueError."""
        return cls(
            str(fields["measured_on"]),
            tuple(float(rate) for rate in fields["false_match_rate"]),
            tuple(int(photos) for photos in fields["template_photos"]),
            tuple(tuple(float(value) for value in row) for row in fields["similarity"]),
        )

    def similarity_at(self, rate: float) -> float | None:
        """Return the similarity that a share of comparisons with one enrolled photo reaches.

        Between the stated rates it is linear in the logarithm of the rate.

        Args:
            rate: false match rate, in (0, 1).

        Returns:
            None where the rate lies outside the stated ones: it was not measured.
        """
        rates = self.false_match_rate
        if not rates[-1] <= rate <= rates[0]:
            return None
        return float(np.interp(-np.log(rate), -np.log(rates), self.similarity[0]))

    def mean_similarity_at(self, rate: float, counts: NDArray[np.int64]) -> float:
        """Return the similarity that a share of comparisons reaches, meaned over a gallery.

        Between the stated rates it is linear in the logarithm of the rate; outside it is that of
        the nearest stated one.

        Args:
            rate: false match rate, in (0, 1).
            counts: (P,) photos behind each prototype of the gallery, P > 0.
        """
        logs = -np.log(self.false_match_rate)
        found = np.array([np.interp(-np.log(rate), logs, row) for row in self.similarity])
        return float(found[self._rows_of(counts)].mean())

    def _rows_of(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each prototype: that of the largest template not larger."""
        sizes = np.asarray(self.template_photos)
        return np.maximum(np.searchsorted(sizes, counts, side="right") - 1, 0)

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
        people = np.bincount(self._rows_of(counts), minlength=len(self.template_photos))
        logs = np.log(self.false_match_rate)
        scores = similarities.astype(np.float64)
        none = np.zeros(len(scores))
        for row, number in zip(self.similarity, people, strict=True):
            rate = np.exp(np.interp(scores, row, logs))
            none += number * np.log1p(-np.minimum(rate, 1 - 1e-12))
        result: NDArray[np.float64] = -np.expm1(none)
        return result


@dataclass(frozen=True, slots=True)
class GenuineStatistics:
    """How similar photos of one person look to an embedder.

    Attributes:
        measured_on: one sentence on the people and the number of comparisons.
        false_non_match_rate: shares of genuine comparisons, rising.
        template_photos: number of photos that the enrolled template is the mean of, one per row.
        similarity: one row per template size: the cosine similarity that this share of genuine
            comparisons stays below, one per rate.
    """

    measured_on: str
    false_non_match_rate: tuple[float, ...]
    template_photos: tuple[int, ...]
    similarity: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        _check_rates(self.false_non_match_rate)
        _check_rows(self.template_photos, self.similarity, len(self.false_non_match_rate))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` wrote; raises KeyError, TypeError or ValueError."""
        return cls(
            str(fields["measured_on"]),
            tuple(float(rate) for rate in fields["false_non_match_rate"]),
            tuple(int(photos) for photos in fields["template_photos"]),
            tuple(tuple(float(value) for value in row) for row in fields["similarity"]),
        )

    def similarity_at(self, rate: float) -> float | None:
        """Return the similarity that a share of comparisons with one enrolled photo stays below.

        Between the stated rates it is linear in the rate.

        Args:
            rate: false non-match rate, in (0, 1).

        Returns:
            None where the rate lies outside the stated ones: it was not measured.
        """
        return _between(rate, self.false_non_match_rate, self.similarity[0])


@dataclass(frozen=True, slots=True)
class CopyStatistics:
    """How similar a face looks in copies of one photo: resized, saved or cut again, mirrored.

    Attributes:
        measured_on: one sentence on the photos and on what was done to them.
        false_non_match_rate: shares of copies, rising.
        similarity: the cosine similarity that this share of copies stays below, one per rate.
    """

    measured_on: str
    false_non_match_rate: tuple[float, ...]
    similarity: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_rates(self.false_non_match_rate)
        _check_row(self.similarity, len(self.false_non_match_rate))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` wrote; raises KeyError, TypeError or ValueError."""
        return cls(
            str(fields["measured_on"]),
            tuple(float(rate) for rate in fields["false_non_match_rate"]),
            tuple(float(value) for value in fields["similarity"]),
        )

    def similarity_at(self, rate: float) -> float | None:
        """Return the similarity that a share of copies stays below.

        Between the stated rates it is linear in the rate.

        Args:
            rate: false non-match rate, in (0, 1).

        Returns:
            None where the rate lies outside the stated ones: it was not measured.
        """
        return _between(rate, self.false_non_match_rate, self.similarity)


def _check_rates(rates: tuple[float, ...]) -> None:
    """Raise ValueError unless the rates rise and lie between 0 and 1."""
    steps = (0.0, *rates, 1.0)
    if len(steps) < 3 or not all(low < high for low, high in pairwise(steps)):
        raise ValueError("rates must be in order, each between 0 and 1")


def _check_rows(
    template_photos: tuple[int, ...], rows: tuple[tuple[float, ...], ...], rates: int
) -> None:
    """Raise ValueError unless there is one valid row per template size, and the sizes rise."""
    if not template_photos or len(template_photos) != len(rows):
        raise ValueError("there must be one row of similarities per template size")
    if not all(low < high for low, high in pairwise((0, *template_photos, 2**31))):
        raise ValueError("template sizes must rise, each at least 1")
    for row in rows:
        _check_row(row, rates)


def _check_row(row: tuple[float, ...], rates: int) -> None:
    """Raise ValueError unless there is one cosine per rate, and they do not fall."""
    if len(row) != rates or not all(low <= high for low, high in pairwise((-1.0, *row, 1.0))):
        raise ValueError("similarities must rise, one per rate, each between -1 and 1")


def _between(rate: float, rates: tuple[float, ...], row: tuple[float, ...]) -> float | None:
    if not rates[0] <= rate <= rates[-1]:
        return None
    return float(np.interp(rate, rates, row))


@dataclass(frozen=True, slots=True)
class EmbedderStatistics:
    """What is known of an embedder's similarities.

    Attributes:
        impostors: similarities of different people; None if not measured.
        verification: similarity of two photos to the probability that they show one person,
            where pairs of one person and of strangers are equally likely; None if not measured.
        genuine: similarities of photos of one person; None if not measured.
        copies: similarities of copies of one photo; None if not measured.
    """

    impostors: ImpostorStatistics | None = None
    verification: Calibration | None = None
    genuine: GenuineStatistics | None = None
    copies: CopyStatistics | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` wrote; raises KeyError, TypeError or ValueError."""
        if not isinstance(fields, Mapping):
            raise TypeError("statistics are a mapping")
        impostors, verification = fields.get("impostors"), fields.get("verification")
        genuine, copies = fields.get("genuine"), fields.get("copies")
        return cls(
            None if impostors is None else ImpostorStatistics.from_dict(impostors),
            None if verification is None else Calibration(**verification),
            None if genuine is None else GenuineStatistics.from_dict(genuine),
            None if copies is None else CopyStatistics.from_dict(copies),
        )
