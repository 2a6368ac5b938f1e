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
from mien.problems import plain_problem
from mien.request_limits import MAX_BODY

Start = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]


def application_of(folder: Path) -> Application:
    """Return the WSGI application of a deployment's folder, with its recognizer loaded."""
    service = RecognizerService.from_environment(folder)

    def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        refused = service.refusal(request_of(environ, b""))
        if refused is not None:  # before the body is read
            return _send(refused, start)
        body = _body(environ)
        if body is None:
            too_large = f"the request is larger than {MAX_BODY >> 20} MiB"
            hint = "Send fewer photos at once, or smaller ones."
            return _send(as_problem(plain_problem(413, too_large, hint)), start)
        return _send(service.answer(request_of(environ, body)), start)

    return application


def _body(environ: dict[str, Any]) -> bytes | None:
    """Return the body of a request; None where it is too large."""
    stated = environ.get("CONTENT_LENGTH") or ""
    if stated.isascii() and stated.isdigit() and int(stated[:20]) > MAX_BODY:
        return None
    body: bytes = environ.get("wsgi.input", io.BytesIO()).read(MAX_BODY + 1)
    return None if len(body) > MAX_BODY else body


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
