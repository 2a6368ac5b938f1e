"""Small JSON bodies; the first byte says which route, or that it is an event of a function."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

_ROUTES = 8
_BODIES: tuple[Any, ...] = (
    {"key": "mien_0123456789abcdef_secret"},
    {"name": "Ada", "consent": "yes"},
    {"name": "Zoë"},
    {"consent": None},
    {"other": "0123456789ab"},
    {"face_token": "t", "not": "0123456789ab"},
    {"face_token": "t", "is": {"name": "Ada"}},
    {"face_token": "t", "is": "0123456789ab", "not": None},
    {"version": 2},
    {"version": "2"},
    {"people": ["Ada"], "remember": True},
    [], {}, None, "text", 1e300, [[[[[[[[]]]]]]]],
)  # fmt: skip
_RAW = (
    b"", b"{", b'{"name": "\\ud800"}', b'{"name": "a\\u0000b"}', b'{"name": NaN}', b"\xff\xfe{}",
    b'\xef\xbb\xbf{"name": "Ada"}', b'{"name": 1, "name": 2}', b"[" * 900, b'{"a":' * 300,
    b'{"name": "' + b"9" * 900 + b'"}', b'{"version": ' + b"9" * 900 + b"}",
)  # fmt: skip
_FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"'
    b"\r\n\r\nphoto\r\n--b--\r\n"
)
_HEADERS = {"Content-Type": "multipart/form-data; boundary=b"}


def seeds() -> Mapping[str, bytes]:
    """Return the inputs by file name."""
    found = {}
    for number, body in enumerate((*(json.dumps(b).encode() for b in _BODIES), *_RAW)):
        found[f"body-{number:02}"] = bytes([number % _ROUTES]) + body
    for number, event in enumerate(_events()):
        found[f"event-{number:02}"] = b"\xff" + json.dumps(event).encode()
    return found


def _events() -> list[Any]:
    packed = base64.b64encode(_FORM).decode()
    second = {
        "version": "2.0", "rawPath": "/v1/identify", "rawQueryString": "top=3&crops=true",
        "headers": _HEADERS, "requestContext": {"http": {"method": "POST"}, "stage": "$default"},
        "body": packed, "isBase64Encoded": True,
    }  # fmt: skip
    first = {
        "path": "/prod/v1/identify", "httpMethod": "POST", "headers": _HEADERS,
        "queryStringParameters": {"top": "3"}, "requestContext": {"stage": "prod"},
        "body": _FORM.decode(), "isBase64Encoded": False,
    }  # fmt: skip
    return [
        second, first, {**second, "isBase64Encoded": False}, {**second, "body": "?"},
        {**second, "body": None}, {**first, "headers": None}, {"Records": []},
    ]  # fmt: skip
