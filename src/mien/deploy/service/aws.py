"""Lambda adapter of the service: events of Function URLs, HTTP APIs and REST APIs."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from mien.deploy.service.core import RecognizerService
from mien.deploy.service.messages import Request, Response, as_problem
from mien.problems import plain_problem

MAX_PAYLOAD = 6 << 20
"""Limit in bytes of an event or a result; binary bodies travel in base64, a third longer."""

Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


def handler_of(folder: Path) -> Handler:
    """Return the function that Lambda calls for each event; the recognizer is loaded once, here.

    Args:
        folder: of the deployment.
    """
    service = RecognizerService.from_environment(folder)

    def handle(event: Mapping[str, Any], _: Any) -> dict[str, Any]:
        try:
            request = request_of(event)
        except (AttributeError, KeyError, TypeError, ValueError):  # of no form that a host sends
            response = as_problem(
                plain_problem(
                    400,
                    "this is not an event of a Function URL or API Gateway",
                    "Call the function at the URL that its template printed.",
                )
            )
        else:
            response = service.answer(request)
        return result_of(response, event)

    return handle


def request_of(event: Mapping[str, Any]) -> Request:
    """Return the HTTP request of an event.

    Function URLs and HTTP APIs send events of version 2.0; REST APIs send the others.

    Raises:
        AttributeError, KeyError, TypeError: the event is of another kind.
        ValueError: the body is marked as base64 and is not.
    """
    body = event.get("body") or ""
    data = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
    context = event.get("requestContext") or {}
    if event.get("version") == "2.0":
        path, method = event["rawPath"], context["http"]["method"]
        client = context["http"].get("sourceIp")
        query = dict(parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True))
    else:
        path, method = event["path"], event["httpMethod"]
        client = (context.get("identity") or {}).get("sourceIp")
        query = dict(event.get("queryStringParameters") or {})
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if not all(isinstance(text, str) for text in (*query.values(), *headers.values())):
        raise TypeError("parameters and headers are texts")
    path.encode()  # JSON can hold a lone surrogate, which a response cannot
    return Request(
        method=method.upper(),
        path=_without_stage(unquote(path), context.get("stage") or "$default"),
        query=query,
        headers=headers,
        body=data,
        client=client or "",
    )


def _without_stage(path: str, stage: str) -> str:
    """Return a path without the stage name, which HTTP APIs put first."""
    prefix = f"/{stage}"
    if stage != "$default" and (path == prefix or path.startswith(prefix + "/")):
        return path.removeprefix(prefix) or "/"
    return path or "/"


def result_of(response: Response, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a response as a Lambda result; 413 where Lambda would reject its size."""
    body = response.body.decode() if response.is_text else base64.b64encode(response.body).decode()
    if len(body) >= MAX_PAYLOAD:
        too_large = "the response is larger than Lambda allows"
        hint = "Send fewer photos at once, or leave out crops=true."
        return result_of(as_problem(plain_problem(413, too_large, hint)), event)
    return {
        "statusCode": response.status,
        "headers": {"Content-Type": response.kind, **response.headers},
        "body": body,
        "isBase64Encoded": not response.is_text,
    }
