"""WSGI adapter of the service, for app hosts."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from mien.deploy.service.core import RecognizerService
from mien.deploy.service.messages import Request, Response, as_problem
from mien.photo import MAX_BYTES
from mien.problems import plain_problem

Start = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]

_MAX_BODY = MAX_BYTES + (1 << 16)
"""Limit in bytes of a request: a photo and the form around it."""


def application_of(folder: Path) -> Application:
    """Return the WSGI application of a deployment's folder, with its recognizer loaded."""
    service = RecognizerService.from_environment(folder)

    def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        refused = service.refusal(request_of(environ, b""))
        if refused is not None:  # before the body is read
            return _send(refused, start)
        body = environ.get("wsgi.input", io.BytesIO()).read(_MAX_BODY + 1)
        if len(body) > _MAX_BODY:
            too_large = f"the photo is larger than {MAX_BYTES >> 20} MiB"
            response = as_problem(plain_problem(413, too_large, "Export it as a smaller JPEG."))
        else:
            response = service.answer(request_of(environ, body))
        return _send(response, start)

    return application


def request_of(environ: dict[str, Any], body: bytes) -> Request:
    """Return the request that a WSGI environment describes."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}
    }
    # WSGI passes the path's UTF-8 bytes as Latin-1 characters.
    path = environ.get("PATH_INFO") or "/"
    return Request(
        method=environ["REQUEST_METHOD"],
        path=path.encode("latin-1").decode("utf-8", "replace"),
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers=headers,
        body=body,
        client=environ.get("REMOTE_ADDR", ""),
    )


def _send(response: Response, start: Start) -> Iterable[bytes]:
    phrase = HTTPStatus(response.status).phrase
    headers = {
        "Content-Type": response.kind,
        "Content-Length": str(len(response.body)),
        **response.headers,
    }
    if response.status == HTTPStatus.NO_CONTENT:
        del headers["Content-Length"], headers["Content-Type"]
    start(f"{response.status} {phrase}", list(headers.items()))
    return [response.body]
