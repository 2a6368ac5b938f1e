"""Photos that are there twice: byte for byte, or mirrored, resized, recoloured or saved again.

Two pictures are near-duplicates when their faces are alike and the pictures match: the whole
photos (which resizing, saving and mirroring do not disturb) or the aligned crops (which cutting
the photo differently does not disturb), each as 32 x 32 grey copies compared by correlation, as
they are and mirrored. The limits were read off LFW: of its 60,000 pairs of similar faces 16 pass
by the whole photo, all of them the same picture; press photos of one event taken seconds apart
lie below 0.96.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.dataset.cleaning.doubts import Doubt, Faces, Reason
from mien.dataset.storage.decisions import Decisions
from mien.policy.similarity_limits import CleaningLimits

SAME_PHOTO, SAME_CROP = 0.965, 0.95
"""Correlation of the whole photos, and of the crops; pictures are compared, not embeddings."""

Kind = Literal["same-bytes", "mirrored", "near-duplicate", "crop"]
"""How two pictures are the same: byte for byte; one mirrored; the whole photo resized, recoloured
or saved again; the face alone, cut out of the photo in another way."""

_BLOCK = 256
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class CopyPair:
    """Two rows that show the same picture.

    Attributes:
        first: row.
        second: row, above `first`.
        kind: how they come to be the same picture.
        evidence: in numbers and words.
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
    """Return all pairs of rows that show the same picture of the same face, whoever they are of.

    Args:
        faces: all rows.
        limits: of the embedder; None where they are not calibrated: then only photos whose bytes
            are the same are found.
    """
    pairs = list(_exact(faces))
    if limits is None:
        return pairs
    known = {(pair.first, pair.second) for pair in pairs}
    photo, crop = _Thumbs(faces.photo_thumbs), _Thumbs(faces.thumbs)
    for first, second, cosine in alike(faces, limits.alike):
        photos, crops = photo.correlations(first, second), crop.correlations(first, second)
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


def alike(
    faces: Faces, least: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """Yield pairs of rows whose faces are alike, as they are or one mirrored, piece by piece.

    Args:
        faces: all rows.
        least: similarity from which two faces are.
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


class _Thumbs:
    def __init__(self, thumbs: NDArray[np.uint8]) -> None:
        self._thumbs = thumbs

    def correlations(
        self, first: NDArray[np.int64], second: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return (2, n) the correlations of the pair as it is and with one mirrored."""
        a, b = _standard(self._thumbs[first]), _standard(self._thumbs[second])
        result: NDArray[np.float32] = np.stack(
            [np.einsum("nij,nij->n", a, b), np.einsum("nij,nij->n", a, b[:, :, ::-1])]
        )
        return result


def _standard(thumbs: NDArray[np.uint8]) -> NDArray[np.float32]:
    centred = thumbs.astype(np.float32)
    centred -= centred.mean(axis=(1, 2), keepdims=True)
    result: NDArray[np.float32] = centred / np.maximum(
        np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True)), 1e-6
    )
    return result


def groups_of(faces: Faces, pairs: list[CopyPair]) -> dict[int, str]:
    """Return, for each row that is in a pair, the id of the first row it hangs together with."""
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


def surplus(faces: Faces, pairs: list[CopyPair], decisions: Decisions) -> dict[int, Doubt]:
    """Return a doubt for each copy of a person's picture but the best.

    The best is one the user keeps, else the largest, else the first. A picture is a copy only of
    one that stays: a chain of similar pictures does not lose its ends.
    """
    partners: dict[int, dict[int, CopyPair]] = {}
    for pair in pairs:
        if faces.people[pair.first] == faces.people[pair.second]:
            partners.setdefault(pair.first, {})[pair.second] = pair
            partners.setdefault(pair.second, {})[pair.first] = pair

    def rank(row: int) -> tuple[int, float, int]:
        verdict = decisions.entries.get(faces.ids[row])
        place = {"keep": 0, None: 1, "drop": 2}.get(verdict, 1)
        return place, -round(float(faces.size[row]), 1), row

    stays: set[int] = set()
    doubts: dict[int, Doubt] = {}
    for row in sorted(partners, key=rank):
        best = next((other for other in sorted(partners[row], key=rank) if other in stays), None)
        if best is None or decisions.entries.get(faces.ids[row]) == "keep":
            stays.add(row)
            continue
        pair = partners[row][best]
        reason: Reason = "duplicate" if pair.exact else "near-duplicate"
        doubts[row] = Doubt(reason, f"a copy of {faces.photos[best]}: {pair.evidence}", best)
    return doubts
