"""Entries of a dataset: the rows of `manifest.csv`."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien.dataset.storage.cells import from_cell, to_cell

Status = Literal["used", "set-aside"]
Split = Literal["train", "validation", ""]
Reason = Literal[
    "",
    "unreadable",
    "no-face",
    "dropped",
    "duplicate",
    "near-duplicate",
    "mislabelled",
    "low-quality",
    "leak",
]
"""Why an entry is set aside; but `leak` marks a used one, the mirrored copy of a training crop."""

_FIELDS = (
    "id", "person", "source", "photo", "sha256", "face", "faces", "left", "top", "right", "bottom",
    "points", "score", "size", "blur", "yaw", "quality", "status", "reason", "evidence", "group",
    "split", "row", "crop",
)  # fmt: skip
_NUMBERS = ("score", "size", "blur", "yaw", "quality")
_TEXT = (
    "id", "person", "source", "photo", "sha256", "status", "reason", "evidence", "group", "split",
    "crop",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the manifest: a photo of a person, and the face chosen in it.

    Attributes:
        id: short and stable: a digest of the person's name in the source and the photo's bytes.
        person: name.
        source: label of the source.
        photo: path in that source.
        sha256: hex digest of the photo's bytes; empty where they could not be read.
        face: index of the chosen face in the photo, highest score first; -1 without a face.
        faces: number of faces found in the photo.
        box: xyxy in pixels of the full upright photo; zeros without a face.
        points: five (x, y), in the order of `mien.types.POINT_NAMES`; empty without a face.
        score: detection score in [0, 1].
        size: distance between the eyes' centres in pixels of the full photo.
        blur: in [0, 1]; 0 is sharp.
        yaw: degrees that the head is turned to its left (positive) or right, estimated from the
            points.
        quality: size, blur and yaw combined, in [0, 1]; 1 is best.
        status: `used`, or `set-aside` for the reason given.
        reason: why it is set aside; empty where it is not. See `Reason`.
        evidence: the reason in numbers and words.
        group: id of the first entry of its group of near-duplicates; empty without a group.
        split: `train` or `validation`; empty without an embedding.
        row: index into the arrays; -1 without an embedding.
        crop: path of the aligned crop in the dataset's folder; empty without a face.

    Raises:
        ValueError: an unknown status, reason or split, or a split without an embedding.
    """

    id: str
    person: str
    source: str
    photo: str
    sha256: str = ""
    face: int = -1
    faces: int = 0
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    points: tuple[tuple[float, float], ...] = ()
    score: float = 0.0
    size: float = 0.0
    blur: float = 1.0
    yaw: float = 0.0
    quality: float = 0.0
    status: Status = "used"
    reason: Reason = ""
    evidence: str = ""
    group: str = ""
    split: Split = ""
    row: int = -1
    crop: str = ""

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise ValueError(f"unknown status {self.status!r}")
        if self.reason not in get_args(Reason):
            raise ValueError(f"unknown reason {self.reason!r}")
        if self.split not in get_args(Split):
            raise ValueError(f"unknown split {self.split!r}")
        if (self.row >= 0) != bool(self.split):
            raise ValueError("an entry has a split exactly when it has an embedding")

    @property
    def used(self) -> bool:
        """Whether it is used, that is, not set aside."""
        return self.status == "used"

    @property
    def leak(self) -> bool:
        """Whether it is the mirrored copy of a training crop, in validation."""
        return self.reason == "leak"


def write_manifest(entries: Sequence[Entry]) -> bytes:
    """Return `manifest.csv`: UTF-8, one line per entry, numbers rounded, texts by `to_cell`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    writer.writerows(_cells(entry) for entry in entries)
    return text.getvalue().encode("utf-8", "replace")


def read_manifest(data: bytes) -> tuple[Entry, ...]:
    """Return the entries of a `manifest.csv`.

    Raises:
        ValueError: it is not a manifest.
    """
    rows = csv.reader(io.StringIO(data.decode("utf-8"), newline=""))
    if tuple(next(rows, ())) != _FIELDS:
        raise ValueError("the columns are not those of a manifest")
    return tuple(_entry(dict(zip(_FIELDS, row, strict=True))) for row in rows)


def _cells(entry: Entry) -> list[object]:
    box = [f"{side:.2f}" for side in entry.box]
    points = " ".join(f"{value:.2f}" for point in entry.points for value in point)
    text = {name: to_cell(getattr(entry, name)) for name in _TEXT}
    return [
        text["id"], text["person"], text["source"], text["photo"], text["sha256"], entry.face,
        entry.faces, *box, points, f"{entry.score:.4f}", f"{entry.size:.2f}", f"{entry.blur:.4f}",
        f"{entry.yaw:.1f}", f"{entry.quality:.4f}", text["status"], text["reason"],
        text["evidence"], text["group"], text["split"], entry.row, text["crop"],
    ]  # fmt: skip


def _entry(cell: dict[str, str]) -> Entry:
    values = [float(value) for value in cell["points"].split()]
    box = (float(cell["left"]), float(cell["top"]), float(cell["right"]), float(cell["bottom"]))
    convert: dict[str, Any] = {name: from_cell(cell[name]) for name in _TEXT}
    convert.update((name, int(cell[name])) for name in ("face", "faces", "row"))
    convert.update((name, float(cell[name])) for name in _NUMBERS)
    return Entry(**convert, box=box, points=tuple(zip(values[::2], values[1::2], strict=True)))


def digest_of(manifest: bytes, embeddings: NDArray[np.float32]) -> str:
    """Return the dataset's digest: sha256 hex over the manifest's and the embeddings' bytes."""
    digest = hashlib.sha256(hashlib.sha256(manifest).digest())
    digest.update(np.ascontiguousarray(embeddings).tobytes())
    return digest.hexdigest()
