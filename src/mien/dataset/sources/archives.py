"""Archives of photos, read as a stream: nothing of them is ever written to the disk.

An archive is hostile until shown otherwise. Members that climb out of it, devices, and archives
that grow far beyond what photos do are refused as a whole (`UnsafeArchive`); links, repeated names
and oversized members are passed over.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from mien.dataset.sources.folders import Load, Source, too_large
from mien.dataset.sources.layout import Item, Survey, survey_tree
from mien.errors import BrokenPhoto, PhotoError, UnsafeArchive, UnusableSource
from mien.names import clean_name, readable
from mien.photo import MAX_BYTES

MAX_MEMBERS = 2_000_000
"""An archive with more members than this is refused."""

MAX_GROWTH = 100
"""Photos hardly shrink in an archive: one that unpacks to more than this many times its size…"""

FREE_GROWTH = 1 << 30
"""…and to more than these bytes, is refused as a bomb."""

_STEP = 1 << 16

_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    ValueError,
)


class ZipSource(Source):
    """A zip of a folder of folders."""

    def __init__(self, path: Path, label: str = "") -> None:
        super().__init__(label or archive_label(path), path)
        self._path = path

    def survey(self) -> Survey:
        """Read the archive's list of members."""
        skipped: Counter[str] = Counter()
        names: dict[str, None] = {}
        with _readable(self._path), zipfile.ZipFile(self._path) as archive:
            members = archive.infolist()
            _check_growth(self._path, len(members), sum(member.file_size for member in members))
            for member in members:
                name = zip_name(member)
                _check_path(self._path, name)
                if member.is_dir() or name.endswith("/"):
                    continue
                if member.flag_bits & 1:
                    raise UnusableSource(
                        f"{self._path}: the archive is encrypted",
                        hint="Unpack it with its password and give the folder.",
                    )
                if _take(name, (member.external_attr >> 16) & 0o170000, names, skipped):
                    names[name] = None
        return survey_tree(self.label, names, skipped)

    def read(self, items: Sequence[Item]) -> Iterator[tuple[Item, Load]]:
        """Yield the members; a member whose checksum is wrong is one unreadable photo."""
        with _readable(self._path), zipfile.ZipFile(self._path) as archive:
            members: dict[str, zipfile.ZipInfo] = {}
            for member in archive.infolist():
                members.setdefault(zip_name(member), member)
            for item in items:
                yield item, self._load(archive, members.get(item.photo), item.photo)

    @staticmethod
    def _load(archive: zipfile.ZipFile, member: zipfile.ZipInfo | None, name: str) -> Load:
        if member is None:
            return _fail(BrokenPhoto(f"{name}: no longer in the archive"))
        if member.file_size > MAX_BYTES:
            return _fail(too_large(name, member.file_size))
        try:
            data = archive.read(member)
        except (*_BROKEN, RuntimeError) as error:
            return _fail(BrokenPhoto(f"{name}: damaged in the archive: {error}"))
        return _hold(data)


class TarSource(Source):
    """A tar of a folder of folders, plain or compressed with gzip."""

    def __init__(self, path: Path, label: str = "") -> None:
        super().__init__(label or archive_label(path), path)
        self._path = path

    def survey(self) -> Survey:
        """Read through the archive once; that also shows whether it is whole."""
        skipped: Counter[str] = Counter()
        names: dict[str, None] = {}
        count = 0
        with _readable(self._path), _tar(self._path) as archive:
            while (member := archive.next()) is not None:
                count += 1
                _check_growth(self._path, count, 0)
                _check_path(self._path, member.name)
                if member.isdir():
                    continue
                if member.ischr() or member.isblk() or member.isfifo():
                    raise UnsafeArchive(
                        f"{self._path}: holds a device file: {clean_name(member.name)}",
                        hint="An archive of photos has none. Do not use it.",
                    )
                kind = 0 if member.isreg() else 0o120000
                if _take(_tar_name(member), kind, names, skipped):
                    names[_tar_name(member)] = None
        return survey_tree(self.label, names, skipped)

    def read(self, items: Sequence[Item]) -> Iterator[tuple[Item, Load]]:
        """Yield the members in the archive's own order."""
        wanted = {item.photo: item for item in items}
        with _readable(self._path), _tar(self._path) as archive:
            while wanted and (member := archive.next()) is not None:
                item = wanted.pop(_tar_name(member), None) if member.isreg() else None
                if item is None:
                    continue
                if member.size > MAX_BYTES:
                    yield item, _fail(too_large(item.photo, member.size))
                    continue
                file = archive.extractfile(member)
                yield item, _hold(file.read() if file else b"")


def archive_label(path: Path) -> str:
    """Return the archive's name without its suffixes."""
    name = path.name
    for suffix in (".tar.gz", ".tgz", ".tar", ".zip"):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return clean_name(name) or "archive"


def _hold(data: bytes) -> Load:
    return lambda: data


def _fail(error: PhotoError) -> Load:
    def load() -> bytes:
        raise error

    return load


def _take(name: str, kind: int, names: dict[str, None], skipped: Counter[str]) -> bool:
    """Say whether a member is a file to look at; count it where it is not."""
    if kind not in (0, 0o100000):
        skipped["link or device in an archive"] += 1
    elif name in names:
        skipped["member that repeats another's name"] += 1
    else:
        return True
    return False


def zip_name(member: zipfile.ZipInfo) -> str:
    """Return a member's path with `/`; UTF-8 that the archive did not declare is understood."""
    name = member.filename
    if not member.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = member.filename
    return name.replace("\\", "/")


def _tar_name(member: tarfile.TarInfo) -> str:
    return str(PurePosixPath(readable(member.name)))


def _check_path(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if ".." in parts or (parts and (parts[0] == "/" or parts[0].endswith(":"))):
        raise UnsafeArchive(
            f"{path}: a member's path leads out of the archive: {clean_name(name)}",
            hint="An archive of photos has no such path. Do not use it.",
        )


def _check_growth(path: Path, members: int, size: int) -> None:
    if members > MAX_MEMBERS:
        raise UnsafeArchive(
            f"{path}: more than {MAX_MEMBERS:,} members", hint="Split it, or give a folder."
        )
    if size > max(FREE_GROWTH, MAX_GROWTH * path.stat().st_size):
        raise UnsafeArchive(
            f"{path}: unpacks to more than {MAX_GROWTH} times its size",
            hint="Photos do not shrink like that: it is made to fill memory. Do not use it.",
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what the archive modules raise into UnusableSource."""
    try:
        yield
    except _BROKEN as error:
        raise UnusableSource(
            f"{path}: the archive is damaged or incomplete: {error}",
            hint="Fetch it again, or unpack it and give the folder.",
        ) from error


@contextmanager
def _tar(path: Path) -> Iterator[tarfile.TarFile]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=file) if packed else file)
        metered = cast("IO[bytes]", _Metered(stream, path))
        with _Forgetful(fileobj=metered, mode="r") as archive:
            yield archive


class _Forgetful(tarfile.TarFile):
    """A tar that does not keep the members it has passed: memory stays flat."""

    members: list[tarfile.TarInfo]

    def next(self) -> tarfile.TarInfo | None:
        member = super().next()
        self.members = []
        return member


class _Metered:
    """What `tarfile` needs of a file, going forward only, and stopping a bomb as it unpacks."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream = stream
        self._path = path
        self._at = 0

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        # `tarfile` reads a header's whole payload, whatever size the header gives.
        if not 0 <= size <= MAX_BYTES:
            raise UnsafeArchive(
                f"{self._path}: a header of {size:,} bytes",
                hint="No tool writes such an archive. Do not use it.",
            )
        data = self._stream.read(size)
        self._at += len(data)
        _check_growth(self._path, 0, self._at)
        return data

    def seek(self, offset: int) -> int:
        while self._at < offset and self.read(min(offset - self._at, _STEP)):
            pass
        if self._at > offset:
            raise tarfile.ReadError("members overlap")
        return self._at
