"""Multipart forms: every second input for the server, the others for the deployed services.

The first line of an input is the value of Content-Type.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Coroutine
from typing import Any

from fuzz.targets import Target

INSTRUMENTED = ("mien.server.http.forms", "mien.deploy.service", "python_multipart")

_FILES = 32


def finish(work: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


def target() -> Target:
    """Return the target."""
    logging.disable()  # the parser's warnings take longer than its work
    from fastapi import Request

    from mien.deploy.service.messages import Request as DeployedRequest
    from mien.deploy.service.messages import uploads
    from mien.server.http.forms import read_form

    def run(data: bytes) -> None:
        kind, _, body = data.partition(b"\n")
        if zlib.crc32(data) % 2:
            header = {"content-type": kind.decode("latin-1")}
            for upload in uploads(DeployedRequest("POST", "/v1/identify", {}, header, body)):
                upload.name.encode()
            return
        half = len(body) // 2
        messages = [
            {"type": "http.request", "body": body[:half], "more_body": True},
            {"type": "http.request", "body": body[half:], "more_body": False},
        ]

        async def receive() -> dict[str, Any]:
            return messages.pop(0)

        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind)]}
        form = finish(read_form(Request(scope, receive), files=_FILES))
        form.photos()
        form.photo()

    return Target(run, INSTRUMENTED, _TOKENS, longest=1024)


_TOKENS = (
    b"multipart/form-data; boundary=", b'boundary="', b"; charset=utf-16", b"; charset=no-such",
    b"\n--b\r\n", b"\r\n--b--\r\n", b"--", b"\r\n\r\n", b"Content-Disposition: form-data; ",
    b'name="file"', b'filename="a.jpg"', b"filename*=utf-8''a%ff.jpg", b'filename=""',
    b"Content-Type: ", b"Content-Transfer-Encoding: base64", b"quoted-printable", b"8bit", b";",
    b"\xff", b"\0", b"\r", b"\n", b'"', b"\\",
)  # fmt: skip
