"""Error rates by demographic group, with a refusal to conclude from too few people.

All groups share one threshold, as in use. Each group is compared with all other people. If a group
has too few people to detect a doubled error rate, the result is "insufficient data", with the
number of people needed.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.dataset.storage.cells import from_cell
from mien.dataset.storage.dataset_argument import DatasetOrPath, open_dataset
from mien.errors import NothingToMeasure
from mien.evaluation.result_parts import ends, html_table, number_or_none
from mien.evaluation.verification.all_pairs import evaluate_all_pairs, kept_pairs, photos_of
from mien.measures import PairScores, point_at_far
from mien.names import name_key
from mien.text import count, percent
from mien.types import Interval, Progress, silent

EXPECTED = 8.0
"""Expected errors of a group, at the overall rate, needed to detect a doubled rate with a power of
80 % at the 5 % level: a Poisson count of 8 against one of 16, (1.645 + 0.84 · sqrt 2)² = 8."""

ROUNDS = 400
"""Number of resamples of people."""

NO_ERROR_SEEN = 10**9
"""Value of `GroupRate.needed` if no error was seen, so that the number needed is unknown."""

_Rate = Callable[[NDArray[np.bool_], NDArray[np.float64]], float]

Verdict = Literal["higher", "lower", "no difference shown", "insufficient data"]


@dataclass(frozen=True, slots=True)
class GroupRate:
    """One error rate of one group.

    Attributes:
        rate: with an interval from resampling people, widened for the number of comparisons;
            the value is nan if nothing was compared.
        others: the same rate of all other people.
        people: number of people that the rate is measured on.
        needed: number of people needed for a conclusion; `NO_ERROR_SEEN` if no error was seen.
        verdict: whether the rate is higher or lower than that of all other people.
    """

    rate: Interval
    others: float
    people: int
    needed: int
    verdict: Verdict

    @property
    def error_seen(self) -> bool:
        """Whether there was any error; without one, the number of people needed is unknown."""
        return self.needed < NO_ERROR_SEEN

    @property
    def conclusion(self) -> str:
        """The verdict in words, with the number of people needed if the data are insufficient."""
        if self.verdict != "insufficient data":
            return self.verdict
        if not self.error_seen:
            return "insufficient data: no error seen"
        return f"insufficient data: {self.people:,} of {self.needed:,} people"

    def cells(self) -> tuple[str, str, str, str]:
        """Return rate, interval, rate of the others and conclusion; "-" if nothing was compared."""
        value, low, high = self.rate.value, self.rate.low, self.rate.high
        own = (f"{value:.2g}", f"{low:.2g} to {high:.2g}") if isfinite(value) else ("-", "-")
        others = f"{self.others:.2g}" if isfinite(self.others) else "-"
        return *own, others, self.conclusion

    def to_dict(self) -> dict[str, Any]:
        """Return the rate as JSON values, None if nothing was compared."""
        return {
            "rate": number_or_none(self.rate.value),
            "interval": ends(self.rate),
            "level": self.rate.level,
            "others": number_or_none(self.others),
            "people": self.people,
            "people_needed": self.needed if self.error_seen else None,
            "conclusion": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """A group of people.

    Attributes:
        attribute: name of the column.
        value: the group's value in that column.
        people: number of people in the group and the dataset.
        fnmr: false non-match rate: share of pairs of one person of the group that are rejected.
        fmr: false match rate: share of pairs of two people of the group that are accepted.
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
        threshold: similarity threshold, the same for all groups.
        far: false accept rate over all people at the threshold.
        fnmr: false non-match rate over all people at the threshold.
        groups: by attribute and value.
        unknown: number of people of the dataset that are not in the table.
    """

    threshold: float
    far: float
    fnmr: float
    groups: tuple[Group, ...]
    unknown: int

    def to_dict(self) -> dict[str, Any]:
        """Return what `mien evaluate differential --json` prints; rates lie in [0, 1]."""
        return {
            "threshold": self.threshold,
            "far": self.far,
            "fnmr": self.fnmr,
            "people_not_in_table": self.unknown,
            "groups": [
                {
                    "attribute": group.attribute,
                    "value": group.value,
                    "people": group.people,
                    "fnmr": group.fnmr.to_dict(),
                    "fmr": group.fmr.to_dict(),
                }
                for group in self.groups
            ],
        }

    def __repr__(self) -> str:
        groups = count(len(self.groups), "group")
        return f"<Differential {groups}, FMR {self.far:.2g}, FNMR {percent(self.fnmr)}>"

    def _repr_html_(self) -> str:
        rows = [
            (f"{group.attribute}: {group.value}", f"{group.people:,}", name, *rate.cells())
            for group in self.groups
            for name, rate in (("FNMR", group.fnmr), ("FMR", group.fmr))
        ]
        title = f"Error rates by group at similarity {self.threshold:.4f}"
        columns = ("group", "people", "", "rate", "interval", "others", "conclusion")
        return html_table(title, columns, rows)


def read_attributes(path: Path | str) -> dict[str, dict[str, str]]:
    """Read a CSV table of attributes: a column `person` and at least one other column.

    Returns:
        Column name to a map from `name_key` of the person to the value. Empty cells are left out.

    Raises:
        NothingToMeasure: the file cannot be read, or lacks these columns.
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
                        found[name.strip()][name_key(from_cell(row[person] or ""))] = value
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NothingToMeasure(f"{path}: cannot be read as a table: {error}", hint=hint) from error
    return found


def evaluate_differential(
    dataset: DatasetOrPath,
    attributes: Mapping[str, Mapping[str, str]],
    *,
    far: float = 1e-3,
    progress: Progress = silent,
) -> Differential:
    """Compare the error rates of groups at one threshold: `mien evaluate differential`.

    Args:
        dataset: the photos: a dataset, or its folder.
        attributes: from `read_attributes`.
        far: false accept rate over all people that sets the threshold.
        progress: called after each block of comparisons.

    Raises:
        NotADataset: the folder holds no dataset.
        NothingToMeasure: no person of the table is in the dataset, or there are no pairs.

    Source: P. Grother, M. Ngan and K. Hanaoka, "Face recognition vendor test part 3: demographic
    effects", NISTIR 8280 (2019). For the resampling see `mien.measures.pair_bootstrap`.
    """
    dataset = open_dataset(dataset)
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
            "no person in the table of attributes is in the dataset",
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
    """Error counts per person at one threshold, and resamples of the people."""

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
        # Bonferroni: the probability of any wrong conclusion by chance is at most 5 %.
        self._level = 1 - 0.05 / comparisons
        generator = np.random.default_rng(0)
        self._draws = [np.ones(people)] + [
            np.bincount(generator.integers(0, people, people), minlength=people).astype(float)
            for _ in range(ROUNDS)
        ]

    def fnmr(self, inside: NDArray[np.bool_], others: NDArray[np.bool_]) -> GroupRate:
        """Return the FNMR of a group; the sample size is people with two or more photos."""
        compared = self._genuine > 0
        share = float(np.mean(self._refused[compared] > 0))
        needed = ceil(EXPECTED / share) if share > 0 else NO_ERROR_SEEN
        return self._rate(self._fnmr, inside, others, int((inside & compared).sum()), needed)

    def fmr(self, inside: NDArray[np.bool_], others: NDArray[np.bool_]) -> GroupRate:
        """Return the FMR within a group; the sample size is pairs of its people."""
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
