"""Datasets of made-up people: points near each other on a sphere, no photo and no model needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien.dataset import Dataset, Entry
from mien.models.cards import DEFAULT_EMBEDDER, card
from mien.policy import CleaningLimits

DIMENSION = 32
SFACE = card(DEFAULT_EMBEDDER).statistics_for(card(DEFAULT_EMBEDDER).contracts[0])
SFACE_LIMITS = CleaningLimits.of(SFACE)


def unit(rows):
    """Return the rows scaled to length 1, float32."""
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def people_at(counts, *, seed=0, spread=0.6, dimension=DIMENSION):
    """Return (N, D) unit rows, `counts[p]` of them about a random direction for person p."""
    generator = np.random.default_rng(seed)
    centres = unit(generator.normal(size=(len(counts), dimension)))
    labels = np.repeat(np.arange(len(counts)), counts)
    noise = generator.normal(size=(len(labels), dimension)) / np.sqrt(dimension)
    return unit(centres[labels] + spread * noise), labels


def sphere_dataset(
    counts,
    *,
    seed=0,
    spread=0.6,
    dimension=DIMENSION,
    validation=0,
    prefix="person",
    contract="c",
    card=None,
):
    """Return a dataset in memory of people with these numbers of photos.

    The last `validation` photos of each person with more photos are held out.
    """
    faces, labels = people_at(counts, seed=seed, spread=spread, dimension=dimension)
    jitter = np.random.default_rng(seed + 1).normal(size=faces.shape) * 0.02
    mirrored = unit(faces + jitter)
    entries, shown = [], np.zeros(len(counts), np.int64)
    for row, label in enumerate(labels):
        shown[label] += 1
        held = counts[label] > validation and shown[label] > counts[label] - validation
        name = f"{prefix} {label:04}"
        entries.append(
            Entry(
                id=f"{prefix}{row:05}",
                person=name,
                source="sphere",
                photo=f"{name}/{row}.jpg",
                face=0,
                faces=1,
                quality=0.25 + 0.75 * (row % 4) / 3,
                split="validation" if held else "train",
                row=row,
            )
        )
    return Dataset(
        path=Path("sphere"),
        digest=f"{seed:064x}",
        contract=contract,
        card=card or {},
        people=tuple(sorted({entry.person for entry in entries})),
        entries=tuple(entries),
        embeddings=faces,
        mirrored=mirrored,
    )
