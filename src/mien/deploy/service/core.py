"""HTTP interface of the Lambda and app deployments, independent of the host: request to response.

::

    GET  /                    the page
    GET  /healthz             health check
    GET  /v1/recognizer       the recognizer file's metadata
    POST /v1/identify         the faces of photos, named or unknown; ?crops=true &top=5
    POST /v1/align            one face as a JPEG, 600 pixels upright; ?size= &face=
    POST /face-align          the same as a JSON string, data:image/jpeg;base64,...
    POST /classify/{handle}   the largest face's candidates: class_idx, class_name, confidence

Photos come as the file field `file` of a form, or as the whole body. Errors are problem+json
(RFC 9457). Where a key is set, all but the page's files and the health check need it.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.deploy.service.messages import (
    Request,
    Response,
    UploadedFile,
    as_json,
    as_problem,
    uploads,
)
from mien.errors import BadRequest, FaceError, MienError, PhotoError, TooManyRequests
from mien.faces.selection import select_face
from mien.photo import data_url, decode_photo, encode_jpeg
from mien.problems import is_fault, plain_problem, problem_of, retry_after
from mien.recognizer import Recognizer
from mien.request_limits import WRONG_BURST, WRONG_PER_SECOND, RateLimiter, network_of
from mien.session import Session
from mien.text import printable
from mien.types import PORTRAIT_SIDE, Face, Photo

RECOGNIZER, PORTRAIT, SETTINGS, PAGE = "recognizer.onnx", "portrait.onnx", "ship.json", "page"
"""Names of the files and the folder beside the code in a deployment."""


_HEALTH = "/healthz"

_MAX_CLASSIFY = 6
"""How many candidates /classify lists."""

_MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
"""By suffix; fixed here because a host's own table may differ."""

_PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'; object-src 'none'"
)


_log = logging.getLogger("mien.deploy")


def deployment_fields(value: Any) -> dict[str, Any]:
    """Return JSON fields that describe a deployment: `deployment`, and its name in version 0.1.0.

    Settings files and `/v1/recognizer` have both, so that files and clients of 0.1.0 go on working.
    """
    return {"deployment": value, "vessel": value}


def deployment_kind(settings: Any) -> str | None:
    """Return the kind that a settings file states: lambda, app or page; None if it states none."""
    kind = None
    if isinstance(settings, dict):
        kind = settings.get("deployment", settings.get("vessel"))
    return kind if isinstance(kind, str) else None


class _HttpError(Exception):
    """An error response of this module's own, with status, detail and hint."""

    def __init__(self, status: int, detail: str, hint: str) -> None:
        super().__init__(detail)
        self.status = status
        self.hint = hint


class RecognizerService:
    """HTTP service of a deployment's recognizer; safe to call from many threads at once.

    Args:
        folder: contains `RECOGNIZER`, `PORTRAIT`, `SETTINGS` and, optionally, `PAGE`.
        threads: how many threads one photo may use; 0 for as many as there are cores.
        key: required as `Authorization: Bearer KEY`; empty for no key. Only the page's files, the
            health check and preflight requests (OPTIONS) need none.

    Raises:
        RecognizerNotFound: the folder has no recognizer file.
        NotARecognizer: the recognizer file is damaged.
    """

    def __init__(self, folder: Path, *, threads: int = 0, key: str = "") -> None:
        self._recognizer = Recognizer.load(folder / RECOGNIZER, threads=threads)
        self._settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        self._portrait_file = folder / PORTRAIT
        self._portrait: Session | None = None
        self._lock = threading.Lock()
        self._threads = threads
        self._key = key
        self._wrong = RateLimiter(WRONG_PER_SECOND, WRONG_BURST)
        self._files = _static(folder / PAGE)
        self._listing = (
            "GET /, /healthz or /v1/recognizer; POST a photo to /v1/identify, /v1/align, "
            f"/face-align or /classify/{self._settings['handle']}."
        )

    @classmethod
    def from_environment(cls, folder: Path) -> RecognizerService:
        """Return the service of a folder, configured by `MIEN_THREADS` and `MIEN_API_KEY`."""
        return cls(
            folder,
            threads=int(os.environ.get("MIEN_THREADS") or 0),
            key=os.environ.get("MIEN_API_KEY", ""),
        )

    def answer(self, request: Request) -> Response:
        """Return the response; a bad request gets a problem document and raises nothing."""
        if request.method == "OPTIONS" and self._settings["cors"]:
            return self._complete(request, Response(204, "text/plain", b""))
        return self.refusal(request) or self._complete(request, self._answer(request))

    def refusal(self, request: Request) -> Response | None:
        """Return the response to a request without the key; None if it may be answered.

        Wrong keys are limited per address, in each process; further ones get status 429. The body
        is not looked at, and need not be there.
        """
        if not self._key or self._is_open(request):
            return None
        given = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if hmac.compare_digest(given.encode(errors="surrogatepass"), self._key.encode()):
            return None  # however many wrong keys its address has sent
        problem = plain_problem(401, "a key is needed", "Send it as `Authorization: Bearer KEY`.")
        more = {"WWW-Authenticate": "Bearer"}
        try:
            if given:
                self._wrong.take(network_of(request.client), "too many wrong keys")
        except TooManyRequests as error:
            problem = problem_of(error)
            more = {"Retry-After": str(retry_after(problem))}
        response = as_problem(problem)
        return self._complete(
            request, Response(response.status, response.kind, response.body, more)
        )

    def _is_open(self, request: Request) -> bool:
        """Return whether a request is answered without the key: it gets no name and no photo."""
        if request.method == "OPTIONS":
            return True
        files = request.path in self._files or request.path == _HEALTH
        return files and request.method in {"GET", "HEAD"}

    def _complete(self, request: Request, response: Response) -> Response:
        return Response(
            response.status,
            response.kind,
            b"" if request.method == "HEAD" else response.body,
            {**response.headers, **self._common_headers()},
        )

    def _common_headers(self) -> dict[str, str]:
        headers = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
        if self._settings["cors"]:
            headers["Access-Control-Allow-Origin"] = self._settings["cors"]
            headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
            headers["Access-Control-Max-Age"] = "86400"
            headers["Vary"] = "Origin"
        return headers

    def _answer(self, request: Request) -> Response:
        try:
            return self._route(request)(request)
        except _HttpError as error:
            return as_problem(plain_problem(error.status, str(error), error.hint))
        except MienError as error:
            problem = _problem_of(error)
            course = request.path.startswith(("/classify/", "/face-align"))
            if course and isinstance(error, BadRequest | PhotoError | FaceError):
                # Clients of these two paths expect one status for every unusable photo.
                problem["status"] = 412
            return as_problem(problem)

    def _route(self, request: Request) -> Callable[[Request], Response]:
        get: dict[str, Callable[[Request], Response]] = {
            _HEALTH: self._health,
            "/v1/recognizer": self._about,
            **dict.fromkeys(self._files, self._file),
        }
        post: dict[str, Callable[[Request], Response]] = {
            "/v1/identify": self._identify,
            "/v1/align": self._align,
            "/face-align": self._face_align,
        }
        if request.path.startswith("/classify/"):
            post[request.path] = self._classify
        routes = get if request.method in {"GET", "HEAD"} else post
        if request.method == "OPTIONS":
            raise _HttpError(405, "other sites may not ask", "The deployer can allow one (CORS).")
        if request.path not in routes or request.method not in {"GET", "HEAD", "POST"}:
            if request.path in {**get, **post}:
                allowed = "GET" if request.path in get else "POST"
                detail = f"{request.path} does not take {request.method}"
                raise _HttpError(405, detail, f"It takes {allowed}.")
            raise _HttpError(404, f"there is nothing at {request.path}", self._listing)
        return routes[request.path]

    def _health(self, _: Request) -> Response:
        return as_json({"status": "ok"})

    def _about(self, _: Request) -> Response:
        # In the file's metadata `kind` is that of the head. Here, as in `mien serve`, it is that of
        # the backend.
        info = {**self._recognizer.info(), "handle": self._settings["handle"], "kind": "file"}
        return as_json({"recognizers": [info], **deployment_fields(self._settings)})

    def _file(self, request: Request) -> Response:
        path = self._files[request.path]
        media_type = _MEDIA_TYPES.get(path.suffix, "application/octet-stream")
        headers = {"Content-Security-Policy": _PAGE_POLICY} if media_type == "text/html" else {}
        charset = "; charset=utf-8" if media_type.startswith("text/") else ""
        return Response(200, media_type + charset, path.read_bytes(), headers)

    def _identify(self, request: Request) -> Response:
        crops = request.query.get("crops") == "true"
        top = _number(request, "top", 5, 1, 10)
        files = uploads(request)
        if not files:
            raise _HttpError(422, "no photo was sent", "Send it as the file field `file`.")
        results = [self._identify_one(upload, top, crops=crops) for upload in files]
        about = {"handle": self._settings["handle"], "kind": "file"}
        return as_json({"results": results, "recognizer": about})

    def _identify_one(self, upload: UploadedFile, top: int, *, crops: bool) -> dict[str, Any]:
        row: dict[str, Any] = {"photo": upload.name, "faces": [], "error": None}
        try:
            photo = self._read(upload)
            faces = self._recognizer.identify(photo)
        except MienError as error:
            return {**row, "error": _problem_of(error)}
        width, height = (round(side / photo.scale) for side in (photo.width, photo.height))
        listed = [
            face.to_dict(
                top=top, crop=data_url(encode_jpeg(face.crop, quality=90)) if crops else None
            )
            for face in faces
        ]
        return {**row, "width": width, "height": height, "faces": listed}

    def _align(self, request: Request) -> Response:
        size = _number(request, "size", PORTRAIT_SIDE, 16, PORTRAIT_SIDE)
        number = _number(request, "face", 0, 1, 1000)
        portrait = self._portrait_of(self._single_photo(request), number)
        if size != PORTRAIT_SIDE:
            portrait = np.asarray(
                Image.fromarray(portrait).resize((size, size), Image.Resampling.LANCZOS)
            )
        return Response(200, "image/jpeg", encode_jpeg(portrait))

    def _face_align(self, request: Request) -> Response:
        portrait = self._portrait_of(self._single_photo(request, course=True), 0)
        return as_json(data_url(encode_jpeg(portrait)))

    def _classify(self, request: Request) -> Response:
        handle = request.path.removeprefix("/classify/")
        if handle != self._settings["handle"]:
            raise _HttpError(404, f"there is no recognizer {handle!r}", self._listing)
        photo = self._read(self._single_photo(request, course=True))
        faces = self._recognizer.identify(photo)
        face = faces[_face_index(faces, None, photo)]
        index = {person: number for number, person in enumerate(self._recognizer.people)}
        return as_json(
            [
                {
                    "class_idx": index[candidate.name],
                    "class_name": candidate.name,
                    "confidence": candidate.probability,
                }
                for candidate in face.candidates[:_MAX_CLASSIFY]
            ]
        )

    def _single_photo(self, request: Request, *, course: bool = False) -> UploadedFile:
        """Return the first photo of a request; `course` selects the statuses of those two paths."""
        files = uploads(request)
        if not files:
            raise _HttpError(
                412 if course else 422, "no photo was sent", "Send it as the file field `file`."
            )
        if not files[0].name:
            raise _HttpError(417 if course else 422, "no photo was chosen", "Choose a file.")
        return files[0]

    def _read(self, upload: UploadedFile) -> Photo:
        return decode_photo(upload.data, name=upload.name, long_side=self._recognizer.max_long_side)

    def _portrait_of(self, upload: UploadedFile, number: int) -> NDArray[np.uint8]:
        """Return one face, (600, 600, 3) uint8 RGB: by number from the left, 0 for the largest."""
        photo = self._read(upload)
        faces = self._recognizer.identify(photo)
        face = faces[_face_index(faces, number or None, photo)]
        with self._lock:
            if self._portrait is None:
                model = self._portrait_file.read_bytes()
                self._portrait = Session(model, name=PORTRAIT, threads=self._threads)
        points = (face.points * photo.scale)[None].astype(np.float32)
        (portraits,) = self._portrait.run("crops", image=photo.pixels, points=points)
        portrait: NDArray[np.uint8] = portraits[0]
        return portrait


def _problem_of(error: MienError) -> dict[str, Any]:
    """Return an error's problem document; log the details that the client does not get."""
    if is_fault(error):
        _log.error("%s", printable(f"{error} {error.hint}"))
    return problem_of(error)


def _face_index(faces: list[Face], number: int | None, photo: Photo) -> int:
    boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
    return select_face(boxes, number, photo=photo.name)


def _number(request: Request, name: str, default: int, minimum: int, maximum: int) -> int:
    """Return an integer query parameter; answer 422 if it is out of range."""
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not minimum <= int(text) <= maximum:
        detail = f"{name} must be a whole number from {minimum} to {maximum}"
        raise _HttpError(422, detail, f"Send {name}={maximum}, for example, or leave it out.")
    return int(text)


def _static(folder: Path) -> dict[str, Path]:
    """Return the page's files by their request path."""
    files = {
        "/" + path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if "/index.html" in files:
        files["/"] = files["/index.html"]
    return files
