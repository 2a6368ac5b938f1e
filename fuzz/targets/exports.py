"""Gallery exports: read, and some of them imported into a new gallery.

An input is the file itself, or its members between lines of `MARK`: most changes of a packed file
end at the archive, and would never reach what reads the list of people.
"""

from __future__ import annotations

import io
import random
import shutil
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fuzz.changed_json import changed_json
from fuzz.targets import Target
from fuzz.targets.in_memory import folder_in_memory, ignore_checksums

INSTRUMENTED = ("mien.gallery", "mien.names", "mien.models.statistics")

MARK = b"\n--\n"
MEMBERS = ("gallery.json", "templates.f32", "negatives.f32", "thumbnails/0.jpg", "thumbnails/1.jpg")

_IMPORTED = 128
"""One in so many of the exports that are accepted is imported, which takes far longer."""


def packed(data: bytes) -> bytes:
    """Return the file of an input."""
    if data[:2] == b"PK" or data.startswith(b"Mien"):
        return data
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, member in zip(MEMBERS, data.split(MARK), strict=False):
            archive.writestr(zipfile.ZipInfo(name), member)
    return buffer.getvalue()


def _opened(file: io.BytesIO, *options: Any) -> Any:
    """Return what reads an input: packing its members first would take longer than the reading."""
    data = file.getvalue()
    return _Members(data) if data and data[:2] != b"PK" else zipfile.ZipFile(file, *options)


class _Members:
    """Members between marks, read as from an archive."""

    def __init__(self, data: bytes) -> None:
        self._data = dict(zip(MEMBERS, data.split(MARK), strict=False))

    def namelist(self) -> list[str]:
        return list(self._data)

    def infolist(self) -> list[SimpleNamespace]:
        return [self.getinfo(name) for name in self._data]

    def getinfo(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(file_size=len(self._data[name]))

    def read(self, name: str) -> bytes:
        return self._data[name]


def target() -> Target:
    """Return the target."""
    from mien.gallery.exchange import transfer
    from mien.gallery.exchange.transfer import Export, export_gallery, import_into
    from mien.gallery.gallery import Gallery

    ignore_checksums()
    transfer.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": _opened})
    folder = folder_in_memory()
    path = Path(folder.name) / "gallery"

    def run(data: bytes, _: object = folder) -> None:
        export = Export(data, key=bytes(32))
        repr(export)
        if zlib.crc32(data) % _IMPORTED:
            return
        try:
            import_into(path, export)
            with Gallery.open(path) as gallery:
                Export(export_gallery(gallery))
        finally:
            shutil.rmtree(path, ignore_errors=True)

    return Target(run, INSTRUMENTED, _TOKENS, longest=4096)


def changed(data: bytes, rng: random.Random) -> bytes:
    """Return members with another list of people."""
    card, *others = data.split(MARK)
    made = changed_json(card, rng)
    return data if made is None else MARK.join([made.encode("utf-8", "replace"), *others])


_TOKENS = (
    MARK, b"PK\3\4", b"PK\1\2", b"PK\5\6", b"Mien gallery, sealed, 1\n", b"gallery.json",
    b"templates.f32", b"negatives.f32", b"thumbnails/0.jpg", b'"format"', b'"origin"', b'"rate"',
    b'"thumbnails"', b'"people"', b'"negatives"', b'"photos"', b'"id"', b'"name"', b'"consent"',
    b'"source"', b'"created"', b'"quality"', b'"sha256"', b'"added"', b'"forced"', b'"dimension"',
    b'"statistics"', b'"detection"', b'"contract"', b"null", b"true", b"1e999", b"NaN", b"-1",
    b"\\ud800", b"\\u0000", b"[]", b"{}", b'""', b"\0\0\x80\x3f", b"\0\0\xc0\x7f",
)  # fmt: skip
