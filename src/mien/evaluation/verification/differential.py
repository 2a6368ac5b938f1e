"""For whom is it worse? Error rates of groups of people that the user names, or a refusal to say.

One threshold for all, as in use. A group is compared with everybody else; where it has too few
people for a doubled error rate to be noticed, nothing is concluded and the number needed is told.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.errors import NothingToMeasure
from mien.evaluation.verification.all_pairs import evaluate_all_pairs, kept_pairs, photos_of
from mien.measures import PairScores, point_at_far
from mien.names import name_key
from mien.types import Interval, Progress, silent

EXPECTED = 8.0
"""Errors to expect of a group at everybody's rate, so that twice as many are noticed four times in
five: a Poisson count of 8 against one of 16 at 5 %, (1.645 + 0.84 · sqrt 2)² = 8."""

ROUNDS = 400
"""Resamples of people."""

NO_ERROR_SEEN = 10**9
"""People that a conclusion needs where no error was seen: how rare it is cannot be told."""

_Rate = Callable[[NDArray[np.bool_], NDArray[np.float64]], float]

Verdict = Literal["higher", "lower", "no difference shown", "insufficient data"]


@dataclass(frozen=True, slots=True)
class GroupRate:
    """One error rate of one group.

    Attributes:
        rate: with its interval from resampling people, widened for the number of comparisons;
            the value is nan where nothing was compared.
        others: the same rate of everybody else.
        people: people that it rests on.
        needed: people that a conclusion needs; `NO_ERROR_SEEN` where no error was seen.
        verdict: `higher` or `lower` than everybody else's, or neither.
    """

    rate: Interval
    others: float
    people: int
    needed: int
    verdict: Verdict

    @property
    def error_seen(self) -> bool:
        """Whether anybody was mistaken: else nothing tells how many people are needed."""
        return self.needed < NO_ERROR_SEEN


@dataclass(frozen=True, slots=True)
class Group:
    """A group of people.

    Attributes:
        attribute: column.
        value: in that column.
        people: in the group and the dataset.
        fnmr: false non-match rate: pairs of one of them, refused.
        fmr: false match rate: pairs of two of them, accepted.
    """

    attribute: str
    value: str
    people: int
    fnmr: GroupRate
    fmr: GroupRate


@dataclass(frozen=True, slots=True)
class Differential:
    """Error rates by groups.

    Attributes:
        threshold: similarity, the same for all.
        far: false accept rate over everybody that it gives.
        fnmr: over everybody.
        groups: by attribute and value.
        unknown: people of the dataset that the table does not have.
    """

    threshold: float
    far: float
    fnmr: float
    groups: tuple[Group, ...]
    unknown: int


def read_attributes(path: Path | str) -> dict[str, dict[str, str]]:
    """Read a CSV with a column `person` and any others; return column, then person, to value.

    An empty cell is no value. Raises NothingToMeasure where it is no such table.
    """
    hint = "Its first line must read person,… with a name for each attribute."
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            names = [name for name in reader.fieldnames or () if name]
            person = next((n for n in names if n.strip().lower() == "person"), None)
            if person is None or len(names) < 2:
                raise NothingToMeasure(f"{path}: no columns person and another", hint=hint)
            found: dict[str, dict[str, str]] = {n.strip(): {} for n in names if n != person}
            for row in reader:
                for name in names:
                    value = (row[name] or "").strip()
                    if name != person and value:
                        found[name.strip()][name_key(row[person] or "")] = value
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NothingToMeasure(f"{path}: cannot be read as a table: {error}", hint=hint) from error
    return found


def evaluate_differential(
    dataset: Dataset,
    attributes: Mapping[str, Mapping[str, str]],
    *,
    far: float = 1e-3,
    progress: Progress = silent,
) -> Differential:
    """Compare the error rates of groups at one threshold.

    Args:
        dataset: the photos.
        attributes: column, then `name_key` of a person, to value.
        far: false accept rate over everybody that the threshold is set at.
        progress: told of the comparisons.

    Raises:
        NothingToMeasure: nobody in the table is in the dataset, or there are no pairs.

    Source: P. Grother, M. Ngan and K. Hanaoka, "Face recognition vendor test part 3: demographic
    effects", NISTIR 8280 (2019); of the resampling see `mien.measures.pair_bootstrap`.
    """
    whole = evaluate_all_pairs(dataset, progress=progress)
    point = point_at_far(whole.curve, far)
    photos = photos_of(dataset)
    counts = np.bincount(photos.labels).astype(np.int64)
    pairs = kept_pairs(photos, counts, point.threshold, progress)
    keys = [""] * len(counts)
    for label, name in zip(photos.labels, photos.names, strict=True):
        keys[label] = name_key(name)
    groups = [
        (attribute, value, np.array([table.get(key) == value for key in keys], np.bool_),
         np.array([key in table for key in keys], np.bool_))
        for attribute, table in attributes.items()
        for value in sorted(set(table.values()))
    ]  # fmt: skip
    groups = [group for group in groups if group[2].any()]
    if not groups:
        raise NothingToMeasure(
            "nobody in the table of attributes is in the dataset",
            hint="Its column person must have the names of the dataset's manifest.csv.",
        )
    measured = _Measured(pairs, counts, point.threshold, 2 * len(groups))
    known = {key for table in attributes.values() for key in table}
    return Differential(
        threshold=point.threshold,
        far=point.far,
        fnmr=1 - point.tar,
        groups=tuple(
            Group(attribute, value, int(inside.sum()),
                  measured.fnmr(inside, labelled & ~inside),
                  measured.fmr(inside, labelled & ~inside))
            for attribute, value, inside, labelled in groups
        ),
        unknown=sum(key not in known for key in keys),
    )  # fmt: skip


class _Measured:
    """All comparisons at one threshold, person by person, and resamples of the people."""

    def __init__(
        self,
        pairs: PairScores,
        counts: NDArray[np.int64],
        threshold: float,
        comparisons: int,
    ) -> None:
        people = len(counts)
        refused = (pairs.genuine < threshold).astype(np.float64)
        self._counts = counts.astype(np.float64)
        self._refused = np.bincount(pairs.genuine_person, refused, people)
        self._genuine = self._counts * (self._counts - 1) / 2
        self._accepted = pairs.impostor_people
        # Each comparison of a group may be wrong by chance: together not more than one in twenty.
        self._level = 1 - 0.05 / comparisons
        generator = np.random.default_rng(0)
        self._draws = [np.ones(people)] + [
            np.bincount(generator.integers(0, people, people), minlength=people).astype(float)
            for _ in range(ROUNDS)
        ]

    def fnmr(self, inside: NDArray[np.bool_], others: NDArray[np.bool_]) -> GroupRate:
        """Return the FNMR of a group; a person with photos to compare is one case."""
        compared = self._genuine > 0
        share = float(np.mean(self._refused[compared] > 0))
        needed = ceil(EXPECTED / share) if share > 0 else NO_ERROR_SEEN
        return self._rate(self._fnmr, inside, others, int((inside & compared).sum()), needed)

    def fmr(self, inside: NDArray[np.bool_], others: NDArray[np.bool_]) -> GroupRate:
        """Return the FMR within a group; a pair of its people is one case."""
        people = len(self._counts)
        alike = len(np.unique(self._accepted, axis=0))
        share = alike / (people * (people - 1) / 2)
        needed = ceil(sqrt(2 * EXPECTED / share) + 1) if share > 0 else NO_ERROR_SEEN
        return self._rate(self._fmr, inside, others, int(inside.sum()), needed)

    def _rate(
        self,
        rate: _Rate,
        inside: NDArray[np.bool_],
        others: NDArray[np.bool_],
        people: int,
        needed: int,
    ) -> GroupRate:
        own = np.array([rate(inside, weights) for weights in self._draws])
        rest = np.array([rate(others, weights) for weights in self._draws])
        ends = [(1 - self._level) / 2, (1 + self._level) / 2]
        low, high = np.nanquantile(own, ends) if np.isfinite(own).any() else (0.0, 1.0)
        apart = (own - rest)[np.isfinite(own - rest)]
        verdict: Verdict = "insufficient data"
        if people >= needed and len(apart) > ROUNDS / 2:
            below, above = np.quantile(apart, ends)
            verdict = "higher" if below > 0 else "lower" if above < 0 else "no difference shown"
        interval = Interval(float(own[0]), float(low), float(high), self._level)
        return GroupRate(interval, float(rest[0]), people, needed, verdict)

    def _fnmr(self, inside: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
        chosen = weights * inside
        total = float(chosen @ self._genuine)
        return float(chosen @ self._refused) / total if total > 0 else float("nan")

    def _fmr(self, inside: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
        chosen = weights * inside
        photos = chosen * self._counts
        total = float(photos.sum() ** 2 - photos @ photos) / 2
        if total <= 0:
            return float("nan")
        first, second = self._accepted[:, 0], self._accepted[:, 1]
        return float((chosen[first] * chosen[second]).sum()) / total
