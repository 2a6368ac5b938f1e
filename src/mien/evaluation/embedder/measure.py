"""Measure what the similarities of an embedder mean, for its card."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.dataset import Dataset, Entry
from mien.dataset.audit.stored_faces import thumbs_of
from mien.dataset.cleaning.duplicates import SAME_CROP
from mien.dataset.storage.dataset_argument import DatasetOrPath, open_dataset
from mien.engine import Engine
from mien.errors import NothingToMeasure, TooFewPeople
from mien.evaluation.embedder.copies import EDITS, edited_copies
from mien.evaluation.embedder.template_scores import (
    Genuine,
    Impostors,
    PhotosByPerson,
    below,
    below_intervals,
    genuine,
    impostors,
    reached,
    reached_intervals,
)
from mien.models.statistics import (
    CopyStatistics,
    EmbedderStatistics,
    GenuineStatistics,
    ImpostorStatistics,
)
from mien.policy import fit_calibration
from mien.policy.similarity_limits import CleaningLimits
from mien.text import Notice, count
from mien.types import Calibration, Interval, Progress, silent

FALSE_MATCH_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
FALSE_NON_MATCH_RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
COPY_RATES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
TEMPLATES = (1, 3, 5)
"""Numbers of photos that a template is the mean of."""

FEWEST = {"impostors": 10, "genuine": 3}
"""A rate that fewer comparisons with one photo than these stand for is left out of the card; for
larger templates one comparison is enough."""

LEAST_PEOPLE, LEAST_SEVERAL = 100, 50
"""What a measurement needs: people, and people with two photos or more."""

_NEEDED = {"impostors": 1e-3, "genuine": 0.02}
"""Rates without which cleaning cannot be calibrated."""

_COPIED = 500
_BATCH = 64
_STRANGERS = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class EmbedderMeasurement:
    """Statistics of an embedder, and what they were measured on.

    Attributes:
        embedder: id of its card.
        contract: id of its embeddings.
        statistics: for the card.
        measured_on: one sentence on the dataset.
        people: number of people compared.
        photos: number of their photos.
        comparisons: number of `impostors`, `genuine` (both with templates of one photo) and
            `copies`.
        intervals: of the similarities of those comparisons, in the order of their tables:
            `impostors` and `genuine` from redrawing people, `copies` from redrawing photos.
        warnings: what limits the statistics; empty where nothing does.
    """

    embedder: str
    contract: str
    statistics: EmbedderStatistics
    measured_on: str
    people: int
    photos: int
    comparisons: Mapping[str, int]
    intervals: Mapping[str, tuple[Interval, ...]]
    warnings: tuple[Notice, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "embedder": self.embedder,
            "contract": self.contract,
            **self.statistics.to_dict(),
            "measured_on": self.measured_on,
            "people": self.people,
            "photos": self.photos,
            "comparisons": dict(self.comparisons),
            "intervals": {
                name: [[found.low, found.high] for found in row]
                for name, row in self.intervals.items()
            },
            "warnings": [notice.text for notice in self.warnings],
        }


def measure_embedder(
    dataset: DatasetOrPath, engine: Engine, *, seed: int = 0, progress: Progress = silent
) -> EmbedderMeasurement:
    """Measure the similarity statistics of an embedder on a dataset.

    Only photos in use are compared, so that near copies do not count as genuine comparisons; nor
    do people who may be in the dataset under two names. A probe is one crop, up to three per
    person; a template is the mean of 1, 3 or 5 other photos, crop and mirrored crop alike. Where
    the dataset was made with another embedder, its crops are embedded again.

    Args:
        dataset: people with several photos, and their crops; or its folder.
        engine: over the embedder.
        seed: of everything drawn at random.
        progress: called with the steps done.

    Raises:
        TooFewPeople: too few people, or too few with two photos, for the rates that are needed.
        NothingToMeasure: the dataset has too few crops.
        NotADataset: the folder holds no dataset.
    """
    dataset = open_dataset(dataset)
    generator = np.random.default_rng(seed)
    entries = _compared(dataset, progress)
    faces, mirrored = _embeddings(dataset, engine, entries, progress)
    names, labels = np.unique([entry.person for entry in entries], return_inverse=True)
    photos = PhotosByPerson.of(faces, mirrored, labels.astype(np.int64), generator)
    strangers = _of_impostors(photos, generator, progress)
    own = _of_genuine(photos, generator)
    where = f"{dataset.path.resolve().name}, {count(len(names), 'person', 'people')}"
    impostor, same = _impostor_table(strangers, where), _genuine_table(own, where)
    copies = _of_copies(dataset, engine, entries, (faces, mirrored), generator, progress)
    statistics = EmbedderStatistics(
        impostors=impostor,
        genuine=same,
        copies=_copy_table(copies, where),
        verification=_verification(photos, generator),
    )
    return EmbedderMeasurement(
        embedder=engine.embedder_card.id,
        contract=engine.contract,
        statistics=statistics,
        measured_on=f"{where}.",
        people=len(names),
        photos=len(entries),
        comparisons={
            "impostors": strangers[1].total,
            "genuine": len(own[1].scores),
            "copies": len(copies.scores),
        },
        intervals={
            "impostors": reached_intervals(strangers[1], impostor.false_match_rate, generator),
            "genuine": below_intervals(own[1], same.false_non_match_rate, generator),
            "copies": below_intervals(copies, COPY_RATES, generator),
        },
        warnings=_warnings(dataset, statistics),
    )


def _compared(dataset: Dataset, progress: Progress) -> list[Entry]:
    """Return the entries to compare: in use, of people of one name, no picture twice.

    Raises:
        TooFewPeople: too few people, or too few with two photos.
    """
    doubled = {name for pair in dataset.card.get("same_person", ()) for name in pair["people"]}
    entries = [e for e in dataset.rows if e.used and not e.leak and e.person not in doubled]
    if not _cleaned(dataset):
        entries = _without_copies(dataset, entries, progress)
    photos = Counter(entry.person for entry in entries)
    several = sum(number > 1 for number in photos.values())
    if len(photos) < LEAST_PEOPLE or several < LEAST_SEVERAL:
        raise TooFewPeople(
            f"{dataset.path}: {count(len(photos), 'person', 'people')}, {several} of them with two "
            f"photos or more; at least {LEAST_PEOPLE} and {LEAST_SEVERAL} are needed",
            hint="Measure on a larger dataset, such as Labeled Faces in the Wild.",
        )
    return entries


def _cleaned(dataset: Dataset) -> bool:
    return bool(dataset.card.get("cleaning", {"by_similarity": True})["by_similarity"])


def _without_copies(dataset: Dataset, entries: Sequence[Entry], progress: Progress) -> list[Entry]:
    """Leave out photos whose crop is that of another of the person, by the pictures alone."""
    thumbs = thumbs_of(dataset, progress=progress).crops
    kept: list[Entry] = []
    seen: dict[str, list[NDArray[np.float64]]] = defaultdict(list)
    for entry in entries:
        picture = thumbs[entry.row].astype(np.float64)
        picture -= picture.mean()
        picture /= max(float(np.linalg.norm(picture)), 1e-6)
        pairs = product((picture, picture[:, ::-1]), seen[entry.person])
        if all(np.sum(view * other) < SAME_CROP for view, other in pairs):
            seen[entry.person].append(picture)
            kept.append(entry)
    return kept


def _embeddings(
    dataset: Dataset, engine: Engine, entries: Sequence[Entry], progress: Progress
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (N, D) embeddings of the entries' crops and of their mirror images."""
    if dataset.contract == engine.contract:
        rows = [entry.row for entry in entries]
        return dataset.embeddings[rows], dataset.mirrored[rows]
    found: list[NDArray[np.float32]] = []
    for start in range(0, len(entries), _BATCH):
        crops = np.stack([_crop(dataset, e) for e in entries[start : start + _BATCH]])
        found.append(engine.embed(np.concatenate([crops, crops[:, :, ::-1]])).vectors)
        progress(min(start + _BATCH, len(entries)), len(entries), "crops embedded")
    halves = [np.split(vectors, 2) for vectors in found]
    return np.concatenate([a for a, _ in halves]), np.concatenate([b for _, b in halves])


def _crop(dataset: Dataset, entry: Entry) -> NDArray[np.uint8]:
    pixels = dataset.crop(entry)
    if pixels is None:
        raise NothingToMeasure(
            f"{dataset.path}: the crop of {entry.photo} is missing",
            hint="Build it again from the same sources: that writes the crops.",
            code="dataset-crops-missing",
        )
    return pixels


def _of_impostors(
    photos: PhotosByPerson, generator: np.random.Generator, progress: Progress
) -> dict[int, Impostors]:
    """Return the comparisons by size of the template, as far as they give the same rates."""
    found: dict[int, Impostors] = {}
    for size in TEMPLATES:
        if np.sum(photos.counts >= size) < LEAST_SEVERAL:
            break
        counted = impostors(photos, size, generator, progress)
        # Only single photos get intervals, for which each person is counted apart.
        found[size] = counted if size == TEMPLATES[0] else counted.together()
    return found


def _of_genuine(photos: PhotosByPerson, generator: np.random.Generator) -> dict[int, Genuine]:
    found: dict[int, Genuine] = {}
    for size in TEMPLATES:
        if np.sum(photos.counts > size) < LEAST_SEVERAL:
            break
        found[size] = genuine(photos, size, generator)
    return found


def _of_copies(
    dataset: Dataset,
    engine: Engine,
    entries: Sequence[Entry],
    vectors: tuple[NDArray[np.float32], NDArray[np.float32]],
    generator: np.random.Generator,
    progress: Progress,
) -> Genuine:
    """Return the similarities of some crops to copies of them, the better of the two views."""
    chosen = np.sort(generator.permutation(len(entries))[:_COPIED])
    scores = []
    for done, place in enumerate(chosen.tolist()):
        crop = _crop(dataset, entries[place])
        copies = engine.embed(np.stack(edited_copies(crop, generator))).vectors
        views = np.stack([vectors[0][place], vectors[1][place]])
        scores.append((copies @ views.T).max(axis=1).astype(np.float64))
        progress(done + 1, len(chosen), "photos copied")
    people = np.repeat(np.arange(len(chosen)), len(EDITS))
    return Genuine(np.concatenate(scores), people, np.ones(len(people)))


def _supported(kind: str, rates: Sequence[float], total: int) -> tuple[float, ...]:
    """Return the rates that enough comparisons stand for.

    Raises:
        TooFewPeople: the rates that cleaning needs are not among them.
    """
    found = tuple(rate for rate in rates if rate * total >= FEWEST[kind])
    if _NEEDED[kind] not in found:
        needed = round(FEWEST[kind] / _NEEDED[kind])
        raise TooFewPeople(
            f"{total:,} {kind} comparisons are too few: {needed:,} are needed",
            hint="Measure on a larger dataset, such as Labeled Faces in the Wild.",
        )
    return found


def _impostor_table(found: Mapping[int, Impostors], where: str) -> ImpostorStatistics:
    rates = _supported("impostors", FALSE_MATCH_RATES, found[1].total)
    rows = {
        size: _row(reached(scores.counts.sum(axis=0), rates))
        for size, scores in found.items()
        if rates[-1] * scores.total >= 1
    }
    text = _counted(where, {size: found[size].total for size in rows})
    return ImpostorStatistics(text, rates, tuple(rows), tuple(rows.values()))


def _genuine_table(found: Mapping[int, Genuine], where: str) -> GenuineStatistics:
    rates = _supported("genuine", FALSE_NON_MATCH_RATES, len(found[1].scores))
    rows = {
        size: _row(below(scores, rates))
        for size, scores in found.items()
        if rates[0] * len(scores.scores) >= 1
    }
    text = _counted(where, {size: len(found[size].scores) for size in rows})
    return GenuineStatistics(text, rates, tuple(rows), tuple(rows.values()))


def _copy_table(copies: Genuine, where: str) -> CopyStatistics:
    text = f"{where}: {count(len(copies.scores), 'copy', 'copies')}: {', '.join(EDITS)}."
    return CopyStatistics(text, COPY_RATES, _row(below(copies, COPY_RATES)))


def _counted(where: str, totals: Mapping[int, int]) -> str:
    numbers = " / ".join(f"{total:,}" for total in totals.values())
    sizes = " / ".join(str(size) for size in totals)
    return f"{where}: {numbers} comparisons with templates of {sizes} photos."


def _row(similarities: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(similarity), 4) for similarity in similarities)


def _verification(photos: PhotosByPerson, generator: np.random.Generator) -> Calibration:
    """Fit one pair of photos of each person against pairs of two people, equally weighted."""
    first = photos.starts[:-1][photos.counts > 1]
    same = np.sum(photos.faces[first] * photos.faces[first + 1], axis=1)
    one, other = generator.integers(0, len(photos.counts), (2, _STRANGERS))
    apart = one != other
    one, other = photos.starts[one[apart]], photos.starts[other[apart]]
    strangers = np.sum(photos.faces[one] * photos.faces[other], axis=1)
    return fit_calibration(
        same,
        np.ones(len(same), np.bool_),
        strangers,
        np.ones(len(strangers)),
        threshold=float(np.median(same) + np.median(strangers)) / 2,
        typical_slope=None,
    ).calibration


def _warnings(dataset: Dataset, statistics: EmbedderStatistics) -> tuple[Notice, ...]:
    found = []
    if not _cleaned(dataset):
        found.append(
            Notice(
                "dataset-not-cleaned",
                "The dataset was not cleaned by similarity: wrong labels in it count as genuine, "
                "people under two names as impostors. Build it with a calibrated embedder first.",
            )
        )
    if CleaningLimits.of(statistics) is None:
        found.append(
            Notice(
                "people-not-distinguished",
                "The embedder does not tell people apart: the median genuine similarity is not "
                "above that of one impostor comparison in ten. Cleaning by similarity stays off.",
            )
        )
    return tuple(found)
