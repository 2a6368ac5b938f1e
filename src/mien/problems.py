"""Errors as problem details (RFC 9457): one status and one document for each leaf of the tree.

For whatever speaks HTTP, the server and the vessels alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from mien import errors

KIND = "application/problem+json"

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


def status_of(error: errors.MienError) -> int:
    """Return the HTTP status of an error: that of the nearest branch that has one."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem_of(error: errors.MienError) -> dict[str, Any]:
    """Return what a problem document says of an error."""
    found: dict[str, Any] = {
        "type": f"urn:mien:problem:{slug(type(error).__name__)}",
        "title": (type(error).__doc__ or "").strip().partition("\n")[0] or type(error).__name__,
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


def slug(name: str) -> str:
    """Return `NoFace` as `no-face`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()
