"""A small HTTP client: uses little time, and can send invalid requests."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

NO_ANSWER = 0
"""Status where the server closed the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response.

    Attributes:
        status: of HTTP; `NO_ANSWER` where the connection was closed without a response.
        headers: by lower-case name.
        body: without transfer encoding.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body parsed as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a form: header lines and body."""

    head: bytes
    body: bytes


def file_part(data: bytes, *, field: str = "file", name: str = "photo.jpg") -> Part:
    """Return a photo as a form part."""
    head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
    return Part((head + "Content-Type: image/jpeg").encode("utf-8", "replace"), data)


def form(parts: Sequence[Part], boundary: bytes = b"") -> tuple[bytes, bytes]:
    """Return content type and bytes of a form."""
    mark = boundary or secrets.token_hex(12).encode()
    body = b"".join(
        b"--" + mark + b"\r\n" + part.head + b"\r\n\r\n" + part.body + b"\r\n" for part in parts
    )
    return b"multipart/form-data; boundary=" + mark, body + b"--" + mark + b"--\r\n"


def request(
    path: str, body: bytes, kind: bytes = b"", *, host: str, method: str = "POST", length: int = -1
) -> bytes:
    """Return a request's bytes.

    Args:
        path: with query.
        body: may be empty.
        kind: content type of the body.
        host: value of the Host header.
        method: HTTP method.
        length: value of Content-Length; the true length if below 0.
    """
    stated = len(body) if length < 0 else length
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {stated}\r\n".encode()
    if kind:
        head += b"Content-Type: " + kind + b"\r\n"
    return head + b"\r\n" + body


class Connection:
    """One connection; kept alive if the server allows it."""

    def __init__(self, host: str, port: int) -> None:
        self._place = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, message: bytes, *, end: bool = False) -> Answer:
        """Send bytes and read the response.

        Args:
            message: a request, valid or not.
            end: close the sending side after the message.
        """
        if self._writer is None or self._writer.is_closing():
            self._reader, self._writer = await asyncio.open_connection(*self._place, limit=1 << 20)
        reader, writer = self._reader, self._writer
        assert reader is not None  # noqa: S101 - both were just opened
        try:
            writer.write(message)
            if end:
                writer.write_eof()
            answer = await _read(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            answer = Answer(NO_ANSWER, {}, b"")
        if answer.status == NO_ANSWER or answer.headers.get("connection") == "close" or end:
            self.close()
        return answer

    def close(self) -> None:
        """Close it."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None


async def _read(reader: asyncio.StreamReader) -> Answer:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(lines[0].split(" ", 2)[1])
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines[1:] if line)
    }
    if headers.get("transfer-encoding", "") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
        return Answer(status, headers, body)
    return Answer(status, headers, await reader.readexactly(int(headers.get("content-length", 0))))
