"""Errors as problem details (RFC 9457): one status and one document for each leaf of the tree.

For everything that speaks HTTP: the server and the deployments.
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
    errors.DeployError: 503,
    errors.OutputError: 507,
}
"""The nearest entry up the tree holds; a test walks all leaves."""

_FAULTS = (errors.GalleryError, errors.RecognizerError, errors.ModelError, errors.OutputError)
_OF_REQUESTS = (
    errors.UnknownPerson,
    errors.UnknownPicture,
    errors.NameTaken,
    errors.InvalidName,
    errors.EnrolmentRefused,
    errors.GalleryBusy,
)

_HINTS: Mapping[type[errors.MienError], str] = {
    errors.UnknownPerson: "GET /v1/people lists everybody.",
    errors.UnknownPicture: "GET /v1/people/{id} lists somebody's photos.",
    errors.NameTaken: "Take another name, or make the two one: POST /v1/people/{id}/merge.",
}
"""Where an error's own hint is for whoever sits at the command line."""

_TOLD_IN_THE_LOG = "The log of whatever answers here says more."


def status_of(error: errors.MienError) -> int:
    """Return the HTTP status of an error: that of the nearest branch that has one."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def is_fault(error: errors.MienError) -> bool:
    """Return whether an error is of what answers and not of what was asked.

    Its text may name files, which no client is told: it belongs into the log.
    """
    return isinstance(error, _FAULTS) and not isinstance(error, _OF_REQUESTS)


def problem_of(error: errors.MienError) -> dict[str, Any]:
    """Return what a problem document says of an error."""
    kind = type(error)
    title = (kind.__doc__ or "").strip().partition("\n")[0] or kind.__name__
    fault = is_fault(error)
    found: dict[str, Any] = {
        "type": f"urn:mien:problem:{slug(kind.__name__)}",
        "title": title,
        "status": status_of(error),
        "detail": title if fault else str(error),
        "hint": _TOLD_IN_THE_LOG if fault else _HINTS.get(kind, error.hint),
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
    """Return `NoFace` as `no-face` and `NotAGallery` as `not-a-gallery`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
