"""A small HTTP client that costs a loaded machine little, and sends what no proper client would."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STAYED_AWAY = 0
"""Status of an answer that never came: the server closed the connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP; 0 where the connection was closed without an answer.
        headers: by small name.
        body: as it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a form: its head's lines and its bytes."""

    head: bytes
    body: bytes


def file_part(data: bytes, *, field: str = "file", name: str = "photo.jpg") -> Part:
    """Return a photo as a part of a form."""
    head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
    return Part((head + "Content-Type: image/jpeg").encode("utf-8", "replace"), data)


def form(parts: Sequence[Part], boundary: bytes = b"") -> tuple[bytes, bytes]:
    """Return the kind and the bytes of a form."""
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
        path: with its query.
        body: may be empty.
        kind: the body's media type.
        host: for the header.
        method: of HTTP.
        length: what is said of the body; its own length if below 0.
    """
    said = len(body) if length < 0 else length
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {said}\r\n".encode()
    if kind:
        head += b"Content-Type: " + kind + b"\r\n"
    return head + b"\r\n" + body


class Connection:
    """One connection, kept open for the next request where the server keeps it."""

    def __init__(self, host: str, port: int) -> None:
        self._place = host, port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, message: bytes, *, end: bool = False) -> Answer:
        """Send bytes and read the answer.

        Args:
            message: a whole request, or what is to pass for one.
            end: say that no more will come, as a client does that leaves.
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
            answer = Answer(STAYED_AWAY, {}, b"")
        if answer.status == STAYED_AWAY or answer.headers.get("connection") == "close" or end:
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
