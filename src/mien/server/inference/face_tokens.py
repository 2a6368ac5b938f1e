"""Photos with their faces as JSON, and short-lived tokens that identify a face for corrections."""

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

_MAX_FACES, _LIFETIME = 4096, 900


@dataclass(frozen=True, slots=True, eq=False)
class TokenFace:
    """The face that belongs to a token.

    Attributes:
        handle: name of the backend that identified the face.
        crop: (112, 112, 3) uint8 RGB.
        points: (5, 2) float32 landmarks in pixels of the decoded photo.
        scale: decoded size over original size of the photo.
        embedding: (D,) float32 of length 1.
        sha256: of the photo's bytes.
        photo: the photo's name.
        expires: monotonic time in seconds.
    """

    handle: str
    crop: NDArray[np.uint8]
    points: NDArray[np.float32]
    scale: float
    embedding: NDArray[np.float32]
    sha256: str
    photo: str
    expires: float


class FaceTokens:
    """The last 4,096 faces, each kept for 15 minutes, in memory only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._faces: OrderedDict[str, TokenFace] = OrderedDict()

    def create(self, embedded: EmbeddedPhoto, row: int, handle: str) -> str:
        """Keep one face of a photo and return its token."""
        token = secrets.token_urlsafe(16)
        face = TokenFace(
            handle,
            embedded.crops[row].copy(),
            embedded.detections.points[row].copy(),
            embedded.photo.scale,
            embedded.embeddings.vectors[row].copy(),
            embedded.photo.sha256,
            embedded.photo.name,
            self._clock() + _LIFETIME,
        )
        with self._lock:
            now = self._clock()
            while self._faces and (
                len(self._faces) >= _MAX_FACES or next(iter(self._faces.values())).expires < now
            ):
                self._faces.popitem(last=False)
            self._faces[token] = face
        return token

    def find(self, token: str) -> TokenFace:
        """Return the face of a token.

        Raises:
            NotServed: the token is unknown or expired.
        """
        with self._lock:
            face = self._faces.get(token)
        if face is None or face.expires < self._clock():
            raise NotServed(
                "the face token is unknown or has expired", hint="Recognise the photo again."
            )
        return face

    def drop_all(self) -> None:
        """Delete all faces: when a person is forgotten, any of them may show that person."""
        with self._lock:
            self._faces.clear()


@dataclass(frozen=True, slots=True)
class FaceFormat:
    """Options for faces in JSON.

    Attributes:
        backend: identifies the faces.
        handle: name of the backend.
        crops: include the crops and, for a gallery, face tokens.
        top: maximum number of candidates per face.
    """

    backend: Backend
    handle: str
    crops: bool
    top: int


def photo_json(embedded: EmbeddedPhoto, form: FaceFormat, tokens: FaceTokens) -> dict[str, Any]:
    """Identify a photo's faces and return them as JSON."""
    photo = embedded.photo
    answers = form.backend.matcher.identify(embedded.embeddings)
    rows = []
    for row, face in enumerate(faces_of(embedded, answers)):
        crop = token = None
        if form.crops:
            crop = data_url(encode_jpeg(face.crop, quality=90))
            if form.backend.kind == "gallery":
                token = tokens.create(embedded, row, form.handle)
        rows.append(face.to_dict(top=form.top, crop=crop, face_token=token))
    return {
        "photo": photo.name,
        "width": round(photo.width / photo.scale),
        "height": round(photo.height / photo.scale),
        "faces": rows,
        "error": None,
    }
