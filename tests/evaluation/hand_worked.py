"""A dataset on a circle: each similarity is the cosine of an angle, for checks by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.dataset import Dataset, Entry
from mien.types import Calibration, Head, Interval, Policy

NAMES = ("Ann", "Ben", "Cyd")


def at(*degrees):
    """Return unit rows at these angles."""
    angles = np.deg2rad(np.array(degrees, np.float64))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def head(names=NAMES, *, threshold=0.8, rate=0.01):
    """Return a recognizer of three people at 0°, 60° and 120°, trained on 1, 2 and 7 photos."""
    policy = Policy(threshold, rate, Interval(0.01, 0.0, 0.02), 10, supported=True, source="hand")
    counts = np.array([1, 2, 7], np.int64)
    # So steep that probabilities are 0 or 1.
    sharp = Calibration(10_000.0, -8_000.0)
    return Head("prototype", tuple(names), at(0, 60, 120), counts, "c", sharp, policy)


def dataset(faces, folder=Path("nowhere"), *, contract="c", faceless=0):
    """Return a dataset of (person, degrees, split, reason) rows.

    Crops are read from `folder`, as `crops/<row>.jpg`.
    """
    entries = [
        Entry(
            id=f"id{row}",
            person=person,
            source="hand",
            photo=f"{person}/{row}.jpg",
            faces=1,
            face=0,
            quality=0.5,
            status="set-aside" if reason not in {"", "leak"} else "used",
            reason=reason,
            split=split,
            row=row,
            crop=f"crops/{row}.jpg",
        )
        for row, (person, _, split, reason) in enumerate(faces)
    ]
    entries += [
        Entry(id=f"none{i}", person="Ann", source="hand", photo=f"none{i}.jpg", reason="no-face")
        for i in range(faceless)
    ]
    vectors = at(*(degrees for _, degrees, _, _ in faces))
    return Dataset(
        path=folder,
        digest="d" * 64,
        contract=contract,
        card={},
        people=tuple(sorted({person for person, _, _, _ in faces})),
        entries=tuple(entries),
        embeddings=vectors,
        mirrored=vectors,
    )


PHOTOS = (
    ("Ann", 0, "train", ""),
    ("Ben", 60, "train", ""),
    ("Cyd", 120, "train", ""),
    ("Ann", 10, "validation", ""),  # 0.985 to Ann, 0.643 to Ben: right
    ("Ann", 40, "validation", ""),  # 0.766 to Ann, 0.940 to Ben: named Ben
    ("Ben", 60, "validation", ""),  # 1.000 to Ben, 0.500 to the others: right
    ("Cyd", 145, "validation", ""),  # 0.906 to Cyd, 0.087 to Ben: right
    ("Cyd", 175, "validation", "low-quality"),  # 0.574 to Cyd, -0.423 to Ben: unknown
)
