"""Multipart forms with photos, read into memory; nothing is written to disk."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from mien.errors import BadRequest, RequestTooLarge, RequestTooSlow
from mien.request_limits import MAX_FIELD, MAX_FIELDS, MAX_NAME
from mien.text import printable

_FORM_HINT = "Send photos as multipart, -F file=@photo.jpg"


class _InMemory(MultiPartParser):
    """A parser without temporary files; memory is limited by the limit on the body."""

    spool_max_size = 1 << 40

    def close(self) -> None:
        """Close all files, also those of incomplete parts."""
        for file in self._files_to_close_on_error:
            file.close()


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file.

    Attributes:
        name: the client's file name; a label, never used as a path.
        data: content in bytes.
    """

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A parsed form.

    Attributes:
        files: uploads by field, in order.
        fields: last value per field.
    """

    files: dict[str, tuple[Upload, ...]]
    fields: dict[str, str]

    def photos(self, field: str = "file") -> tuple[Upload, ...]:
        """Return the files of a field; at least one.

        Raises:
            BadRequest: the field has no file.
        """
        found = self.files.get(field, ())
        if not found:
            raise BadRequest(
                f"no file in the field {field!r}",
                hint=f"Send it as multipart, -F {field}=@photo.jpg",
            )
        return found

    def photo(self, field: str = "file") -> Upload:
        """Return the single file of a field.

        Raises:
            BadRequest: the field has no file or several.
        """
        found = self.photos(field)
        if len(found) > 1:
            raise BadRequest(
                f"the field {field!r} takes one file, not {len(found)}",
                hint="Send one file.",
            )
        return found[0]


async def read_form(request: Request, *, files: int) -> Form:
    """Read a multipart form.

    Args:
        request: a request whose body has not been read.
        files: maximum number of files.

    Raises:
        BadRequest: the body is not a multipart form, or it is damaged.
        RequestTooLarge: too many files, or a field that is too long.
        RequestTooSlow: the client disconnected before the form was complete.
    """
    kind = request.headers.get("content-type", "")
    if not kind.lower().startswith("multipart/form-data"):
        raise BadRequest("the body must be multipart/form-data", hint=_FORM_HINT)
    parser = _InMemory(
        Headers(raw=request.headers.raw),
        request.stream(),
        max_files=files,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD,
    )
    try:
        return await _form(await parser.parse())
    except MultiPartException as error:
        if error.message.startswith(("Too many", "Part exceeded")):
            raise RequestTooLarge(error.message.rstrip("."), hint="Send fewer at once.") from error
        raise BadRequest(f"the form is damaged: {error.message}", hint=_FORM_HINT) from error
    except ClientDisconnect as error:
        raise RequestTooSlow(
            "the client disconnected before the form was complete", hint="Send it again."
        ) from error
    except (ValueError, LookupError) as error:
        raise BadRequest("the form is damaged", hint=_FORM_HINT) from error
    finally:
        parser.close()


async def _form(parsed: FormData) -> Form:
    files: dict[str, list[Upload]] = {}
    fields: dict[str, str] = {}
    for name, value in parsed.multi_items():
        if isinstance(value, UploadFile):
            upload = Upload(printable(value.filename or "", MAX_NAME), await value.read())
            files.setdefault(name, []).append(upload)
        else:
            fields[name] = value
    return Form({name: tuple(found) for name, found in files.items()}, fields)
