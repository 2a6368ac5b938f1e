"""Mien: photos of people in, one ONNX recognizer out.

What a name below needs is loaded when the name is first used, so that `import mien` is quick.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from mien.version import __version__

if TYPE_CHECKING:
    from mien.dataset import Dataset, Entry, MarginCrop, build_dataset
    from mien.dataset.build import DatasetEngine
    from mien.engine import Engine, FaceEngine, Pipeline, RecognizerEngine
    from mien.errors import MienError
    from mien.evaluation import (
        AllPairsResult,
        EmbedderMeasurement,
        LfwPairs,
        LfwResult,
        OpenSetRow,
        OpenSetTable,
        PairListResult,
        PeopleResult,
        PhotoPair,
        ScoredPairs,
        evaluate_all_pairs,
        evaluate_lfw,
        evaluate_open_set,
        evaluate_pair_list,
        evaluate_people,
        measure_embedder,
        read_pair_list,
        read_pairs,
    )
    from mien.evaluation.identification.breakdown import (
        Confusable,
        DecisionCounts,
        IdentificationRates,
        PersonResult,
    )
    from mien.evaluation.identification.probes import ProbeSet
    from mien.evaluation.identification.search import ProbeSearch
    from mien.evaluation.open_set.lfw_people import LfwPerson
    from mien.evaluation.open_set.metrics import OpenSetResult
    from mien.evaluation.verification.all_pairs import RateAtFar
    from mien.evaluation.verification.pairs_file import LfwPair, LfwPhoto
    from mien.faces.drawing import PhotoFaces, draw_faces, show_faces
    from mien.faces.portraits import portrait
    from mien.gallery import Enrolment, FaceSample, Gallery, Origin, Person, Picture
    from mien.gallery.values import AuditEvent, ImportedPerson
    from mien.graph.assemble import ModelParts
    from mien.graph.settings import DetectionSettings
    from mien.matching import HeadMatcher, Matcher, PhotoEmbedder, PhotoIdentifier
    from mien.measures.calibration import ReliabilityBin
    from mien.measures.histogram import ScoreCounts
    from mien.measures.open_set import OpenSetCurve, OpenSetPoint
    from mien.measures.open_set_draws import OpenSetRates
    from mien.measures.rejection import RejectPoint
    from mien.measures.verification import OperatingPoint, Roc
    from mien.models.cards import ModelCard, UrlSource, WheelSource
    from mien.models.statistics import (
        CopyStatistics,
        EmbedderStatistics,
        GenuineStatistics,
        ImpostorStatistics,
    )
    from mien.models.weight_store import WeightCheck, WeightStore
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

__all__ = [
    "About",
    "AllPairsResult",
    "Answer",
    "AuditEvent",
    "Calibration",
    "Candidate",
    "Confusable",
    "CopyStatistics",
    "Dataset",
    "DatasetEngine",
    "DecisionCounts",
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
    "IdentificationRates",
    "ImportedPerson",
    "ImpostorStatistics",
    "Interval",
    "LeaveOneOut",
    "LfwPair",
    "LfwPairs",
    "LfwPerson",
    "LfwPhoto",
    "LfwResult",
    "MarginCrop",
    "Matcher",
    "MienError",
    "ModelCard",
    "ModelParts",
    "Notice",
    "OpenSetCurve",
    "OpenSetPoint",
    "OpenSetRates",
    "OpenSetResult",
    "OpenSetRow",
    "OpenSetTable",
    "OperatingPoint",
    "Origin",
    "PairListResult",
    "PeopleResult",
    "Person",
    "PersonResult",
    "Photo",
    "PhotoEmbedder",
    "PhotoFaces",
    "PhotoIdentifier",
    "PhotoPair",
    "Picture",
    "Pipeline",
    "Policy",
    "ProbeSearch",
    "ProbeSet",
    "Progress",
    "RateAtFar",
    "Recognizer",
    "RecognizerEngine",
    "RejectPoint",
    "ReliabilityBin",
    "Roc",
    "ScoreCounts",
    "ScoredPairs",
    "TrainedHead",
    "UrlSource",
    "Verification",
    "WeightCheck",
    "WeightStore",
    "Weights",
    "WheelSource",
    "__version__",
    "build_dataset",
    "decode_photo",
    "draw_faces",
    "encode_jpeg",
    "encode_png",
    "evaluate_all_pairs",
    "evaluate_lfw",
    "evaluate_open_set",
    "evaluate_pair_list",
    "evaluate_people",
    "leave_one_out",
    "measure_embedder",
    "open_photo",
    "portrait",
    "read_pair_list",
    "read_pairs",
    "read_photo",
    "show_faces",
    "train",
    "train_head",
    "verify",
]

_ROOMS = {
    "dataset": (
        "Dataset",
        "Entry",
        "MarginCrop",
        "build_dataset",
    ),
    "dataset.build": ("DatasetEngine",),
    "engine": (
        "Engine",
        "FaceEngine",
        "Pipeline",
        "RecognizerEngine",
    ),
    "errors": ("MienError",),
    "evaluation": (
        "AllPairsResult",
        "EmbedderMeasurement",
        "LfwPairs",
        "LfwResult",
        "OpenSetRow",
        "OpenSetTable",
        "PairListResult",
        "PeopleResult",
        "PhotoPair",
        "ScoredPairs",
        "evaluate_all_pairs",
        "evaluate_lfw",
        "evaluate_open_set",
        "evaluate_pair_list",
        "evaluate_people",
        "measure_embedder",
        "read_pair_list",
        "read_pairs",
    ),
    "evaluation.identification.breakdown": (
        "Confusable",
        "DecisionCounts",
        "IdentificationRates",
        "PersonResult",
    ),
    "evaluation.identification.probes": ("ProbeSet",),
    "evaluation.identification.search": ("ProbeSearch",),
    "evaluation.open_set.lfw_people": ("LfwPerson",),
    "evaluation.open_set.metrics": ("OpenSetResult",),
    "evaluation.verification.all_pairs": ("RateAtFar",),
    "evaluation.verification.pairs_file": (
        "LfwPair",
        "LfwPhoto",
    ),
    "faces.drawing": (
        "PhotoFaces",
        "draw_faces",
        "show_faces",
    ),
    "faces.portraits": ("portrait",),
    "gallery": (
        "Enrolment",
        "FaceSample",
        "Gallery",
        "Origin",
        "Person",
        "Picture",
    ),
    "gallery.values": (
        "AuditEvent",
        "ImportedPerson",
    ),
    "graph.assemble": ("ModelParts",),
    "graph.settings": ("DetectionSettings",),
    "matching": (
        "HeadMatcher",
        "Matcher",
        "PhotoEmbedder",
        "PhotoIdentifier",
    ),
    "measures.calibration": ("ReliabilityBin",),
    "measures.histogram": ("ScoreCounts",),
    "measures.open_set": (
        "OpenSetCurve",
        "OpenSetPoint",
    ),
    "measures.open_set_draws": ("OpenSetRates",),
    "measures.rejection": ("RejectPoint",),
    "measures.verification": (
        "OperatingPoint",
        "Roc",
    ),
    "models.cards": (
        "ModelCard",
        "UrlSource",
        "WheelSource",
    ),
    "models.statistics": (
        "CopyStatistics",
        "EmbedderStatistics",
        "GenuineStatistics",
        "ImpostorStatistics",
    ),
    "models.weight_store": (
        "WeightCheck",
        "WeightStore",
    ),
    "photo": (
        "decode_photo",
        "encode_jpeg",
        "encode_png",
        "open_photo",
        "read_photo",
    ),
    "recognizer": (
        "About",
        "Recognizer",
        "Weights",
    ),
    "text": ("Notice",),
    "training": (
        "LeaveOneOut",
        "TrainedHead",
        "leave_one_out",
        "train",
        "train_head",
    ),
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
    "verification": (
        "Verification",
        "verify",
    ),
}
"""Module of each public name: what `__getattr__` imports when the name is first used."""


def _switch_telemetry_off() -> None:
    """Switch onnxruntime's telemetry off in this process and in those it starts.

    Its wheels for Linux and macOS write an id of the device below the user's cache folder, and send
    events to their publisher. They read the variable once, on import. Where the program imported
    onnxruntime first, its own call stops further events, but not those that the import made.
    """
    already_off = os.environ.get("ORT_DISABLE_TELEMETRY") == "1"
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    loaded = sys.modules.get("onnxruntime")
    if loaded is None or already_off:
        return
    loaded.disable_telemetry_events()
    warnings.warn(
        "onnxruntime was imported before mien, so its telemetry had started: "
        "import mien first, or set ORT_DISABLE_TELEMETRY=1",
        RuntimeWarning,
        stacklevel=2,
    )


_switch_telemetry_off()


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
