"""Mien: photos of people in, one ONNX recognizer out.

What the names below need is loaded when one of them is first asked for: `import mien` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mien.version import __version__

if TYPE_CHECKING:
    from mien.dataset import Dataset
    from mien.draw import draw_faces
    from mien.engine import DetectionSettings, Engine, Pipeline
    from mien.errors import MienError
    from mien.evaluation import evaluate_lfw, evaluate_people
    from mien.gallery import Gallery
    from mien.photo import decode_photo, encode_jpeg, read_photo
    from mien.recognizer import Recognizer
    from mien.training import leave_one_out, train
    from mien.types import Face, Head, Known, Photo, Unknown
    from mien.verification import compare_photos

__all__ = [
    "Dataset",
    "DetectionSettings",
    "Engine",
    "Face",
    "Gallery",
    "Head",
    "Known",
    "MienError",
    "Photo",
    "Pipeline",
    "Recognizer",
    "Unknown",
    "__version__",
    "compare_photos",
    "decode_photo",
    "draw_faces",
    "encode_jpeg",
    "evaluate_lfw",
    "evaluate_people",
    "leave_one_out",
    "read_photo",
    "train",
]

_ROOMS = {
    "dataset": ("Dataset",),
    "draw": ("draw_faces",),
    "engine": ("DetectionSettings", "Engine", "Pipeline"),
    "errors": ("MienError",),
    "evaluation": ("evaluate_lfw", "evaluate_people"),
    "gallery": ("Gallery",),
    "photo": ("decode_photo", "encode_jpeg", "read_photo"),
    "recognizer": ("Recognizer",),
    "training": ("leave_one_out", "train"),
    "types": ("Face", "Head", "Known", "Photo", "Unknown"),
    "verification": ("compare_photos",),
}


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
