"""The contents of a gallery in one consistent view, for export."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.gallery.storage.rows import GalleryStore

_OF_A_PHOTO = ("quality", "sha256", "source", "added", "forced")


@dataclass(frozen=True, slots=True, eq=False)
class Contents:
    """All people with their N photos and N' rejected faces.

    Attributes:
        people: as JSON values: id, name, consent, source, created, the number of `negatives`, and
            `photos` with quality, sha256, source, added and forced.
        templates: (N, 2, D) float32 unit rows, crops and mirrored crops, in the order of `people`.
        negatives: (N', D) float32 unit rows, in the order of `people`.
        thumbnails: JPEG of each photo's crop, by row of `templates`, where it is kept.
    """

    people: list[dict[str, Any]]
    templates: NDArray[np.float32]
    negatives: NDArray[np.float32]
    thumbnails: dict[int, bytes]


def contents_of(store: GalleryStore, dimension: int) -> Contents:
    """Return the contents of a store; inside a read transaction."""
    people: list[dict[str, Any]] = []
    thumbnails: dict[int, bytes] = {}
    rejected = store.negatives()
    order: list[int] = []
    row = 0
    for number, person in store.people():
        photos = []
        for picture in store.pictures(number):
            fields = asdict(picture)
            photos.append({name: fields[name] for name in _OF_A_PHOTO})
            if picture.thumbnail:
                thumbnails[row] = store.thumbnail(picture.id)
            row += 1
        own = np.flatnonzero(rejected.numbers == number).tolist()
        order.extend(own)
        texts = {"id": person.id, "name": person.name, "consent": person.consent}
        texts |= {"source": person.source, "created": person.created}
        people.append({**texts, "negatives": len(own), "photos": photos})
    blocks = [np.stack([b.faces, b.mirrored], axis=1) for b in store.all_templates()]
    empty = np.zeros((0, 2, dimension), np.float32)
    return Contents(people, np.concatenate([empty, *blocks]), rejected.vectors[order], thumbnails)
