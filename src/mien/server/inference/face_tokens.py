"""Faces as JSON, and short-lived tokens by which a correction names one."""

from __future__ import annotations

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
from mien.matching import faces_of
from mien.photo import data_url, encode_jpeg
from mien.server.inference.backends import Backend
from mien.types import EmbeddedPhoto

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
            seen.detections.points[row].copy(),
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
    """How faces are written as JSON.

    Attributes:
        backend: names them.
        handle: its name.
        crops: with their crops, and with tokens where it is a gallery.
        top: at most so many candidates.
    """

    backend: Backend
    handle: str
    crops: bool
    top: int


def photo_json(embedded: EmbeddedPhoto, form: FaceFormat, tokens: FaceTokens) -> dict[str, Any]:
    """Return a photo's faces, named, as JSON."""
    photo = embedded.photo
    answers = form.backend.matcher.identify(embedded.embeddings)
    rows = []
    for row, face in enumerate(faces_of(embedded, answers)):
        crop = token = None
        if form.crops:
            crop = data_url(encode_jpeg(face.crop, quality=90))
            if form.backend.kind == "gallery":
                token = tokens.keep(embedded, row, form.handle)
        rows.append(face.to_dict(top=form.top, crop=crop, face_token=token))
    return {
        "photo": photo.name,
        "width": round(photo.width / photo.scale),
        "height": round(photo.height / photo.scale),
        "faces": rows,
        "error": None,
    }
