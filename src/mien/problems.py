"""Errors as problem documents (RFC 9457): one HTTP status per class of the error tree.

Used by the server and by the deployed services.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from mien import errors

MEDIA_TYPE = "application/problem+json"

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
"""HTTP status by error class; the nearest base class counts. A test walks all leaves."""

_SERVER_FAULTS = (
    errors.GalleryError,
    errors.RecognizerError,
    errors.ModelError,
    errors.OutputError,
)
_REQUEST_ERRORS = (
    errors.UnknownPerson,
    errors.UnknownPicture,
    errors.NameTaken,
    errors.InvalidName,
    errors.EnrolmentRefused,
    errors.GalleryBusy,
)

_HINTS: Mapping[type[errors.MienError], str] = {
    errors.UnknownPerson: "GET /v1/people lists all people.",
    errors.UnknownPicture: "GET /v1/people/{id} lists the photos of a person.",
    errors.NameTaken: "Choose another name, or merge the two: POST /v1/people/{id}/merge.",
}
"""Hints for HTTP clients, where the error's own hint is about Python."""

_SEE_LOG = "The log of this service has the details."

_RETRY_SECONDS = 1
"""Value of Retry-After where the hint names none."""


def status_of(error: errors.MienError) -> int:
    """Return the HTTP status of an error: that of its nearest base class in `STATUS`."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def is_fault(error: errors.MienError) -> bool:
    """Return whether an error is the service's fault, not the request's.

    Its message may contain paths: it is logged and not sent to clients.
    """
    return isinstance(error, _SERVER_FAULTS) and not isinstance(error, _REQUEST_ERRORS)


def problem_of(error: errors.MienError) -> dict[str, Any]:
    """Return the problem document of an error.

    Returns:
        `type`, `title`, `status`, `detail` and `hint`; for a refused enrolment also `evidence`
        and `reason`.
    """
    kind = type(error)
    title = (kind.__doc__ or "").strip().partition("\n")[0] or kind.__name__
    fault = is_fault(error)
    found: dict[str, Any] = {
        "type": f"urn:mien:problem:{slug(kind.__name__)}",
        "title": title,
        "status": status_of(error),
        "detail": title if fault else str(error),
        "hint": _SEE_LOG if fault else _HINTS.get(kind, error.hint),
    }
    if isinstance(error, errors.EnrolmentRefused):
        found["evidence"] = error.evidence
        found["reason"] = error.reason
    return found


def plain_problem(status: int, detail: str = "", hint: str = "") -> dict[str, Any]:
    """Return a problem document for a response without an error of the tree."""
    title = HTTPStatus(status).phrase
    return {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or title,
        "hint": hint,
    }


def retry_after(problem: Mapping[str, Any]) -> int:
    """Return the value of Retry-After in seconds: that which the problem's hint names."""
    found = re.search(r"in (\d+) s", str(problem.get("hint", "")))
    return int(found[1]) if found else _RETRY_SECONDS


def slug(name: str) -> str:
    """Return a class name in kebab case: `NotAGallery` as `not-a-gallery`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
