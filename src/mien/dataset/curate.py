"""From faces to entries: choose the person's face, set doubtful ones aside, split."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mien.dataset.cleaning.doubts import Doubts, Faces
from mien.dataset.cleaning.face_choice import choose, prominence
from mien.dataset.cleaning.find_doubts import clean
from mien.dataset.split import split
from mien.dataset.storage.decisions import Decisions
from mien.dataset.storage.ledger import Ledger
from mien.dataset.storage.manifest import Entry, Reason
from mien.dataset.storage.records import FaceRecord, Occurrence, PhotoRecord
from mien.errors import SELDOM_FOUND, EmptyDataset
from mien.names import name_key
from mien.policy.similarity_limits import CleaningLimits

_ID_DIGITS = 12


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How photos are divided.

    Attributes:
        share: of each person's photos that are trained on.
        seed: of the order.
        flip_singletons: hold the mirrored crop of a person's only photo against it, as the
            original course did. A leak: the figure that it gives says nothing.
    """

    share: float = 0.7
    seed: int = 0
    flip_singletons: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"the share lies between 0 and 1, got {self.share}")


@dataclass(frozen=True, eq=False)
class Curated:
    """What becomes of the faces.

    Attributes:
        entries: by person, those with a face first.
        embeddings: (M, D) float32; `Entry.row` indexes them.
        mirrored: (M, D) float32.
        doubts: what was found in cleaning, with its evidence.
        groups_resolved: photos of several faces where agreement chose another than the largest.
        by_similarity: whether the embedder's limits were there to clean by.
    """

    entries: tuple[Entry, ...]
    embeddings: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    doubts: Doubts
    groups_resolved: int
    by_similarity: bool


def curate(
    ledger: Ledger, decisions: Decisions, rule: SplitRule, limits: CleaningLimits | None
) -> Curated:
    """Turn what the ledger knows into entries; the user's decisions outweigh every finding.

    Args:
        ledger: of the build.
        decisions: the user's.
        rule: of the split.
        limits: of the embedder; None where they are not calibrated: then cleaning by similarity
            is off.

    Raises:
        EmptyDataset: no photo shows a face.
    """
    records = {record.sha256: record for record in ledger.photos()}
    seen, blind = [], []
    for entry, error in _entries(ledger.occurrences(), decisions):
        record = records.get(entry.sha256)
        if record is None:
            blind.append(_aside(entry, "unreadable", error))
        elif not record.faces:
            blind.append(_aside(entry, "no-face", "no face was found in the photo"))
        else:
            seen.append((entry, record))
    if not seen:
        unread = sum(entry.reason == "unreadable" for entry in blind)
        raise EmptyDataset(
            f"none of the {len(blind)} photos shows a face that was found"
            + (f"; {unread} cannot be read" if unread else ""),
            hint=SELDOM_FOUND if blind else "",
        )
    seen.sort(key=lambda pair: name_key(pair[0].person))
    entries, chosen, resolved = _with_faces(seen, limits)
    faces = _faces(entries, chosen, [record.thumb for _, record in seen])
    doubts = clean(faces, decisions, limits)
    entries = _judge(entries, doubts, decisions)
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
        rows, embeddings, mirrored = _leak(rows, embeddings, mirrored)
    everything = sorted([*rows, *blind], key=lambda e: name_key(e.person))
    return Curated(
        tuple(everything), embeddings, mirrored, doubts, resolved, by_similarity=limits is not None
    )


def _entries(occurrences: Sequence[Occurrence], decisions: Decisions) -> list[tuple[Entry, str]]:
    """Give each photo its id and the name its person goes by; with the error it met, if any."""
    spelled = _spelling(occurrences, decisions)
    taken: Counter[str] = Counter()
    result = []
    for o in occurrences:
        # The id is of the name that the source gave: it outlives a merging of two names.
        text = f"{name_key(o.person)}|{o.sha256 or f'{o.source}/{o.photo}'}"
        short = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_ID_DIGITS]
        taken[short] += 1
        name = f"{short}-{taken[short]}" if taken[short] > 1 else short
        person = spelled.get(name_key(o.person), o.person)
        result.append((Entry(name, person, o.source, o.photo, o.sha256), o.error))
    return result


def _spelling(occurrences: Sequence[Occurrence], decisions: Decisions) -> dict[str, str]:
    """Return, for the key of each name declared another's, the name both go by.

    That is the one with the most photos.
    """
    first = decisions.merged()
    count = Counter(o.person for o in occurrences)
    best: dict[str, str] = {}
    for person in sorted(count, key=lambda name: (count[name], name)):
        best[first.get(name_key(person), name_key(person))] = person
    keys = {*first, *first.values()}
    return {key: best[first.get(key, key)] for key in keys if first.get(key, key) in best}


def _aside(entry: Entry, reason: Reason, evidence: str) -> Entry:
    return replace(entry, status="set-aside", reason=reason, evidence=evidence)


def _with_faces(
    seen: Sequence[tuple[Entry, PhotoRecord]], limits: CleaningLimits | None
) -> tuple[list[Entry], list[FaceRecord], int]:
    """Choose each photo's face, and fill in what the manifest says of it."""
    keys = {key: i for i, key in enumerate(dict.fromkeys(e.person for e, _ in seen))}
    everyone = [face for _, record in seen for face in record.faces]
    starts = np.cumsum([0] + [len(record.faces) for _, record in seen])
    both = np.stack([face.embedding for face in everyone]) + np.stack(
        [face.mirrored for face in everyone]
    )
    rows = choose(
        np.array([keys[entry.person] for entry, _ in seen], np.int64),
        starts.astype(np.int64),
        both / np.linalg.norm(both, axis=1, keepdims=True),
        np.concatenate([_prior(record) for _, record in seen]),
        limits,
    )
    entries, faces, resolved = [], [], 0
    for i, (entry, record) in enumerate(seen):
        index = int(rows[i] - starts[i])
        face = record.faces[index]
        resolved += index != int(np.argmax([_area(f) for f in record.faces]))
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
    return entries, faces, resolved


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


def _judge(entries: Sequence[Entry], doubts: Doubts, decisions: Decisions) -> list[Entry]:
    """Set the doubtful entries aside, unless the user said otherwise."""
    result = []
    for i, entry in enumerate(entries):
        doubt = doubts.rows.get(i)
        group = doubts.groups.get(i, "")
        decision = decisions.entries.get(entry.id)
        if decision == "drop":
            why = f"dropped by you ({doubt.evidence})" if doubt else "dropped by you"
            judged = replace(entry, status="set-aside", reason="dropped", evidence=why)
        elif decision == "keep":
            judged = replace(entry, evidence="kept by you")
        elif doubt:
            judged = replace(
                entry, status="set-aside", reason=doubt.reason, evidence=doubt.evidence
            )
        else:
            judged = entry
        result.append(replace(judged, group=group))
    return result


def _leak(
    rows: Sequence[Entry], embeddings: NDArray[np.float32], mirrored: NDArray[np.float32]
) -> tuple[list[Entry], NDArray[np.float32], NDArray[np.float32]]:
    """Add, for a person with one photo, its mirrored crop to validation."""
    count = Counter(e.person for e in rows)
    single = [e for e in rows if count[e.person] == 1]
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
