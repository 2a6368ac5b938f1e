"""Merge the photos of several sources: one spelling per person, one label per source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mien.dataset.sources.layout import Item, Survey
from mien.dataset.sources.source import Source
from mien.names import name_key


def make_labels_distinct(sources: Sequence[Source]) -> None:
    """Append numbers to labels that several sources have, so that each label is unique."""
    taken: Counter[str] = Counter()
    for source in sources:
        taken[source.label] += 1
        if taken[source.label] > 1:
            source.label = f"{source.label} {taken[source.label]}"


@dataclass(frozen=True)
class Merged:
    """The photos of all sources, with one spelling for each person.

    Attributes:
        items: photos of all sources, in the order of the sources.
        merged: names of people with photos in two or more sources.
        skipped: number of skipped files, by source label and reason.
    """

    items: tuple[Item, ...]
    merged: tuple[str, ...]
    skipped: dict[str, dict[str, int]]


def merge(surveys: Mapping[str, Survey], *, keep_apart: bool = False) -> Merged:
    """Merge sources: names that are equal by `name_key` are one person.

    Args:
        surveys: by the source's label.
        keep_apart: keep such names apart, and append the source's label to them.
    """
    spellings: dict[str, Counter[str]] = {}
    where: dict[str, set[str]] = {}
    for survey in surveys.values():
        for item in survey.items:
            key = name_key(item.person)
            spellings.setdefault(key, Counter())[item.person] += 1
            where.setdefault(key, set()).add(item.source)
    # The most frequent spelling is used; of equally frequent ones the first in sort order.
    shown = {key: min(names, key=lambda n: (-names[n], n)) for key, names in spellings.items()}
    common = {key for key, labels in where.items() if len(labels) > 1}

    def named(item: Item) -> Item:
        key = name_key(item.person)
        apart = keep_apart and key in common
        return replace(item, person=f"{shown[key]} ({item.source})" if apart else shown[key])

    return Merged(
        items=tuple(named(item) for survey in surveys.values() for item in survey.items),
        merged=() if keep_apart else tuple(sorted(shown[key] for key in common)),
        skipped={label: dict(survey.skipped) for label, survey in surveys.items()},
    )
