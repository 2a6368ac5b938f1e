"""A dataset opened for reading: its entries, arrays and card.

The folder holds `dataset.json` (the card), `manifest.csv`, `embeddings.npy`, `mirrored.npy`,
`crops/` and an overview picture. A new result is staged in `.next` beside them and becomes valid as
a whole when `.next/dataset.json` appears; from then on a file that is still in `.next` takes
precedence over the one outside. So a reader sees the old result or the new one, wherever the writer
was interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.dataset.storage.dataset_html import dataset_html
from mien.dataset.storage.entries import Entry, digest_of, read_manifest
from mien.engine import DetectionSettings, Engine
from mien.errors import NotADataset
from mien.files import is_file, is_folder
from mien.models.cards import known_statistics
from mien.models.statistics import EmbedderStatistics
from mien.text import count
from mien.types import Progress, silent

FORMAT = 1
"""Version of the folder's layout; a reader refuses a newer one."""

CARD, MANIFEST, EMBEDDINGS, MIRRORED = (
    "dataset.json",
    "manifest.csv",
    "embeddings.npy",
    "mirrored.npy",
)
NEXT = ".next"

_T = TypeVar("_T", bound=np.generic)


def resolve(folder: Path, name: str) -> Path:
    """Return the path of a file of the valid result: staged and not yet moved, or in its place."""
    staged = folder / NEXT
    if is_file(staged / CARD) and is_file(staged / name):
        return staged / name
    return folder / name


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset, opened for reading; its arrays are read-only.

    Example:
        `dataset = mien.Dataset.open("people")`; then `dataset.embeddings[dataset.train]`

    Attributes:
        path: its folder.
        digest: sha256 hex over manifest and embeddings.
        contract: contract id of the embeddings.
        card: `dataset.json` as a mapping.
        people: P names, sorted: all people with at least one embedding.
        entries: N entries in the order of the manifest.
        embeddings: (M, D) float32 unit rows; `entries[i].row` indexes them.
        mirrored: (M, D) float32 unit rows of the mirrored crops.
    """

    path: Path
    digest: str
    contract: str
    card: dict[str, Any]
    people: tuple[str, ...]
    entries: tuple[Entry, ...]
    embeddings: NDArray[np.float32]
    mirrored: NDArray[np.float32]

    @classmethod
    def open(cls, path: Path | str) -> Dataset:
        """Open a dataset's folder.

        Raises:
            NotADataset: no dataset there, or its files do not match.
        """
        folder = Path(path)
        if not is_file(resolve(folder, CARD)):
            there = is_folder(folder)
            photos, output = (
                (repr(str(folder)), "DATASET") if there else ("PHOTOS", repr(str(folder)))
            )
            raise NotADataset(
                f"{folder}: no dataset there",
                hint=f"Build one: mien.build_dataset({photos}, {output}).",
                code="dataset-missing-in-folder" if there else "dataset-missing",
                data={"folder": str(folder)},
            )
        try:
            return _read(folder)
        except (OSError, ValueError, KeyError, TypeError) as first:
            # A writer may have moved files into place between two of these reads: read again.
            try:
                return _read(folder)
            except (OSError, ValueError, KeyError, TypeError):
                raise NotADataset(
                    f"{folder}: the dataset is damaged: {first}",
                    hint="Build it again from the same sources: finished work is kept.",
                    code="dataset-damaged",
                ) from first

    def open_engine(self, *, threads: int = 0, progress: Progress = silent) -> Engine:
        """Open an engine with the models and settings that the dataset was built with.

        Args:
            threads: 0 for as many as there are cores.
            progress: called while models are fetched.

        Raises:
            ModelError: the models are not available.
            ContractMismatch: the embedder of that name now makes other embeddings.
        """
        models = {weights["kind"]: weights["id"] for weights in self.card["weights"]}
        settings = DetectionSettings.from_dict(self.card["detection"])
        engine = Engine.open(**models, settings=settings, threads=threads, progress=progress)
        engine.check(self.contract, str(self.path))
        return engine

    @cached_property
    def statistics(self) -> EmbedderStatistics | None:
        """Statistics of the embedder's similarities: stored by the build, or else from its card."""
        embedder = next(
            (w["id"] for w in self.card.get("weights", ()) if w["kind"] == "embedder"), ""
        )
        return statistics_of(self.card.get("statistics"), embedder, self.contract)

    @cached_property
    def rows(self) -> tuple[Entry, ...]:
        """The M entries that have an embedding, in the order of the arrays."""
        return tuple(sorted((e for e in self.entries if e.row >= 0), key=lambda e: e.row))

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """(M,) int64 index into `people`."""
        index = {person: i for i, person in enumerate(self.people)}
        return _read_only(np.array([index[e.person] for e in self.rows], np.int64))

    @cached_property
    def quality(self) -> NDArray[np.float32]:
        """(M,) float32 in [0, 1]."""
        return _read_only(np.array([e.quality for e in self.rows], np.float32))

    @cached_property
    def usable(self) -> NDArray[np.bool_]:
        """(M,) bool: used, that is, not set aside."""
        return _read_only(np.array([e.used for e in self.rows], np.bool_))

    @cached_property
    def train(self) -> NDArray[np.bool_]:
        """(M,) bool: on the training side of the split, set aside or not."""
        return _read_only(np.array([e.split == "train" for e in self.rows], np.bool_))

    @cached_property
    def validation(self) -> NDArray[np.bool_]:
        """(M,) bool: on the validation side of the split, set aside or not."""
        return _read_only(np.array([e.split == "validation" for e in self.rows], np.bool_))

    def __repr__(self) -> str:
        people, used = count(len(self.people), "person", "people"), int(self.usable.sum())
        return f"<Dataset {self.path}: {people}, {count(used, 'photo')} used>"

    def _repr_html_(self) -> str:
        return dataset_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the dataset's card as JSON values."""
        return deepcopy(self.card)

    def crop(self, entry: Entry) -> NDArray[np.uint8] | None:
        """Return the aligned crop, (112, 112, 3) uint8 RGB, or None where there is no such file."""
        if not entry.crop:
            return None
        try:
            with Image.open(self.path / entry.crop) as image:
                pixels = np.asarray(image.convert("RGB"))
        except OSError:
            return None
        return pixels[:, ::-1] if entry.leak else pixels


def statistics_of(
    stored: Mapping[str, Any] | None, embedder: str, contract: str
) -> EmbedderStatistics | None:
    """Return the statistics that a build stored, or those on the embedder's card, or None.

    Mien 0.1 stored none; nor does a build with an embedder that has no statistics yet.
    """
    if stored is None:
        return known_statistics(embedder, contract)
    return EmbedderStatistics.from_dict(stored)


def _read_only(array: NDArray[_T]) -> NDArray[_T]:
    array.flags.writeable = False
    return array


def _read(folder: Path) -> Dataset:
    card = json.loads(resolve(folder, CARD).read_text("utf-8"))
    if card["format"] > FORMAT:
        raise ValueError(f"made by a newer Mien (format {card['format']})")
    if (stored := card.get("statistics")) is not None:
        EmbedderStatistics.from_dict(stored)
    manifest = resolve(folder, MANIFEST).read_bytes()
    entries = read_manifest(manifest)
    embeddings = np.load(resolve(folder, EMBEDDINGS), allow_pickle=False)
    mirrored = np.load(resolve(folder, MIRRORED), allow_pickle=False)
    if digest_of(manifest, embeddings) != card["digest"]:
        raise ValueError("manifest and embeddings do not have the digest on the card")
    if embeddings.shape != mirrored.shape or embeddings.dtype != np.float32:
        raise ValueError("embeddings and mirrored embeddings do not match")
    if sorted(e.row for e in entries if e.row >= 0) != list(range(len(embeddings))):
        raise ValueError("the manifest does not fit the embeddings")
    return Dataset(
        path=folder,
        digest=card["digest"],
        contract=card["contract"],
        card=card,
        people=tuple(sorted({e.person for e in entries if e.row >= 0})),
        entries=entries,
        embeddings=_read_only(embeddings),
        mirrored=_read_only(mirrored),
    )
