"""Random draws for open-set identification: enrolled photos, probes and strangers.

A draw lists rows of a dataset. It depends on the photos only, not on their order or on names.
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
"""Number of random draws of people and photos."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One draw, as rows of the dataset's arrays; P people are enrolled.

    Attributes:
        enrolled: (E,) int64, rows of the photos that templates are made of.
        enrolled_as: (E,) int64 in [0, P), template that each photo is part of.
        probes: (N,) int64, rows of other photos of enrolled people.
        mates: (N,) int64 in [0, P), template of each probe's person.
        strangers: (S,) int64, rows of people who are not enrolled.
        development: (S,) bool, strangers that thresholds are chosen on and nothing is measured on;
            None if the two halves of the strangers serve for either in turn.
    """

    enrolled: NDArray[np.int64]
    enrolled_as: NDArray[np.int64]
    probes: NDArray[np.int64]
    mates: NDArray[np.int64]
    strangers: NDArray[np.int64]
    development: NDArray[np.bool_] | None = None


def people_rows(dataset: Dataset, *, include_set_aside: bool = False) -> list[NDArray[np.int64]]:
    """Return the rows of each person; photos are sorted by digest, people by their first photo.

    Args:
        dataset: the photos.
        include_set_aside: also use photos that were set aside; mirrored copies are always left
            out.
    """
    own: dict[int, list[int]] = {}
    for row, entry in enumerate(dataset.rows):
        if (include_set_aside or entry.used) and not entry.leak:
            own.setdefault(int(dataset.labels[row]), []).append(row)
    keys = [_key(dataset, row) for row in range(len(dataset.rows))]
    people = [sorted(rows, key=keys.__getitem__) for rows in own.values()]
    people.sort(key=lambda rows: keys[rows[0]])
    return [np.array(rows, np.int64) for rows in people]


def lfw_rows(dataset: Dataset, people: Sequence[LfwPerson]) -> list[NDArray[np.int64]]:
    """Return the rows of each person of LFW, in the order of LFW's list.

    Raises:
        NothingToMeasure: the dataset lacks photos of the list.
    """
    row_of = {
        entry.photo.rsplit("/", 1)[-1]: row
        for row, entry in enumerate(dataset.rows)
        if not entry.leak
    }
    missing = [name for person in people for name in person.files if name not in row_of]
    if missing:
        raise NothingToMeasure(
            f"the dataset lacks {len(missing):,} of LFW's photos, the first is {missing[0]}",
            hint='Build it from the whole of LFW: mien.build_dataset("lfw", ...).',
            code="dataset-lacks-lfw-photos",
        )
    return [np.array([row_of[name] for name in person.files], np.int64) for person in people]


def by_size(
    people: Sequence[NDArray[np.int64]], sizes: Sequence[int], *, draws: int = DRAWS, seed: int = 0
) -> Iterator[tuple[int, Draw]]:
    """Yield one draw per repetition and template size; all sizes share people and probes.

    Everyone with more photos than the largest template is enrolled; their probes are the photos
    that are in no template. All other people are strangers.

    Raises:
        NothingToMeasure: no person has enough photos, or there are fewer than two strangers: the
            threshold is chosen on one and measured on the other.
    """
    largest = max(sizes)
    known = [rows for rows in people if len(rows) > largest]
    others = [rows for rows in people if len(rows) <= largest]
    if not known or len(others) < 2:
        raise NothingToMeasure(
            f"people with more than {count(largest, 'photo')}: {len(known):,}, others:"
            f" {len(others):,}; one of the former and two of the latter are needed",
            hint="Ask for smaller templates, or give a dataset with more people.",
            code="templates-too-large",
        )
    strangers = np.concatenate(others)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        orders = [generator.permutation(rows) for rows in known]
        for size in sizes:
            yield size, _draw([(own[:size], own[largest:]) for own in orders], strangers)


def by_gallery(
    people: Sequence[NDArray[np.int64]],
    galleries: Sequence[int],
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Iterator[tuple[int, Draw]]:
    """Yield one draw per repetition and gallery size, with one enrolled photo per person.

    People with two or more photos are enrolled; people with one photo are the strangers. Within a
    repetition, larger galleries contain the smaller ones.

    Raises:
        NothingToMeasure: there are fewer people with two photos than the smallest gallery has, or
            fewer than two people with one photo.
    """
    known = [rows for rows in people if len(rows) > 1]
    others = [rows for rows in people if len(rows) == 1]
    if len(known) < min(galleries) or len(others) < 2:
        raise NothingToMeasure(
            f"people with several photos: {len(known):,}, with one: {len(others):,};"
            f" {min(galleries):,} of the former and two of the latter are needed",
            hint="Ask for smaller galleries, or give a dataset with more people.",
            code="galleries-too-large",
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
    """Yield draws by the rules of BLUFR; its published lists are not part of LFW.

    Of LFW's 5,749 people, 1,500 are the training people of the protocol; here thresholds are chosen
    on them. Of the other 4,249, 1,000 people with two or more photos are enrolled with one photo;
    their other photos are the probes (4,350 on average). All photos of the remaining 3,249 people
    are strangers.

    Raises:
        NothingToMeasure: there are too few people.

    Source: S. Liao, Z. Lei, D. Yi and S. Z. Li, "A benchmark study of large-scale unconstrained
    face recognition", IJCB 2014.
    """
    training, enrolled = 1500, 1000
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        order = generator.permutation(len(people))
        test = [people[person] for person in order[training:]]
        several = [i for i, rows in enumerate(test) if len(rows) > 1]
        _check_enough(len(several), enrolled)
        chosen = set(generator.permutation(several)[:enrolled].tolist())
        photos = [generator.permutation(test[i]) for i in sorted(chosen)]
        others = [rows for i, rows in enumerate(test) if i not in chosen]
        development = [people[person] for person in order[:training]]
        yield _draw(
            [(own[:1], own[1:]) for own in photos],
            np.concatenate([*development, *others]),
            sum(map(len, development)),
        )


def best_rowden(
    people: Sequence[NDArray[np.int64]], *, draws: int = DRAWS, seed: int = 0
) -> Iterator[Draw]:
    """Yield draws of the sizes that Best-Rowden et al. used on LFW.

    596 people with two or more photos are enrolled with one; their other photos are the probes, and
    all photos of all other people are strangers (in the paper: 3,143 and 9,494 of the 13,233). The
    paper enrols the people who are also in YouTube Faces; LFW's list does not mark them, so here
    they are drawn at random.

    Raises:
        NothingToMeasure: there are too few people.

    Source: L. Best-Rowden, H. Han, C. Otto, B. Klare and A. K. Jain, "Unconstrained face
    recognition: identifying a person of interest from a media collection", IEEE TIFS 9 (2014);
    MSU-CSE-14-1.
    """
    enrolled = 596
    several = [i for i, rows in enumerate(people) if len(rows) > 1]
    _check_enough(len(several), enrolled)
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        chosen = set(generator.permutation(several)[:enrolled].tolist())
        photos = [generator.permutation(people[i]) for i in sorted(chosen)]
        others = [rows for i, rows in enumerate(people) if i not in chosen]
        yield _draw([(own[:1], own[1:]) for own in photos], np.concatenate(others))


def _check_enough(found: int, needed: int) -> None:
    if found < needed:
        raise NothingToMeasure(
            f"the protocol enrols {needed:,} people with several photos, the dataset has {found:,}",
            hint="It is defined for all of LFW.",
        )


def _draw(
    photos: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]],
    strangers: NDArray[np.int64],
    development: int | None = None,
) -> Draw:
    """Return a draw; the first `development` strangers are those thresholds are chosen on."""
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
