"""Galleries as older versions of the schema wrote them."""

from __future__ import annotations

import base64
import sqlite3
from pathlib import Path

import numpy as np
from spheres import ORIGIN, centre, face_sample

from mien.gallery.storage.cipher import Cipher
from mien.gallery.storage.connecting import FILE
from mien.gallery.storage.schema import migrate

MOMENT = "2026-01-01T00:00:00+00:00"
PEOPLE = ((1, "Ada"), (2, "Émilie"))
"""Each has three photos; the face of another is rejected as the second."""


def id_of(number: int) -> str:
    return f"{number:012x}"


def older_gallery(folder: Path, version: int, key: bytes | None = None) -> None:
    """Write a gallery with the schema of version 1, 2 or 3."""
    cipher = Cipher(key)
    folder.mkdir(parents=True)
    base = sqlite3.connect(folder / FILE, isolation_level=None)
    migrate(base, to=version)
    lock = base64.b64encode(cipher.encrypt(b"mien", "gallery lock")).decode() if key else ""
    meta = {"origin": ORIGIN.text(), "rate": "0.01", "thumbnails": "1", "lock": lock, "scrub": "0"}
    meta["generation"] = "7"
    base.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
    for number, name in PEOPLE:
        base.execute(
            "INSERT INTO people VALUES (?, ?, ?, ?, 'by letter', 'by hand', ?, ?)",
            (number, id_of(number), name, name.casefold(), MOMENT, MOMENT),
        )
        for photo in range(3):
            sample = face_sample(number, photo)
            template = np.stack([sample.embedding, sample.mirrored]).astype("<f4").tobytes()
            row = f"{number}{photo}"
            base.execute(
                "INSERT INTO photos (id, person, contract, sha256, source, added, quality, "
                "forced, template, thumbnail) VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, ?)",
                (row, number, ORIGIN.contract, sample.sha256, sample.source, MOMENT,
                 sample.quality, cipher.encrypt(template, f"photo {row}"),
                 cipher.encrypt(sample.crop, f"thumbnail {row}")),
            )  # fmt: skip
    if version > 1:
        vector = cipher.encrypt(centre(9).tobytes(), "negative 9")
        base.execute(
            "INSERT INTO negatives (id, person, shows, contract, added, template) "
            "VALUES ('9', 2, 1, ?, ?, ?)",
            (ORIGIN.contract, MOMENT, vector),
        )
    base.close()
