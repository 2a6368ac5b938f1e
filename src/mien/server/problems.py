"""Errors as answers: problem details (RFC 9457), one status for each leaf of the tree."""

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

KIND = "application/problem+json"

RETRY_SECONDS = 1
"""What a client is told to wait where the server is busy."""

STATUS: Mapping[type[errors.MienError], int] = {
    errors.PhotoError: 422,
    errors.PhotoNotFound: 404,
    errors.PhotoTooLarge: 413,
    errors.UnsupportedPhoto: 415,
    errors.FaceError: 422,
    errors.ModelError: 503,
    errors.RecognizerError: 503,
    errors.ContractMismatch: 409,
    errors.DatasetError: 422,
    errors.DatasetBusy: 409,
    errors.TrainingError: 422,
    errors.EvaluationError: 422,
    errors.GalleryError: 503,
    errors.GalleryExists: 409,
    errors.UnknownPerson: 404,
    errors.UnknownPicture: 404,
    errors.NameTaken: 409,
    errors.InvalidName: 422,
    errors.EnrolmentRefused: 422,
    errors.BadExport: 422,
    errors.ServerError: 503,
    errors.UnknownKey: 404,
    errors.KeyNeeded: 401,
    errors.NotAllowed: 403,
    errors.TooManyRequests: 429,
    errors.RequestTooLarge: 413,
    errors.RequestTooSlow: 408,
    errors.BadRequest: 422,
    errors.NotServed: 404,
    errors.JobRefused: 409,
    errors.ShipError: 503,
    errors.OutputError: 507,
}
"""The nearest entry up the tree holds; a test walks all leaves."""

_HINTS: Mapping[int, str] = {
    404: "Look at the address; openapi.json lists all there are.",
    405: "The header Allow says which methods this address takes.",
}
"""For answers that come from the router, not from an error of the tree."""

_log = logging.getLogger("mien.server")


def status_of(error: errors.MienError) -> int:
    """Return the HTTP status of an error: that of the nearest branch that has one."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem_of(error: errors.MienError) -> dict[str, Any]:
    """Return what a problem document says of an error."""
    found: dict[str, Any] = {
        "type": f"urn:mien:problem:{slug(type(error).__name__)}",
        "title": (type(error).__doc__ or "").strip().splitlines()[0],
        "status": status_of(error),
        "detail": str(error),
        "hint": error.hint,
    }
    if isinstance(error, errors.EnrolmentRefused):
        found["evidence"] = error.evidence
        found["reason"] = error.reason
    return found


def plain_problem(status: int, detail: str = "", hint: str = "") -> dict[str, Any]:
    """Return a problem document for an answer that comes from no error of the tree."""
    title = HTTPStatus(status).phrase
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or title,
        "hint": hint,
    }


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
    """Return an error as a response."""
    return answer(problem_of(error))


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
        return answer(
            plain_problem(500, "something went wrong here", "The server's log says what.")
        )

    app.add_exception_handler(errors.MienError, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, other)
    app.add_exception_handler(Exception, unforeseen)


def slug(name: str) -> str:
    """Return `NoFace` as `no-face`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _first(error: RequestValidationError) -> str:
    for found in error.errors():
        where = ".".join(str(part) for part in found["loc"][1:]) or str(found["loc"][0])
        return f"{where}: {found['msg']}"
    return "the request cannot be understood"


def _seconds(hint: str) -> int:
    found = re.search(r"in (\d+) s", hint)
    return int(found[1]) if found else RETRY_SECONDS
