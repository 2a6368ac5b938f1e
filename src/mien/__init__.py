"""Mien: photos of people in, one ONNX recognizer out.

What a name below needs is loaded when the name is first used, so that `import mien` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mien.version import __version__

if TYPE_CHECKING:
    from mien.dataset import Dataset, Entry, MarginCrop, build_dataset
    from mien.engine import Engine, FaceEngine, Pipeline, RecognizerEngine
    from mien.errors import MienError
    from mien.evaluation import (
        EmbedderMeasurement,
        LfwResult,
        PeopleResult,
        evaluate_lfw,
        evaluate_people,
        measure_embedder,
        read_pairs,
    )
    from mien.faces.drawing import PhotoFaces, draw_faces, show_faces
    from mien.faces.portraits import portrait
    from mien.gallery import Enrolment, FaceSample, Gallery, Origin, Person, Picture
    from mien.graph.settings import DetectionSettings
    from mien.matching import HeadMatcher, Matcher, PhotoEmbedder, PhotoIdentifier
    from mien.models.cards import ModelCard
    from mien.models.statistics import (
        CopyStatistics,
        EmbedderStatistics,
        GenuineStatistics,
        ImpostorStatistics,
    )
    from mien.photo import decode_photo, encode_jpeg, encode_png, open_photo, read_photo
    from mien.recognizer import About, Recognizer, Weights
    from mien.text import Notice
    from mien.training import LeaveOneOut, TrainedHead, leave_one_out, train, train_head
    from mien.types import (
        Answer,
        Calibration,
        Candidate,
        Detections,
        EmbeddedPhoto,
        Embeddings,
        Face,
        Head,
        Interval,
        Photo,
        Policy,
        Progress,
    )
    from mien.verification import Verification, verify

_ROOMS = {
    "dataset": ("Dataset", "Entry", "MarginCrop", "build_dataset"),
    "faces.drawing": ("PhotoFaces", "draw_faces", "show_faces"),
    "engine": ("Engine", "FaceEngine", "Pipeline", "RecognizerEngine"),
    "errors": ("MienError",),
    "evaluation": (
        "EmbedderMeasurement",
        "LfwResult",
        "PeopleResult",
        "evaluate_lfw",
        "evaluate_people",
        "measure_embedder",
        "read_pairs",
    ),
    "gallery": ("Enrolment", "FaceSample", "Gallery", "Origin", "Person", "Picture"),
    "graph.settings": ("DetectionSettings",),
    "matching": ("HeadMatcher", "Matcher", "PhotoEmbedder", "PhotoIdentifier"),
    "models.cards": ("ModelCard",),
    "models.statistics": (
        "CopyStatistics",
        "EmbedderStatistics",
        "GenuineStatistics",
        "ImpostorStatistics",
    ),
    "photo": ("decode_photo", "encode_jpeg", "encode_png", "open_photo", "read_photo"),
    "faces.portraits": ("portrait",),
    "recognizer": ("About", "Recognizer", "Weights"),
    "text": ("Notice",),
    "training": ("LeaveOneOut", "TrainedHead", "leave_one_out", "train", "train_head"),
    "types": (
        "Answer",
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
    ),
    "verification": ("Verification", "verify"),
}

__all__ = [
    "About",
    "Answer",
    "Calibration",
    "Candidate",
    "CopyStatistics",
    "Dataset",
    "DetectionSettings",
    "Detections",
    "EmbeddedPhoto",
    "EmbedderMeasurement",
    "EmbedderStatistics",
    "Embeddings",
    "Engine",
    "Enrolment",
    "Entry",
    "Face",
    "FaceEngine",
    "FaceSample",
    "Gallery",
    "GenuineStatistics",
    "Head",
    "HeadMatcher",
    "ImpostorStatistics",
    "Interval",
    "LeaveOneOut",
    "LfwResult",
    "MarginCrop",
    "Matcher",
    "MienError",
    "ModelCard",
    "Notice",
    "Origin",
    "PeopleResult",
    "Person",
    "Photo",
    "PhotoEmbedder",
    "PhotoFaces",
    "PhotoIdentifier",
    "Picture",
    "Pipeline",
    "Policy",
    "Progress",
    "Recognizer",
    "RecognizerEngine",
    "TrainedHead",
    "Verification",
    "Weights",
    "__version__",
    "build_dataset",
    "decode_photo",
    "draw_faces",
    "encode_jpeg",
    "encode_png",
    "evaluate_lfw",
    "evaluate_people",
    "leave_one_out",
    "measure_embedder",
    "open_photo",
    "portrait",
    "read_pairs",
    "read_photo",
    "show_faces",
    "train",
    "train_head",
    "verify",
]


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names:
            value = getattr(importlib.import_module(f"mien.{room}"), name)
            globals()[name] = value
            return value
    message = f"module 'mien' has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
