"""Find copies of photos: identical files, or mirrored, resized, recoloured or saved again.

Two photos are near-duplicates if their faces are similar and their pictures match: the whole photos
(unaffected by resizing, saving and mirroring) or the aligned crops (unaffected by cutting the photo
differently). Pictures are compared by the correlation of 32 x 32 grey copies, as they are and with
one mirrored. The limits were chosen on LFW: of its 60,000 pairs of similar faces 16 pass by the
whole photo, all of them the same picture; press photos of one event taken seconds apart are below
0.96.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.dataset.cleaning.correlation import pair_correlations
from mien.dataset.cleaning.doubts import Doubt, Faces, Reason
from mien.dataset.storage.decisions import Decisions
from mien.policy.similarity_limits import CleaningLimits

SAME_PHOTO, SAME_CROP = 0.965, 0.95
"""Correlation of the whole photos, and of the crops; pictures are compared, not embeddings."""

Kind = Literal["same-bytes", "mirrored", "near-duplicate", "crop"]
"""How two pictures are the same: identical files; one mirrored; the whole photo resized, recoloured
or saved again; only the face, cut from the photo in another way."""

_BLOCK = 256
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class CopyPair:
    """Two rows that show the same picture.

    Attributes:
        first: a row.
        second: another row, greater than `first`.
        kind: how they are the same picture.
        evidence: the reason in numbers and words.
    """

    first: int
    second: int
    kind: Kind
    evidence: str

    @property
    def exact(self) -> bool:
        """Whether the photos' bytes are the same."""
        return self.kind == "same-bytes"


def find_pairs(faces: Faces, limits: CleaningLimits | None) -> list[CopyPair]:
    """Return all pairs of rows with the same picture of the same face, under any names.

    Args:
        faces: all rows.
        limits: similarity limits of the embedder; None where it is not calibrated: then only
            identical files are found.
    """
    pairs = list(_exact(faces))
    if limits is None:
        return pairs
    known = {(pair.first, pair.second) for pair in pairs}
    for first, second, cosine in similar_pairs(faces, limits.alike):
        photos = pair_correlations(faces.photo_thumbs, first, second)
        crops = pair_correlations(faces.thumbs, first, second)
        same_photo = photos.max(axis=0) >= SAME_PHOTO
        same_crop = (cosine >= limits.very_alike) & (crops.max(axis=0) >= SAME_CROP)
        for i in np.flatnonzero(same_photo | same_crop):
            a, b = int(first[i]), int(second[i])
            if (a, b) not in known:
                what, views = ("photos", photos) if same_photo[i] else ("crops", crops)
                text = f"cosine {cosine[i]:.3f}, {what} correlate {views[:, i].max():.3f}"
                kind: Kind = "near-duplicate" if same_photo[i] else "crop"
                if views[1, i] > views[0, i]:
                    kind, text = "mirrored", f"{text}, one mirrored"
                pairs.append(CopyPair(a, b, kind, text))
    return pairs


def _exact(faces: Faces) -> Iterator[CopyPair]:
    first: dict[tuple[str, int], int] = {}
    for row, key in enumerate(zip(faces.sha256, faces.face.tolist(), strict=True)):
        if key in first:
            yield CopyPair(first[key], row, "same-bytes", "the same bytes")
        else:
            first[key] = row


def similar_pairs(
    faces: Faces, least: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Yield pairs of rows with similar faces, as they are or with one mirrored, in chunks.

    Each chunk is first rows, second rows (greater) and cosines, (n,) each.

    Args:
        faces: all rows.
        least: lowest cosine of a similar pair.
    """
    everything = np.concatenate([faces.embeddings, faces.mirrored])
    count = len(faces)
    for begin in range(0, count, _BLOCK):
        both = faces.embeddings[begin : begin + _BLOCK] @ everything.T
        cosine = np.maximum(both[:, :count], both[:, count:])
        rows, columns = np.nonzero(cosine >= least)
        above = columns > rows + begin
        rows, columns = rows[above], columns[above]
        for at in range(0, len(rows), _CHUNK):
            part = slice(at, at + _CHUNK)
            yield rows[part] + begin, columns[part], cosine[rows[part], columns[part]]


def copies_across_names(faces: Faces, pairs: Iterable[CopyPair]) -> dict[tuple[str, str], CopyPair]:
    """Return a pair of copies for each two names, sorted, that have the same picture."""
    found = {}
    for pair in pairs:
        first, second = sorted((faces.people[pair.first], faces.people[pair.second]))
        if first != second:
            found[first, second] = pair
    return found


def duplicate_groups(faces: Faces, pairs: list[CopyPair]) -> dict[int, str]:
    """Return, for each row in a pair, the id of the first row of its connected group."""
    first: dict[int, int] = {}

    def root(row: int) -> int:
        while first.get(row, row) != row:
            row = first[row]
        return row

    for pair in pairs:
        a, b = sorted((root(pair.first), root(pair.second)))
        first[b] = a
        first.setdefault(a, a)
    return {row: faces.ids[root(row)] for row in first}


def redundant_copies(faces: Faces, pairs: list[CopyPair], decisions: Decisions) -> dict[int, Doubt]:
    """Return a doubt for each copy of a person's picture except the best one.

    The best is one that the user keeps, else the largest, else the first. A picture is a copy only
    of one that is not set aside itself, so that both ends of a chain of similar pictures remain.
    """
    partners: dict[int, dict[int, CopyPair]] = {}
    for pair in pairs:
        if faces.people[pair.first] == faces.people[pair.second]:
            partners.setdefault(pair.first, {})[pair.second] = pair
            partners.setdefault(pair.second, {})[pair.first] = pair

    def rank(row: int) -> tuple[int, float, int]:
        decision = decisions.entries.get(faces.ids[row])
        place = {"keep": 0, None: 1, "drop": 2}.get(decision, 1)
        return place, -round(float(faces.size[row]), 1), row

    remaining: set[int] = set()
    doubts: dict[int, Doubt] = {}
    for row in sorted(partners, key=rank):
        best = next(
            (other for other in sorted(partners[row], key=rank) if other in remaining), None
        )
        if best is None or decisions.entries.get(faces.ids[row]) == "keep":
            remaining.add(row)
            continue
        pair = partners[row][best]
        reason: Reason = "duplicate" if pair.exact else "near-duplicate"
        doubts[row] = Doubt(reason, f"a copy of {faces.photos[best]}: {pair.evidence}", best)
    return doubts
