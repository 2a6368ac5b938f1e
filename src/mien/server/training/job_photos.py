"""Photos to train on, from an upload: scanned in memory, and only then on the disk.

What a client calls a file names the person and nothing else: on the disk photos have numbers, and
a list says whose they are. A zip is read in memory and never unpacked.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mien.dataset.sources.archives import zip_name
from mien.dataset.sources.layout import survey_tree
from mien.errors import BadRequest, OutputError, PhotoError, UnsafeArchive
from mien.photo import MAX_BYTES, decode_photo
from mien.server.http.forms import Upload

LIST = "photos.csv"

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError)
_MAX_GROWTH = 20
"""A zip of photos that unpacks to more than this many times its size is a bomb."""

_SCAN_SIDE = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """What an upload came to.

    Attributes:
        photos: how many lie on the disk.
        people: of how many people.
        skipped: how many files were passed over, by reason.
    """

    photos: int
    people: int
    skipped: dict[str, int]


def keep_photos(uploads: Sequence[Upload], folder: Path) -> Kept:
    """Scan the photos of an upload and write them to a folder.

    Raises:
        BadRequest: no photo lies in a person's folder.
        UnsafeArchive: a zip that is made to do harm.
        OutputError: they cannot be written.
    """
    skipped: Counter[str] = Counter()
    files: dict[str, _Bytes | _Member] = {}
    for name, load in _members(uploads, skipped):
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
            (folder / name).write_bytes(data)
            rows.append((name, item.person))
        _write_list(folder / LIST, rows)
    except OSError as error:
        raise OutputError(f"the photos cannot be kept: {error.strerror}") from error
    if not rows:
        raise BadRequest(
            "no photo in it lies in a folder that is named for a person",
            hint="Send a zip of folders, one a person, or files named Person/photo.jpg.",
        )
    return Kept(len(rows), len({person for _, person in rows}), dict(survey.skipped))


class _Bytes:
    """A file of the upload, read when it is its turn."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __call__(self) -> bytes:
        return self._data


class _Member:
    """A member of a zip, read when it is its turn; at most what a photo may have."""

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
        self._archive = archive
        self._member = member

    def __call__(self) -> bytes:
        try:
            with self._archive.open(self._member) as file:
                return file.read(MAX_BYTES + 1)
        except (*_BROKEN, OSError):
            return b""


def _members(
    uploads: Sequence[Upload], skipped: Counter[str]
) -> Iterator[tuple[str, _Bytes | _Member]]:
    for upload in uploads:
        if upload.data[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
            yield from _of_zip(upload, skipped)
        else:
            yield upload.name.replace("\\", "/"), _Bytes(upload.data)


def _of_zip(upload: Upload, skipped: Counter[str]) -> Iterator[tuple[str, _Member]]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(upload.data))
    except _BROKEN as error:
        raise BadRequest("the zip is damaged", hint="Make it again.") from error
    members = [member for member in archive.infolist() if not member.is_dir()]
    if sum(member.file_size for member in members) > _MAX_GROWTH * len(upload.data) + (1 << 20):
        raise UnsafeArchive(
            f"the zip unpacks to more than {_MAX_GROWTH} times its size",
            hint="Photos do not shrink like that: do not use it.",
        )
    for member in members:
        name = zip_name(member)
        parts = name.split("/")
        if ".." in parts or name.startswith("/") or parts[0].endswith(":"):
            raise UnsafeArchive("a path in the zip leads out of it", hint="Do not use it.")
        if member.flag_bits & 1:
            raise BadRequest("the zip is encrypted", hint="Pack it without a password.")
        if (member.external_attr >> 16) & 0o170000 not in {0, 0o100000}:
            skipped["link or device in an archive"] += 1
        else:
            yield name, _Member(archive, member)


def _write_list(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "person"))
        writer.writerows(rows)
