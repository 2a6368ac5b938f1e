"""Chosen faces of made-up people, for the checks of cleaning: no photo and no model needed."""

from __future__ import annotations

import numpy as np

from mien.dataset.cleaning.doubts import Faces
from mien.dataset.cleaning.find_doubts import find_doubts
from mien.dataset.storage.decisions import Decisions
from sphere import SFACE_LIMITS


class SyntheticFaces:
    """Rows of random faces: a direction per person, with noise per photo."""

    def __init__(self, seed=3):
        self.rng = np.random.default_rng(seed)
        self.rows = []

    def identity(self):
        vector = self.rng.normal(size=64)
        return vector / np.linalg.norm(vector)

    def shot(self, who):
        noisy = who + 0.06 * self.rng.normal(size=64)
        return noisy / np.linalg.norm(noisy)

    def add(self, person, vector, **more):
        thumb = self.rng.integers(0, 256, (32, 32)).astype(np.uint8)
        photo = self.rng.integers(0, 256, (32, 32)).astype(np.uint8)
        row = {
            "person": person, "vector": vector, "mirrored": vector, "thumb": thumb, "photo": photo,
            "sha256": f"{len(self.rows):064}", "size": 60.0, "blur": 0.2, "yaw": 5.0, **more,
        }  # fmt: skip
        self.rows.append(row)
        return row

    def person(self, name, photos):
        who = self.identity()
        for _ in range(photos):
            self.add(name, self.shot(who))
        return who

    def faces(self):
        def column(name, dtype=np.float32):
            return np.array([row[name] for row in self.rows], dtype)

        return Faces(
            ids=tuple(f"id{i}" for i in range(len(self.rows))),
            people=tuple(row["person"] for row in self.rows),
            photos=tuple(f"{i}.jpg" for i in range(len(self.rows))),
            sha256=tuple(row["sha256"] for row in self.rows),
            face=np.zeros(len(self.rows), np.int64),
            embeddings=column("vector"),
            mirrored=column("mirrored"),
            thumbs=column("thumb", np.uint8),
            photo_thumbs=column("photo", np.uint8),
            size=column("size"),
            blur=column("blur"),
            yaw=column("yaw"),
            quality=column("size") / 100,
        )

    def clean(self, decisions=None, limits=SFACE_LIMITS):
        return find_doubts(self.faces(), decisions or Decisions(), limits)
