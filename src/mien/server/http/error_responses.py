"""Errors as answers: every one a problem document, whoever raised it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mien import errors
from mien.problems import KIND, is_fault, plain_problem, problem_of

UNFORESEEN, IN_THE_LOG = "something went wrong here", "The server's log says what."

RETRY_SECONDS = 1
"""What a client is told to wait where the server is busy."""

_HINTS: Mapping[int, str] = {
    400: "openapi.json says what the body is to be.",
    404: "Look at the address; openapi.json lists those of the API.",
    405: "The header Allow says which methods this address takes.",
}
"""For answers that come from the router, not from an error of the tree."""

_log = logging.getLogger("mien.server")


def answer(problem: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document as a response."""
    status = int(problem["status"])
    more = dict(headers or {})
    if status in {429, 503}:
        more.setdefault("Retry-After", str(_seconds(str(problem.get("hint", "")))))
    if status == HTTPStatus.UNAUTHORIZED:
        more.setdefault("WWW-Authenticate", "Bearer")
    body = json.dumps(dict(problem), ensure_ascii=False, default=str)
    # Names that no text can hold come from file names: they are replaced, not a failure.
    return Response(body.encode("utf-8", "replace"), status, more, KIND)


def answer_to(error: errors.MienError) -> Response:
    """Return an error as a response; what the client is not told is logged."""
    log_fault(error)
    return answer(problem_of(error))


def log_fault(error: errors.MienError) -> None:
    """Log an error that is the server's own."""
    if is_fault(error):
        _log.error("%s: %s %s", type(error).__name__, error, error.hint)


def install(app: FastAPI) -> None:
    """Have an app answer errors with problem documents."""

    async def known(_: Request, error: Exception) -> Response:
        assert isinstance(error, errors.MienError)  # noqa: S101 - as it was registered
        return answer_to(error)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return answer(plain_problem(422, _first(error), "See openapi.json for what is expected."))

    async def other(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        detail = "" if error.detail is None else str(error.detail)
        hint = _HINTS.get(error.status_code, "")
        return answer(plain_problem(error.status_code, detail, hint), error.headers)

    async def unforeseen(_: Request, error: Exception) -> Response:
        _log.error("unforeseen", exc_info=error)
        return answer(plain_problem(500, UNFORESEEN, IN_THE_LOG))

    app.add_exception_handler(errors.MienError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, other)
    app.add_exception_handler(Exception, unforeseen)


def _first(error: RequestValidationError) -> str:
    for found in error.errors():
        where = ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0])
        return f"{where}: {found['msg']}"
    return "the request cannot be understood"


def _seconds(hint: str) -> int:
    found = re.search(r"in (\d+) s", hint)
    return int(found[1]) if found else RETRY_SECONDS
