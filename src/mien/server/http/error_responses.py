"""Error responses: every error becomes a problem document (RFC 9457)."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from mien import errors
from mien.problems import MEDIA_TYPE, is_fault, plain_problem, problem_of, retry_after

INTERNAL_ERROR, SEE_LOG = "an internal error occurred", "The server's log has the details."

_HINTS: Mapping[int, str] = {
    400: "openapi.json describes the expected body.",
    404: "Check the address; openapi.json lists the addresses of the API.",
    405: "The header Allow lists the methods of this address.",
}
"""Hints for errors of the router, which are not in the project's error tree."""

_log = logging.getLogger("mien.server")


def problem_response(
    problem: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """Return a problem document as a response."""
    status = int(problem["status"])
    more = dict(headers or {})
    if status in {429, 503}:
        more.setdefault("Retry-After", str(retry_after(problem)))
    if status == HTTPStatus.UNAUTHORIZED:
        more.setdefault("WWW-Authenticate", "Bearer")
    body = json.dumps(dict(problem), ensure_ascii=False, default=str)
    # File names may contain characters that UTF-8 cannot encode: they are replaced.
    return Response(body.encode("utf-8", "replace"), status, more, MEDIA_TYPE)


def error_response(error: errors.MienError) -> Response:
    """Return the response for an error; details hidden from the client are logged."""
    log_fault(error)
    return problem_response(problem_of(error))


def log_fault(error: errors.MienError) -> None:
    """Log an error that is the server's fault, not the request's."""
    if is_fault(error):
        _log.error("%s: %s %s", type(error).__name__, error, error.hint)


def install_error_handlers(app: FastAPI) -> None:
    """Install handlers that answer every error with a problem document."""

    async def known(_: Request, error: Exception) -> Response:
        assert isinstance(error, errors.MienError)  # noqa: S101 - registered for this type
        return error_response(error)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        return problem_response(
            plain_problem(422, _first(error), "openapi.json describes the expected request.")
        )

    async def other(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        detail = "" if error.detail is None else str(error.detail)
        hint = _HINTS.get(error.status_code, "")
        return problem_response(plain_problem(error.status_code, detail, hint), error.headers)

    async def internal(_: Request, error: Exception) -> Response:
        _log.error("internal error", exc_info=error)
        return problem_response(plain_problem(500, INTERNAL_ERROR, SEE_LOG))

    app.add_exception_handler(errors.MienError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, other)
    app.add_exception_handler(Exception, internal)


def _first(error: RequestValidationError) -> str:
    for found in error.errors():
        where = ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0])
        return f"{where}: {found['msg']}"
    return "the request is not valid"
