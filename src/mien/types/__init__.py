"""Value types: frozen, validated on construction, arrays read-only.

Shapes use F faces in a photo, P people in a gallery, D dimensions of an embedding.
Boxes are xyxy in pixels of the upright photo; colours are RGB; the only score
between faces is cosine similarity.
"""

from mien.types.answers import Answer, Candidate, Face
from mien.types.learned import Basis, Calibration, Head, Interval, Policy
from mien.types.photos import (
    ALIGNMENT,
    CROP_SIDE,
    POINT_NAMES,
    PORTRAIT_SIDE,
    Detections,
    EmbeddedPhoto,
    Embeddings,
    Photo,
)
from mien.types.progress import Progress, silent

__all__ = [
    "ALIGNMENT",
    "CROP_SIDE",
    "POINT_NAMES",
    "PORTRAIT_SIDE",
    "Answer",
    "Basis",
    "Calibration",
    "Candidate",
    "Detections",
    "EmbeddedPhoto",
    "Embeddings",
    "Face",
    "Head",
    "Interval",
    "Photo",
    "Policy",
    "Progress",
    "silent",
]
