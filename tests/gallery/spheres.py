"""People as random points on a sphere, so that galleries are tested without photos."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from mien.gallery import FaceSample, Origin
from mien.models.statistics import (
    CopyStatistics,
    EmbedderStatistics,
    GenuineStatistics,
    ImpostorStatistics,
)
from mien.types import Calibration, Embeddings

DIMENSION = 64
BARE = Origin("c" * 16, DIMENSION)
CARD = EmbedderStatistics(
    impostors=ImpostorStatistics(
        "random points on the sphere",
        (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6),
        (1,),
        ((0.160, 0.288, 0.379, 0.450, 0.508, 0.557),),
    ),
    verification=Calibration(33.3, -11.2),
    genuine=GenuineStatistics(
        "made up", (0.02, 0.05, 0.2, 0.3, 0.5, 0.9), (1,), ((0.45, 0.5, 0.6, 0.65, 0.8, 0.9),)
    ),
    copies=CopyStatistics("made up", (0.005, 0.2, 0.3, 0.9), (0.75, 0.9, 0.93, 0.99)),
)
ORIGIN = replace(BARE, embedder="toy", detector="toy", statistics=CARD)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def centre(person: int) -> np.ndarray:
    """Return the mean direction of a person's photos, (D,)."""
    return unit(np.random.default_rng([person, 7]).normal(size=DIMENSION))


def views(person: int, photo: int, spread: float = 0.05) -> np.ndarray:
    """Return the (2, D) crop and mirrored crop of one photo."""
    noise = np.random.default_rng([person, photo]).normal(size=(2, DIMENSION))
    return unit(centre(person) + spread * noise)


def face_sample(person: int, photo: int, **changes) -> FaceSample:
    embedding, mirrored = views(person, photo)
    values = {
        "embedding": embedding,
        "mirrored": mirrored,
        "contract": ORIGIN.contract,
        "quality": 0.5 + 0.5 / (1 + photo),
        "sha256": hashlib.sha256(f"{person}/{photo}".encode()).hexdigest(),
        "source": f"person-{person}/{photo}.jpg",
        "crop": b"JPEG of " + f"{person}/{photo}".encode() * 20,
    }
    return FaceSample(**{**values, **changes})


def faces(*rows: np.ndarray) -> Embeddings:
    return Embeddings(np.stack(rows).astype(np.float32), ORIGIN.contract)


def enrolled(gallery, people: int = 6, photos: int = 3) -> list[str]:
    """Enrol people called `person 0` and so on; return their ids."""
    return [enrol_all(gallery, f"person {p}", p, photos) for p in range(people)]


def enrol_all(gallery, name: str, person: int, photos: int) -> str:
    """Enrol some photos of one person and return the id."""
    for photo in range(photos):
        found = gallery.enrol(name, face_sample(person, photo), force=True)
        assert found.taken
    return found.person
