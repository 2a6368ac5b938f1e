"""The Lambda skin of the service: events of Function URLs and both kinds of API Gateway."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from mien.deploy.service.core import RecognizerService
from mien.deploy.service.exchange import Request, Response, as_problem
from mien.problems import plain_problem

MAX_PAYLOAD = 6 << 20
"""Most bytes of an event or an answer; what is binary is in base64 there, a third longer."""

Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


def handler_of(folder: Path) -> Handler:
    """Return the function that Lambda calls for each event, its recognizer loaded.

    Args:
        folder: of the vessel.
    """
    service = RecognizerService.from_environment(folder)

    def handle(event: Mapping[str, Any], _: Any) -> dict[str, Any]:
        try:
            request = request_of(event)
        except (binascii.Error, KeyError, ValueError):
            response = as_problem(
                plain_problem(
                    400,
                    "this is no event of a Function URL or API Gateway",
                    "Call the function by the address that its template printed.",
                )
            )
        else:
            response = service.answer(request)
        return result_of(response, event)

    return handle


def request_of(event: Mapping[str, Any]) -> Request:
    """Return the request that an event carries.

    Events of version 2.0 come from Function URLs and HTTP APIs, all others from REST APIs.

    Raises:
        KeyError: it is no event of these.
        ValueError: its body is not base64, though it says so.
    """
    body = event.get("body") or ""
    data = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    context = event.get("requestContext") or {}
    if event.get("version") == "2.0":
        path, method = event["rawPath"], context["http"]["method"]
        query = dict(parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True))
    else:
        path, method = event["path"], event["httpMethod"]
        query = dict(event.get("queryStringParameters") or {})
    return Request(
        method=method.upper(),
        path=_without_stage(unquote(path), context.get("stage") or "$default"),
        query=query,
        headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
        body=data,
    )


def _without_stage(path: str, stage: str) -> str:
    """Return a path without the stage that HTTP APIs put before it."""
    begins = f"/{stage}"
    if stage != "$default" and (path == begins or path.startswith(begins + "/")):
        return path.removeprefix(begins) or "/"
    return path or "/"


def result_of(response: Response, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as Lambda wants it for the kind of event it is of."""
    body = response.body.decode() if response.is_text else base64.b64encode(response.body).decode()
    if len(body) >= MAX_PAYLOAD:
        too_large = "the answer is larger than Lambda allows"
        hint = "Send fewer photos at once, or ask without crops."
        return result_of(as_problem(plain_problem(413, too_large, hint)), event)
    return {
        "statusCode": response.status,
        "headers": {"Content-Type": response.kind, **response.headers},
        "body": body,
        "isBase64Encoded": not response.is_text,
    }
