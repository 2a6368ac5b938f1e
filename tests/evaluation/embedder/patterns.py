"""People as patterns of coloured blocks, and an embedder that sees the blocks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from mien.dataset import Dataset, Entry
from mien.types import Embeddings

CONTRACT = "0123456789abcdef"


class BlockEngine:
    """Embeds a crop as the mean colours of its 16 x 16 blocks, about their middle.

    Args:
        shared: length of a part that all embeddings have in common: cosines crowd near 1.
        contract: of the embeddings.
    """

    def __init__(self, shared: float = 0.0, contract: str = CONTRACT) -> None:
        self.shared = shared
        self.contract = contract
        self.embedder_card = SimpleNamespace(id="blocks")
        self.embedded = 0

    def embed(self, crops):
        self.embedded += len(crops)
        blocks = (
            crops.reshape(len(crops), 7, 16, 7, 16, 3).mean(axis=(2, 4)).reshape(len(crops), -1)
        )
        vectors = blocks - blocks.mean(axis=1, keepdims=True)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = np.concatenate([vectors, np.full((len(vectors), 1), self.shared)], axis=1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embeddings(vectors.astype(np.float32), self.contract)


class Pictured(Dataset):
    """A dataset in memory that has its crops."""

    pictures: np.ndarray

    def crop(self, entry):
        return self.pictures[entry.row]


def pictures_of(people: int, photos: int, *, noise: float = 60, seed: int = 0) -> np.ndarray:
    """Return (people x photos, 112, 112, 3) uint8: a pattern per person, noise per photo."""
    generator = np.random.default_rng(seed)
    blocks = generator.normal(128, 45, (people, 1, 7, 7, 3))
    blocks = blocks + generator.normal(0, noise, (people, photos, 7, 7, 3))
    # As faces nearly are: the same in the mirror.
    blocks = 128 + (blocks - 128 + (blocks - 128)[:, :, :, ::-1]) / np.sqrt(2)
    blocks = blocks.clip(0, 255).reshape(-1, 7, 7, 3)
    return np.repeat(np.repeat(blocks, 16, axis=1), 16, axis=2).astype(np.uint8)


def pattern_dataset(
    engine, people=120, photos=3, *, pictures=None, changes=None, **more
) -> Pictured:
    """Return a dataset of patterns, embedded by an engine.

    Args:
        engine: a `BlockEngine`.
        people: how many.
        photos: of each.
        pictures: in place of `pictures_of(people, photos)`.
        changes: of entries by their row, as fields.
        more: of the card.
    """
    pictures = pictures_of(people, photos) if pictures is None else pictures
    entries = []
    for row in range(len(pictures)):
        name = f"person {row // photos:03}"
        fields = {"id": f"id{row:04}", "person": name, "source": "s", "photo": f"{name}/{row}.png",
                  "face": 0, "faces": 1, "split": "train", "row": row}  # fmt: skip
        entries.append(Entry(**fields | (changes or {}).get(row, {})))
    made = Pictured(
        path=Path("patterns"),
        digest="0" * 64,
        contract=engine.contract,
        card={"weights": [], **more},
        people=tuple(sorted({entry.person for entry in entries})),
        entries=tuple(entries),
        embeddings=engine.embed(pictures).vectors,
        mirrored=engine.embed(pictures[:, :, ::-1]).vectors,
    )
    object.__setattr__(made, "pictures", pictures)
    return made
