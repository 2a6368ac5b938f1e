"""Trials of open-set identification: who is enrolled with which photos, who is searched.

A trial names rows of a dataset. Draws depend on the photos alone: neither their order nor what
people are called changes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset
from mien.errors import NothingToMeasure
from mien.evaluation.open_set.lfw_people import LfwPerson
from mien.text import count

DRAWS = 10
"""How often people and photos are drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One draw. Rows are of the dataset's arrays; P people are enrolled.

    Attributes:
        enrolled: (E,) int64 rows of the photos that templates are made of.
        enrolled_as: (E,) int64 in [0, P), whose template each is part of.
        probes: (N,) int64 rows of enrolled people's other photos.
        mates: (N,) int64 in [0, P), whose they are.
        strangers: (S,) int64 rows of people who are not enrolled.
        development: (S,) bool, strangers that a threshold may be chosen on; nothing is measured on
            them. Where it is None, the strangers' halves take turns.
    """

    enrolled: NDArray[np.int64]
    enrolled_as: NDArray[np.int64]
    probes: NDArray[np.int64]
    mates: NDArray[np.int64]
    strangers: NDArray[np.int64]
    development: NDArray[np.bool_] | None = None


def people_rows(dataset: Dataset, *, every: bool = False) -> list[NDArray[np.int64]]:
    """Return each person's rows: photos by their bytes, people by their first photo.

    Args:
        dataset: whose.
        every: also photos that were set aside; mirrored copies that leak never are.
    """
    own: dict[int, list[int]] = {}
    for row, entry in enumerate(dataset.rows):
        if (every or entry.used) and not entry.leak:
            own.setdefault(int(dataset.labels[row]), []).append(row)
    keys = [_key(dataset, row) for row in range(len(dataset.rows))]
    people = [sorted(rows, key=keys.__getitem__) for rows in own.values()]
    people.sort(key=lambda rows: keys[rows[0]])
    return [np.array(rows, np.int64) for rows in people]


def lfw_rows(dataset: Dataset, people: Sequence[LfwPerson]) -> list[NDArray[np.int64]]:
    """Return the rows of each person of LFW, photo by photo, in the order of its list.

    Raises:
        NothingToMeasure: the dataset lacks photos of the list.
    """
    place = {
        entry.photo.rsplit("/", 1)[-1]: row
        for row, entry in enumerate(dataset.rows)
        if not entry.leak
    }
    lost = [name for person in people for name in person.files if name not in place]
    if lost:
        raise NothingToMeasure(
            f"the dataset lacks {len(lost):,} of LFW's photos, the first is {lost[0]}",
            hint="Build it from the whole of LFW: mien dataset build lfw -o DATASET",
        )
    return [np.array([place[name] for name in person.files], np.int64) for person in people]


def by_size(
    people: Sequence[NDArray[np.int64]], sizes: Sequence[int], *, draws: int = DRAWS, seed: int = 0
) -> Iterator[tuple[int, Draw]]:
    """Yield, for each draw and template size, the same people and probes enrolled with more photos.

    Enrolled are all who have one photo more than the largest template; their probes are the
    photos that no template of the draw has. All others are strangers.

    Raises:
        NothingToMeasure: nobody has photos enough, or there are no two strangers: a threshold
            is chosen on one of them and measured on the other.
    """
    most = max(sizes)
    known = [rows for rows in people if len(rows) > most]
    others = [rows for rows in people if len(rows) <= most]
    if not known or len(others) < 2:
        raise NothingToMeasure(
            f"people with more than {count(most, 'photo')}: {len(known):,}, others:"
            f" {len(others):,}; one of the former and two of the latter are needed",
            hint="Ask for smaller templates with --sizes, or give a dataset with more people.",
        )
    strangers = np.concatenate(others)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        orders = [generator.permutation(rows) for rows in known]
        for size in sizes:
            yield size, _draw([(own[:size], own[most:]) for own in orders], strangers)


def by_gallery(
    people: Sequence[NDArray[np.int64]],
    galleries: Sequence[int],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Iterator[tuple[int, Draw]]:
    """Yield, for each draw and number of people, a gallery of them enrolled with one photo each.

    They are drawn from those with two photos or more; who have one are strangers to every
    gallery. A larger gallery holds the smaller ones of its draw.

    Raises:
        NothingToMeasure: nobody has two photos, fewer than two people have one, or no gallery
            is as small as the people there are.
    """
    known = [rows for rows in people if len(rows) > 1]
    others = [rows for rows in people if len(rows) == 1]
    if len(known) < min(galleries) or len(others) < 2:
        raise NothingToMeasure(
            f"people with several photos: {len(known):,}, with one: {len(others):,};"
            f" {min(galleries):,} of the former and two of the latter are needed",
            hint="Ask for smaller galleries with --galleries, or give a dataset with more people.",
        )
    strangers = np.concatenate(others)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        order = generator.permutation(len(known))
        photos = [generator.permutation(known[person]) for person in order]
        for size in galleries:
            if size <= len(known):
                yield size, _draw([(own[:1], own[1:]) for own in photos[:size]], strangers)


def blufr(
    people: Sequence[NDArray[np.int64]], *, draws: int = DRAWS, seed: int = 0
) -> Iterator[Draw]:
    """Yield trials by the rules of BLUFR, drawn anew: its own lists are not part of LFW.

    Of LFW's 5,749 people 1,500 are for training; here they are the development strangers. Of the
    other 4,249, 1,000 of those with two photos or more are enrolled with one photo, their other
    photos are the probes (4,350 on average), and all photos of the other 3,249 are strangers.

    Raises:
        NothingToMeasure: people are too few.

    Source: S. Liao, Z. Lei, D. Yi and S. Z. Li, "A benchmark study of large-scale unconstrained
    face recognition", IJCB 2014.
    """
    training, enrolled = 1500, 1000
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        order = generator.permutation(len(people))
        test = [people[person] for person in order[training:]]
        several = [i for i, rows in enumerate(test) if len(rows) > 1]
        _enough(len(several), enrolled)
        chosen = set(generator.permutation(several)[:enrolled].tolist())
        photos = [generator.permutation(test[i]) for i in sorted(chosen)]
        others = [rows for i, rows in enumerate(test) if i not in chosen]
        apart = [people[person] for person in order[:training]]
        yield _draw(
            [(own[:1], own[1:]) for own in photos],
            np.concatenate([*apart, *others]),
            sum(map(len, apart)),
        )


def best_rowden(
    people: Sequence[NDArray[np.int64]], *, draws: int = DRAWS, seed: int = 0
) -> Iterator[Draw]:
    """Yield trials of the sizes that Best-Rowden et al. used on LFW.

    596 people with two photos or more are enrolled with one; their other photos are probes, and
    every photo of everybody else is a stranger (theirs: 3,143 and 9,494 of the 13,233). Theirs
    were the people who are in YouTube Faces too, which LFW's list does not say: here they are
    drawn.

    Raises:
        NothingToMeasure: people are too few.

    Source: L. Best-Rowden, H. Han, C. Otto, B. Klare and A. K. Jain, "Unconstrained face
    recognition: identifying a person of interest from a media collection", IEEE TIFS 9 (2014);
    MSU-CSE-14-1.
    """
    enrolled = 596
    several = [i for i, rows in enumerate(people) if len(rows) > 1]
    _enough(len(several), enrolled)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        chosen = set(generator.permutation(several)[:enrolled].tolist())
        photos = [generator.permutation(people[i]) for i in sorted(chosen)]
        others = [rows for i, rows in enumerate(people) if i not in chosen]
        yield _draw([(own[:1], own[1:]) for own in photos], np.concatenate(others))


def _enough(there: int, wanted: int) -> None:
    if there < wanted:
        raise NothingToMeasure(
            f"the protocol enrols {wanted:,} people with several photos; there: {there:,}",
            hint="It is made for the whole of LFW.",
        )


def _draw(
    photos: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    strangers: NDArray[np.int64],
    development: int | None = None,
) -> Draw:
    """Make a trial of each person's enrolled and probe rows, the first strangers to develop on."""
    enrolled, probes = zip(*photos, strict=True)
    return Draw(
        enrolled=np.concatenate(enrolled),
        enrolled_as=np.repeat(np.arange(len(photos)), [len(rows) for rows in enrolled]),
        probes=np.concatenate(probes),
        mates=np.repeat(np.arange(len(photos)), [len(rows) for rows in probes]),
        strangers=strangers,
        development=None if development is None else np.arange(len(strangers)) < development,
    )


def _key(dataset: Dataset, row: int) -> str:
    entry = dataset.rows[row]
    return sha256(f"{entry.sha256 or entry.id}|{entry.face}".encode("utf-8", "replace")).hexdigest()
