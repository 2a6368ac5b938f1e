"""Faces as JSON, and short-lived tokens by which a correction names one."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import NotServed
from mien.gallery import Answer
from mien.photo import encode_jpeg
from mien.server.inference.backends import Mount
from mien.server.inference.photo_queue import EmbeddedPhoto
from mien.types import Known

_MOST, _SECONDS = 4096, 900


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """A face that a token names.

    Attributes:
        handle: of the recognizer that answered.
        crop: (112, 112, 3) uint8 RGB.
        points: (5, 2) float32 in pixels of the photo as read.
        scale: of the photo.
        embedding: (D,) float32 of length 1.
        sha256: of the photo's bytes.
        photo: its name.
        ends: by the clock.
    """

    handle: str
    crop: NDArray[np.uint8]
    points: NDArray[np.float32]
    scale: float
    embedding: NDArray[np.float32]
    sha256: str
    photo: str
    ends: float


class FaceTokens:
    """Faces kept for a quarter of an hour, the last few thousand, in memory only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._faces: OrderedDict[str, Remembered] = OrderedDict()

    def keep(self, seen: EmbeddedPhoto, row: int, handle: str) -> str:
        """Return a token for one face of a photo."""
        token = secrets.token_urlsafe(16)
        face = Remembered(
            handle,
            seen.crops[row].copy(),
            seen.found.points[row].copy(),
            seen.photo.scale,
            seen.embeddings.vectors[row].copy(),
            seen.photo.sha256,
            seen.photo.name,
            self._clock() + _SECONDS,
        )
        with self._lock:
            now = self._clock()
            while self._faces and (
                len(self._faces) >= _MOST or next(iter(self._faces.values())).ends < now
            ):
                self._faces.popitem(last=False)
            self._faces[token] = face
        return token

    def find(self, token: str) -> Remembered:
        """Return the face of a token.

        Raises:
            NotServed: it is too old, or never was.
        """
        with self._lock:
            face = self._faces.get(token)
        if face is None or face.ends < self._clock():
            raise NotServed("that face is no longer remembered", hint="Recognise the photo again.")
        return face

    def drop_all(self) -> None:
        """Forget every face: somebody was forgotten, and one of them may be theirs."""
        with self._lock:
            self._faces.clear()


@dataclass(frozen=True, slots=True)
class FaceFormat:
    """How faces are to be told.

    Attributes:
        mount: what names them.
        handle: its name.
        crops: with their crops, and tokens where it is a gallery.
        top: so many candidates.
    """

    mount: Mount
    handle: str
    crops: bool
    top: int


def told(seen: EmbeddedPhoto, wanted: FaceFormat, tokens: FaceTokens) -> dict[str, Any]:
    """Return a photo's faces, named, as JSON."""
    scale = seen.photo.scale
    answers = wanted.mount.identify(seen.embeddings)
    faces = []
    for row, answer in enumerate(answers):
        face = {
            "box": _places(seen.found.boxes[row] / scale),
            "points": [_places(point / scale) for point in seen.found.points[row]],
            "score": round(float(seen.found.scores[row]), 4),
            **_named(answer, wanted.top),
            "crop": data_url(encode_jpeg(seen.crops[row], quality=90)) if wanted.crops else None,
            "face_token": None,
        }
        if wanted.crops and wanted.mount.kind == "gallery":
            face["face_token"] = tokens.keep(seen, row, wanted.handle)
        faces.append(face)
    return {
        "photo": seen.photo.name,
        "width": round(seen.photo.width / scale),
        "height": round(seen.photo.height / scale),
        "faces": faces,
        "error": None,
    }


def data_url(jpeg: bytes) -> str:
    """Return a JPEG as a data URL."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _named(answer: Answer, top: int) -> dict[str, Any]:
    verdict = answer.verdict
    return {
        "name": verdict.person if isinstance(verdict, Known) else None,
        "person_id": answer.person or None,
        "probability": round(verdict.probability, 4),
        "similarity": round(verdict.similarity, 4),
        "false_positive_rate": answer.false_positive_rate,
        "candidates": [
            {
                "name": match.name,
                "person_id": match.id or None,
                "similarity": round(match.similarity, 4),
                "probability": round(match.probability, 4),
            }
            for match in answer.candidates[:top]
        ],
    }


def _places(values: NDArray[Any]) -> list[float]:
    return [round(float(value), 1) for value in values]
