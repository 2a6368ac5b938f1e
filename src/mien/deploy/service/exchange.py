"""A request and its answer, whoever carries them: the one HTTP core knows no server."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from python_multipart import parse_form
from python_multipart.exceptions import FormParserError

from mien.errors import BadRequest
from mien.problems import MEDIA_TYPE

MULTIPART = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes:
        method: in capitals.
        path: percent-decoded, begins with a slash.
        query: the last value of each parameter.
        headers: by name in lower case.
        body: as it was sent.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered.

    Attributes:
        status: of HTTP.
        kind: the content type.
        body: as it is to be sent.
        headers: more of them.
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
class SentFile:
    """A file that was sent.

    Attributes:
        name: as the sender calls it; empty where a form's file field was left empty.
        data: its bytes.
    """

    name: str
    data: bytes


def as_json(value: Any, status: int = 200, kind: str = "application/json") -> Response:
    """Return an answer of JSON, names as they are written."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return Response(status, kind, text.encode())


def as_problem(problem: Mapping[str, Any]) -> Response:
    """Return a problem document (RFC 9457) as an answer."""
    return as_json(problem, int(problem["status"]), MEDIA_TYPE)


def uploads(request: Request, field_name: str = "file") -> list[SentFile]:
    """Return the files of a request: those of a form's field, or the whole body as one.

    Raises:
        BadRequest: the body is not the form that its header says it is.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith(MULTIPART):
        return [SentFile("photo", request.body)] if request.body else []
    found: list[SentFile] = []

    def take(file: Any) -> None:
        if file.field_name == field_name.encode():
            file.file_object.seek(0)
            name = (file.file_name or b"").decode("utf-8", "replace")
            found.append(SentFile(name, file.file_object.read()))
        file.close()

    try:
        parse_form({"Content-Type": kind.encode()}, io.BytesIO(request.body), None, take)
    except (FormParserError, ValueError) as error:
        raise BadRequest(
            f"the form cannot be read: {error}", hint="Send the photo as the file field `file`."
        ) from error
    return found
