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
        seen_at: what `Gallery.last_forgotten` returned before the photo was processed.
    """

    handle: str
    crop: NDArray[np.uint8]
    points: NDArray[np.float32]
    scale: float
    embedding: NDArray[np.float32]
    sha256: str
    photo: str
    expires: float
    seen_at: int


class FaceTokens:
    """The last 4,096 faces, each kept for 15 minutes, in memory only.

    When a person is forgotten, by this process or another, any face that was seen before may show
    that person: none of them can be used any more.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._faces: OrderedDict[str, TokenFace] = OrderedDict()
        self._last_forgotten = 0

    def create(self, embedded: EmbeddedPhoto, row: int, handle: str, seen_at: int) -> str:
        """Keep one face of a photo and return its token.

        Args:
            embedded: the photo.
            row: number of the face.
            handle: name of the backend that identified it.
            seen_at: what `Gallery.last_forgotten` returned before the photo was processed.
        """
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
            seen_at,
        )
        with self._lock:
            now = self._clock()
            while self._faces and (
                len(self._faces) >= _MAX_FACES or next(iter(self._faces.values())).expires < now
            ):
                self._faces.popitem(last=False)
            self._faces[token] = face
        return token

    def find(self, token: str, last_forgotten: int) -> TokenFace:
        """Return the face of a token.

        Args:
            token: of the face.
            last_forgotten: what `Gallery.last_forgotten` returns now.

        Raises:
            NotServed: the token is unknown or expired, or a person was forgotten since it was made.
        """
        self.drop_before(last_forgotten)
        with self._lock:
            face = self._faces.get(token)
            if face is not None and face.seen_at != last_forgotten:
                # Of a photo that was being processed when the person was forgotten.
                del self._faces[token]
                face = None
        if face is None or face.expires < self._clock():
            raise NotServed(
                "the face token is unknown or has expired", hint="Recognise the photo again."
            )
        return face

    def drop_before(self, last_forgotten: int) -> None:
        """Delete the faces that were seen before the last person was forgotten."""
        with self._lock:
            if last_forgotten == self._last_forgotten:
                return
            self._last_forgotten = last_forgotten
            for token, face in list(self._faces.items()):
                if face.seen_at != last_forgotten:
                    del self._faces[token]


@dataclass(frozen=True, slots=True)
class FaceFormat:
    """Options for faces in JSON.

    Attributes:
        backend: identifies the faces.
        handle: name of the backend.
        crops: include the crops and, for a gallery, face tokens.
        top: maximum number of candidates per face.
        seen_at: what `Gallery.last_forgotten` returned when the request began.
    """

    backend: Backend
    handle: str
    crops: bool
    top: int
    seen_at: int = 0


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
                token = tokens.create(embedded, row, form.handle, form.seen_at)
        rows.append(face.to_dict(top=form.top, crop=crop, face_token=token))
    return {
        "photo": photo.name,
        "width": round(photo.width / photo.scale),
        "height": round(photo.height / photo.scale),
        "faces": rows,
        "error": None,
    }
