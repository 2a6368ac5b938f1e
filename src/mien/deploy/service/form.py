"""Read a multipart form into memory: no temporary file is left behind, however a process ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from mien.errors import BadRequest, RequestTooLarge
from mien.request_limits import MAX_FIELD, MAX_FIELDS, MAX_PHOTOS

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_HINT = "Send the photo as the file field `file`."


def files_of_form(kind: str, body: bytes, field_name: str) -> list[tuple[str, bytes]]:
    """Return file name and bytes of each file in a field of a form.

    Args:
        kind: the Content-Type, with the boundary of the form's parts.
        body: the form.
        field_name: name of the field.

    Raises:
        BadRequest: it cannot be parsed.
        RequestTooLarge: more files or fields than the limits, or too long a field.
    """
    form = _Form()
    try:
        boundary = parse_options_header(kind)[1].get(b"boundary", b"")
        if not boundary:
            raise BadRequest("the form cannot be read: it states no boundary", hint=_HINT)
        parser = MultipartParser(boundary, cast("MultipartCallbacks", form.callbacks()))
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError) as error:
        raise BadRequest(f"the form cannot be read: {error}", hint=_HINT) from error
    if form.open:
        raise BadRequest("the form cannot be read: it is incomplete", hint=_HINT)
    wanted = field_name.encode()
    return [
        (part.file_name.decode("utf-8", "replace"), bytes(part.data))
        for part in form.parts
        if part.file_name is not None and part.field_name == wanted
    ]


@dataclass(slots=True)
class _Part:
    """A part of a form; `file_name` is None where it is no file."""

    field_name: bytes = b""
    file_name: bytes | None = None
    data: bytearray = field(default_factory=bytearray)


class _Form:
    """Collects the parts of a form while it is parsed."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.open = False
        self._name, self._value = bytearray(), bytearray()

    def callbacks(self) -> dict[str, Any]:
        """Return what the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_part_end": self._end,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header,
            "on_headers_finished": self._count,
            "on_part_data": self._data,
        }

    def _begin(self) -> None:
        self.parts.append(_Part())
        self.open = True

    def _end(self) -> None:
        self.open = False

    def _header(self) -> None:
        if self._name.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            self.parts[-1].field_name = options.get(b"name", b"")
            self.parts[-1].file_name = options.get(b"filename")
        self._name.clear()
        self._value.clear()

    def _count(self) -> None:
        files = sum(part.file_name is not None for part in self.parts)
        for number, most, what in (
            (files, MAX_PHOTOS, "photos"),
            (len(self.parts) - files, MAX_FIELDS, "fields"),
        ):
            if number > most:
                raise RequestTooLarge(
                    f"more than {most} {what} in a request", hint="Send fewer at once."
                )

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.data += data[start:end]
        if part.file_name is None and len(part.data) > MAX_FIELD:
            raise RequestTooLarge(
                f"a field of more than {MAX_FIELD >> 10} KiB", hint="Send photos as files."
            )
