"""Turn extracted faces into entries: choose the person's face, set doubtful ones aside, split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import index

import numpy as np
from numpy.typing import NDArray

from mien.dataset.cleaning.doubts import Doubts, Faces
from mien.dataset.cleaning.face_choice import choose_faces, prominence
from mien.dataset.cleaning.find_doubts import find_doubts
from mien.dataset.split import split
from mien.dataset.storage.decisions import Decisions
from mien.dataset.storage.entries import Entry, Reason
from mien.dataset.storage.ledger import Ledger
from mien.dataset.storage.records import FaceRecord, Occurrence, PhotoRecord
from mien.errors import SELDOM_FOUND, EmptyDataset
from mien.measures.templates import both_views
from mien.names import name_key
from mien.policy.similarity_limits import CleaningLimits
from mien.text import count

_ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How photos are split into training and validation.

    Attributes:
        share: share of each person's photos for training, in (0, 1).
        seed: random seed of the split.
        flip_singletons: put the mirrored crop of a person's only photo into validation, as the
            original course did. A leak: rates measured with it are meaningless.
    """

    share: float = 0.7
    seed: int = 0
    flip_singletons: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"the share lies between 0 and 1, got {self.share}")
        # Stored as JSON, which has no NumPy numbers.
        object.__setattr__(self, "share", float(self.share))
        object.__setattr__(self, "seed", index(self.seed))
        object.__setattr__(self, "flip_singletons", bool(self.flip_singletons))


@dataclass(frozen=True, eq=False)
class Curated:
    """The entries and arrays of a dataset, before crops are written.

    Attributes:
        entries: sorted by person; of each person those with a face first.
        embeddings: (M, D) float32; `Entry.row` indexes them.
        mirrored: (M, D) float32.
        doubts: the findings of cleaning, with evidence.
        not_largest: number of photos where the chosen face is not the largest.
        by_similarity: whether the embedder has limits, so that cleaning by similarity was done.
    """

    entries: tuple[Entry, ...]
    embeddings: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    doubts: Doubts
    not_largest: int
    by_similarity: bool


def curate(
    ledger: Ledger, decisions: Decisions, rule: SplitRule, limits: CleaningLimits | None
) -> Curated:
    """Turn the ledger's photos into entries; the user's decisions override every finding.

    Args:
        ledger: the photos and faces of the build.
        decisions: the user's decisions.
        rule: how to split.
        limits: similarity limits of the embedder; None where it is not calibrated: then cleaning
            by similarity is off.

    Raises:
        EmptyDataset: no face was found in any photo.
    """
    records = {record.sha256: record for record in ledger.photos()}
    with_face, without_face = [], []
    for entry, error in _entries(ledger.occurrences(), decisions):
        record = records.get(entry.sha256)
        if record is None:
            without_face.append(_set_aside(entry, "unreadable", error))
        elif not record.faces:
            without_face.append(_set_aside(entry, "no-face", "no face was found in the photo"))
        else:
            with_face.append((entry, record))
    if not with_face:
        unread = sum(entry.reason == "unreadable" for entry in without_face)
        raise EmptyDataset(
            f"no face was found in any of {count(len(without_face), 'photo')}"
            + (f"; {unread} cannot be read" if unread else ""),
            hint=SELDOM_FOUND if without_face else "",
        )
    with_face.sort(key=lambda pair: name_key(pair[0].person))
    entries, chosen, not_largest = _choose_faces(with_face, limits)
    faces = _faces(entries, chosen, [record.thumb for _, record in with_face])
    doubts = find_doubts(faces, decisions, limits)
    entries = _apply_doubts(entries, doubts, decisions)
    sides = split(
        [e.person for e in entries],
        [e.group or e.id for e in entries],
        [e.used for e in entries],
        share=rule.share,
        seed=rule.seed,
    )
    rows = [
        replace(e, split=side, row=i)
        for i, (e, side) in enumerate(zip(entries, sides, strict=True))
    ]
    embeddings, mirrored = faces.embeddings, faces.mirrored
    if rule.flip_singletons:
        rows, embeddings, mirrored = _add_mirrored_copies(rows, embeddings, mirrored)
    everything = sorted([*rows, *without_face], key=lambda e: name_key(e.person))
    return Curated(
        tuple(everything),
        embeddings,
        mirrored,
        doubts,
        not_largest,
        by_similarity=limits is not None,
    )


def _entries(occurrences: Sequence[Occurrence], decisions: Decisions) -> list[tuple[Entry, str]]:
    """Return an entry per photo, with its id and its person's merged name, and its error."""
    merged = _merged_names(occurrences, decisions)
    taken: Counter[str] = Counter()
    result = []
    for o in occurrences:
        # The id is made of the name in the source, so that merging two names does not change it.
        text = f"{name_key(o.person)}|{o.sha256 or f'{o.source}/{o.photo}'}"
        short = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_ID_DIGITS]
        taken[short] += 1
        name = f"{short}-{taken[short]}" if taken[short] > 1 else short
        person = merged.get(name_key(o.person), o.person)
        result.append((Entry(name, person, o.source, o.photo, o.sha256), o.error))
    return result


def _merged_names(occurrences: Sequence[Occurrence], decisions: Decisions) -> dict[str, str]:
    """Return the merged name for the key of each name that the user declared one with another.

    The merged name is the one with the most photos.
    """
    first = decisions.merged()
    photos = Counter(o.person for o in occurrences)
    best: dict[str, str] = {}
    for person in sorted(photos, key=lambda name: (photos[name], name)):
        best[first.get(name_key(person), name_key(person))] = person
    keys = {*first, *first.values()}
    return {key: best[first.get(key, key)] for key in keys if first.get(key, key) in best}


def _set_aside(entry: Entry, reason: Reason, evidence: str) -> Entry:
    return replace(entry, status="set-aside", reason=reason, evidence=evidence)


def _choose_faces(
    photos: Sequence[tuple[Entry, PhotoRecord]], limits: CleaningLimits | None
) -> tuple[list[Entry], list[FaceRecord], int]:
    """Return entries with the chosen face, those faces, and how many are not the largest."""
    keys = {key: i for i, key in enumerate(dict.fromkeys(e.person for e, _ in photos))}
    everyone = [face for _, record in photos for face in record.faces]
    starts = np.cumsum([0] + [len(record.faces) for _, record in photos])
    templates = both_views(
        np.stack([face.embedding for face in everyone]),
        np.stack([face.mirrored for face in everyone]),
    )
    rows = choose_faces(
        np.array([keys[entry.person] for entry, _ in photos], np.int64),
        starts.astype(np.int64),
        templates,
        np.concatenate([_prior(record) for _, record in photos]),
        limits,
    )
    entries, faces, not_largest = [], [], 0
    for i, (entry, record) in enumerate(photos):
        index = int(rows[i] - starts[i])
        face = record.faces[index]
        not_largest += index != int(np.argmax([_area(f) for f in record.faces]))
        left, top, right, bottom = face.box
        faces.append(face)
        entries.append(
            replace(
                entry,
                face=index,
                faces=len(record.faces),
                box=(left, top, right, bottom),
                points=face.points,
                score=face.score,
                size=face.quality.size,
                blur=face.quality.blur,
                yaw=face.quality.yaw,
                quality=face.quality.overall,
            )
        )
    return entries, faces, not_largest


def _area(face: FaceRecord) -> float:
    left, top, right, bottom = face.box
    return (right - left) * (bottom - top)


def _prior(record: PhotoRecord) -> NDArray[np.float32]:
    boxes = np.array([face.box for face in record.faces], np.float32)
    return prominence(boxes, record.width, record.height)


def _faces(
    entries: Sequence[Entry], chosen: Sequence[FaceRecord], photos: Sequence[NDArray[np.uint8]]
) -> Faces:
    return Faces(
        ids=tuple(e.id for e in entries),
        people=tuple(e.person for e in entries),
        photos=tuple(e.photo for e in entries),
        sha256=tuple(e.sha256 for e in entries),
        face=np.array([e.face for e in entries], np.int64),
        embeddings=np.stack([face.embedding for face in chosen]),
        mirrored=np.stack([face.mirrored for face in chosen]),
        thumbs=np.stack([face.thumb for face in chosen]),
        photo_thumbs=np.stack(photos),
        size=np.array([e.size for e in entries], np.float32),
        blur=np.array([e.blur for e in entries], np.float32),
        yaw=np.array([e.yaw for e in entries], np.float32),
        quality=np.array([e.quality for e in entries], np.float32),
    )


def _apply_doubts(entries: Sequence[Entry], doubts: Doubts, decisions: Decisions) -> list[Entry]:
    """Set the doubtful entries aside, unless the user decided otherwise."""
    result = []
    for i, entry in enumerate(entries):
        doubt = doubts.rows.get(i)
        group = doubts.groups.get(i, "")
        decision = decisions.entries.get(entry.id)
        if decision == "drop":
            why = f"dropped by you ({doubt.evidence})" if doubt else "dropped by you"
            decided = replace(entry, status="set-aside", reason="dropped", evidence=why)
        elif decision == "keep":
            decided = replace(entry, evidence="kept by you")
        elif doubt:
            decided = replace(
                entry, status="set-aside", reason=doubt.reason, evidence=doubt.evidence
            )
        else:
            decided = entry
        result.append(replace(decided, group=group))
    return result


def _add_mirrored_copies(
    rows: Sequence[Entry], embeddings: NDArray[np.float32], mirrored: NDArray[np.float32]
) -> tuple[list[Entry], NDArray[np.float32], NDArray[np.float32]]:
    """Add the mirrored crop of each person's only photo to validation: a leak."""
    photos = Counter(e.person for e in rows)
    single = [e for e in rows if photos[e.person] == 1]
    copies = [
        replace(
            e,
            id=f"{e.id}-mirrored",
            status="used",
            reason="leak",
            evidence="the mirrored copy of a training photo: a leak",
            split="validation",
            row=len(rows) + i,
        )
        for i, e in enumerate(single)
    ]
    index = [e.row for e in single]
    return (
        [*rows, *copies],
        np.concatenate([embeddings, mirrored[index]]),
        np.concatenate([mirrored, embeddings[index]]),
    )
