"""HTTP requests and responses as plain values, independent of Lambda and WSGI."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mien.deploy.service.form import files_of_form
from mien.problems import MEDIA_TYPE
from mien.request_limits import MAX_NAME
from mien.text import printable

MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request.

    Attributes:
        method: in upper case.
        path: percent-decoded, begins with a slash.
        query: the last value of each parameter.
        headers: by name in lower case.
        body: the raw bytes.
        client: IP address of the client, or of the proxy before the service; empty if unknown.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response.

    Attributes:
        status: the status code.
        kind: the content type.
        body: the raw bytes.
        headers: all but the content type and length.
    """

    status: int
    kind: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_text(self) -> bool:
        """Whether the body is UTF-8."""
        return self.kind.startswith("text/") or "json" in self.kind or "javascript" in self.kind


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file in a request.

    Attributes:
        name: the client's file name; empty where a form's file field was left empty.
        data: its bytes.
    """

    name: str
    data: bytes


def as_json(value: Any, status: int = 200, kind: str = "application/json") -> Response:
    """Return a JSON response in UTF-8, without escapes of other scripts."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Response(status, kind, text.encode())


def as_problem(problem: Mapping[str, Any]) -> Response:
    """Return a problem document (RFC 9457) as a response."""
    return as_json(problem, int(problem["status"]), MEDIA_TYPE)


def uploads(request: Request, field_name: str = "file") -> list[UploadedFile]:
    """Return the files of a request: those of a form field, or the whole body as one file.

    Raises:
        BadRequest: the header says that the body is a form, and it cannot be parsed.
        RequestTooLarge: more photos or fields than the limits.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith(MULTIPART):
        return [UploadedFile("photo", request.body)] if request.body else []
    return [
        UploadedFile(printable(name, MAX_NAME), data)
        for name, data in files_of_form(kind, request.body, field_name)
    ]
