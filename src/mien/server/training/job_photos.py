"""Uploaded training photos: checked in memory, then stored on disk.

A client's file names only determine the person: on disk photos have numbers, and a list maps them
to people. Zip archives are read in memory and never extracted.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mien.dataset.sources.archives import ListedZip, zip_name
from mien.dataset.sources.layout import survey_tree
from mien.errors import BadRequest, OutputError, PhotoError, UnsafeArchive
from mien.files import replace_file
from mien.photo import MAX_BYTES, decode_photo
from mien.photo.damaged_archives import DAMAGED_ARCHIVE
from mien.server.http.forms import Upload

PHOTO_LIST = "photos.csv"

_MAX_EXPANSION = 20
"""A zip archive that expands to more than this many times its size is rejected."""

_MAX_MEMBERS = 100_000
"""Members of all zip archives of an upload together."""

_SCAN_SIDE = 64


@dataclass(frozen=True, slots=True)
class StoredPhotos:
    """Result of storing an upload.

    Attributes:
        photos: number of stored photos.
        people: number of people on them.
        skipped: number of ignored files by reason.
    """

    photos: int
    people: int
    skipped: dict[str, int]


def store_photos(uploads: Sequence[Upload], folder: Path) -> StoredPhotos:
    """Check the photos of an upload and write them to a folder.

    Raises:
        BadRequest: no photo is in a folder named after a person.
        UnsafeArchive: a zip archive with unsafe paths or extreme expansion.
        OutputError: the photos cannot be written.
    """
    skipped: Counter[str] = Counter()
    files: dict[str, _UploadedFile | _ZipMember] = {}
    for name, load in _upload_files(uploads, skipped):
        if not PurePosixPath(name).parts:
            skipped["file without a name"] += 1
        elif name in files:
            skipped["file that repeats another's name"] += 1
        else:
            files[name] = load
    survey = survey_tree("upload", files, skipped)
    rows: list[tuple[str, str]] = []
    try:
        for number, item in enumerate(survey.items):
            data = files.pop(item.photo)()
            try:
                decode_photo(data, name=item.photo, long_side=_SCAN_SIDE)
            except PhotoError as error:
                skipped[type(error).__name__] += 1
                continue
            name = f"{number:06}"
            replace_file(folder / name, data, private=True, sync=False)
            rows.append((name, item.person))
        _write_list(folder / PHOTO_LIST, rows)
    except OSError as error:
        raise OutputError(f"the photos cannot be stored: {error.strerror}") from error
    if not rows:
        raise BadRequest(
            "no photo is in a folder named after a person",
            hint="Send a zip archive with one folder per person, or files named Person/photo.jpg.",
        )
    return StoredPhotos(len(rows), len({person for _, person in rows}), dict(survey.skipped))


class _UploadedFile:
    """Returns the content of an uploaded file."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __call__(self) -> bytes:
        return self._data


class _ZipMember:
    """Reads a member of a zip archive, at most one byte more than a photo may have."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._member = member

    def __call__(self) -> bytes:
        try:
            with self._archive.open(self._member) as file:
                return file.read(MAX_BYTES + 1)
        except (*DAMAGED_ARCHIVE, OSError):
            return b""


def _upload_files(
    uploads: Sequence[Upload], skipped: Counter[str]
) -> Iterator[tuple[str, _UploadedFile | _ZipMember]]:
    members = 0

    def keep(_: zipfile.ZipInfo) -> bool:
        nonlocal members
        members += 1
        if members > _MAX_MEMBERS:
            raise UnsafeArchive(
                f"the zip archives have more than {_MAX_MEMBERS:,} members",
                hint="Send fewer photos at once, without other files.",
            )
        return True

    for upload in uploads:
        if upload.data[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
            yield from _zip_files(upload, skipped, keep)
        else:
            yield upload.name.replace("\\", "/"), _UploadedFile(upload.data)


def _zip_files(
    upload: Upload, skipped: Counter[str], keep: Callable[[zipfile.ZipInfo], bool]
) -> Iterator[tuple[str, _ZipMember]]:
    """Yield the files of a zip archive; `keep` is called with each member as the list is read."""
    try:
        archive = ListedZip(io.BytesIO(upload.data), keep)
    except DAMAGED_ARCHIVE as error:
        raise BadRequest("the zip archive is damaged", hint="Make it again.") from error
    members = [member for member in archive.infolist() if not zip_name(member).endswith("/")]
    if sum(member.file_size for member in members) > _MAX_EXPANSION * len(upload.data) + (1 << 20):
        raise UnsafeArchive(
            f"the zip archive expands to more than {_MAX_EXPANSION} times its size",
            hint="Photos do not compress like that: do not use it.",
        )
    for member in members:
        name = zip_name(member)
        parts = name.split("/")
        if ".." in parts or name.startswith("/") or parts[0].endswith(":"):
            raise UnsafeArchive(
                "a path in the zip archive leads outside of it", hint="Do not use it."
            )
        if member.flag_bits & 1:
            raise BadRequest("the zip archive is encrypted", hint="Pack it without a password.")
        if (member.external_attr >> 16) & 0o170000 not in {0, 0o100000}:
            skipped["link or device in an archive"] += 1
        else:
            yield name, _ZipMember(archive, member)


def _write_list(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("path", "person"))
    writer.writerows(rows)
    replace_file(path, text.getvalue().encode(), private=True)
