"""Forms with photos, read into memory: nothing of them touches the disk."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from mien.errors import BadRequest, RequestTooLarge, RequestTooSlow

_FIELDS = 100
_FIELD_BYTES = 64 << 10
_LONGEST_LABEL = 500
_AS_A_FORM = "Send photos as multipart, -F file=@photo.jpg"


class _InMemory(MultiPartParser):
    """A parser that never rolls over to a temporary file: the body's limit is the memory's."""

    spool_max_size = 1 << 40

    def close(self) -> None:
        """Let go of all files, those of parts that broke off too."""
        for file in self._files_to_close_on_error:
            file.close()


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form.

    Attributes:
        name: what the client calls it: a label, never a path.
        data: its bytes.
    """

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """What a form holds.

    Attributes:
        files: by field, in their order.
        fields: the last value of each.
    """

    files: dict[str, tuple[Upload, ...]]
    fields: dict[str, str]

    def photos(self, field: str = "file") -> tuple[Upload, ...]:
        """Return the files of a field; at least one.

        Raises:
            BadRequest: there is none.
        """
        found = self.files.get(field, ())
        if not found:
            raise BadRequest(
                f"no file came in the field {field!r}",
                hint=f"Send it as multipart, -F {field}=@photo.jpg",
            )
        return found

    def photo(self, field: str = "file") -> Upload:
        """Return the one file of a field.

        Raises:
            BadRequest: there is none, or several.
        """
        found = self.photos(field)
        if len(found) > 1:
            raise BadRequest(
                f"one file is taken in the field {field!r}, {len(found)} came",
                hint="Send one.",
            )
        return found[0]


async def read_form(request: Request, *, files: int) -> Form:
    """Read a multipart form.

    Args:
        request: whose body has not been read.
        files: at most so many.

    Raises:
        BadRequest: no multipart form, or a damaged one.
        RequestTooLarge: too many files, or a part that is no file and large.
        RequestTooSlow: whoever sent it left before it had come.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise BadRequest("the body must be multipart/form-data", hint=_AS_A_FORM)
    parser = _InMemory(
        Headers(raw=request.headers.raw),
        request.stream(),
        max_files=files,
        max_fields=_FIELDS,
        max_part_size=_FIELD_BYTES,
    )
    try:
        return await _form(await parser.parse())
    except MultiPartException as error:
        if error.message.startswith(("Too many", "Part exceeded")):
            raise RequestTooLarge(error.message.rstrip("."), hint="Send fewer at once.") from error
        raise BadRequest(f"the form is damaged: {error.message}", hint=_AS_A_FORM) from error
    except ClientDisconnect as error:
        raise RequestTooSlow(
            "the client left before the form had come", hint="Send it again."
        ) from error
    except (ValueError, LookupError) as error:
        raise BadRequest("the form is damaged", hint=_AS_A_FORM) from error
    finally:
        parser.close()


async def _form(parsed: FormData) -> Form:
    files: dict[str, list[Upload]] = {}
    fields: dict[str, str] = {}
    for name, value in parsed.multi_items():
        if isinstance(value, UploadFile):
            upload = Upload(label(value.filename or ""), await value.read())
            files.setdefault(name, []).append(upload)
        else:
            fields[name] = value
    return Form({name: tuple(found) for name, found in files.items()}, fields)


def label(name: str) -> str:
    """Return a client's name for a file as text that any log and any page can take."""
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[
        :_LONGEST_LABEL
    ]
