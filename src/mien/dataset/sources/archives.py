"""Sources: zip and tar archives, read as a stream; nothing is unpacked to the disk.

Archives are not trusted. One with a member whose path leads out of it, with a device file, or that
unpacks to far more than its size is refused as a whole (`UnsafeArchive`). Links, repeated names and
oversized members are skipped.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from mien.dataset.sources.layout import Item, Survey, parts_of, skip_reason, survey_tree
from mien.dataset.sources.source import Load, Source, too_large
from mien.errors import BrokenPhoto, PhotoError, UnsafeArchive, UnusableSource
from mien.names import clean_name, readable
from mien.photo import MAX_BYTES
from mien.photo.damaged_archives import DAMAGED_ARCHIVE

MAX_MEMBERS = 2_000_000
"""An archive with more members is refused, unless the build allows more."""

MAX_GROWTH = 100
"""An archive that unpacks to more than this many times its size, and to more than
`GROWTH_ALLOWED_BYTES`, is refused: photos can hardly be compressed."""

GROWTH_ALLOWED_BYTES = 1 << 30
"""An archive that unpacks to at most this many bytes is not refused for its growth."""

_STEP = 1 << 16

_BROKEN = (*DAMAGED_ARCHIVE, OSError)


class ZipSource(Source):
    """A zip archive with a folder per person."""

    def __init__(self, path: Path, label: str = "", max_members: int | None = None) -> None:
        super().__init__(label or archive_label(path), path)
        self._path = path
        self._most = max_members or MAX_MEMBERS

    def survey(self) -> Survey:
        """Read the archive's list of members."""
        skipped: Counter[str] = Counter()
        names: dict[str, None] = {}
        count = size = 0

        def see(member: zipfile.ZipInfo) -> bool:
            nonlocal count, size
            count, size = count + 1, size + member.file_size
            _check_count(self._path, count, self._most)
            _check_growth(self._path, size)
            name = zip_name(member)
            _check_path(self._path, name)
            if name.endswith("/"):
                return False
            if member.flag_bits & 1:
                raise UnusableSource(
                    f"{self._path}: the archive is encrypted",
                    hint="Unpack it with its password and give the folder.",
                )
            if _accept(name, (member.external_attr >> 16) & 0o170000, names, skipped):
                names[name] = None
            return False

        with _archive_errors(self._path), ListedZip(self._path, see):
            return survey_tree(self.label, names, skipped)

    def read(self, items: Sequence[Item]) -> Iterator[tuple[Item, Load]]:
        """Yield the members; one with a wrong checksum counts as an unreadable photo."""
        wanted = {item.photo for item in items}
        members: dict[str, zipfile.ZipInfo] = {}

        def keep(member: zipfile.ZipInfo) -> bool:
            name = zip_name(member)
            if name not in wanted or name in members:
                return False
            member.extra = member.comment = b""  # reading needs neither
            members[name] = member
            return True

        with _archive_errors(self._path), ListedZip(self._path, keep) as archive:
            for item in items:
                yield item, self._load(archive, members.get(item.photo), item.photo)

    @staticmethod
    def _load(archive: zipfile.ZipFile, member: zipfile.ZipInfo | None, name: str) -> Load:
        if member is None:
            return _failing(BrokenPhoto(f"{name}: no longer in the archive"))
        if member.file_size > MAX_BYTES:
            return _failing(too_large(name, member.file_size))
        try:
            data = archive.read(member)
        except _BROKEN as error:
            return _failing(BrokenPhoto(f"{name}: damaged in the archive: {error}"))
        return _loaded(data)


class ListedZip(zipfile.ZipFile):
    """A zip archive that keeps those of its members that are asked for.

    `zipfile` keeps all of them, half a kilobyte each, before its caller sees the first.

    Args:
        file: the archive, or its path.
        keep: called with each member while the list is read; returns whether it is kept.
    """

    def __init__(self, file: Path | IO[bytes], keep: Callable[[zipfile.ZipInfo], bool]) -> None:
        self._keep = keep
        super().__init__(file)

    def __setattr__(self, name: str, value: object) -> None:
        if name == "filelist":
            value = _Kept(self._keep)
        elif name == "NameToInfo":
            value = _NoNames()
        super().__setattr__(name, value)


class _Kept(list[zipfile.ZipInfo]):
    """A list that takes only what is to be kept."""

    def __init__(self, keep: Callable[[zipfile.ZipInfo], bool]) -> None:
        super().__init__()
        self._keep = keep

    def append(self, member: zipfile.ZipInfo) -> None:
        if self._keep(member):
            super().append(member)


class _NoNames(dict[str, zipfile.ZipInfo]):
    """A table of names that stays empty: members are opened by their entries."""

    def __setitem__(self, name: str, member: zipfile.ZipInfo) -> None:
        pass


class TarSource(Source):
    """A tar archive with a folder per person, plain or compressed with gzip."""

    def __init__(self, path: Path, label: str = "", max_members: int | None = None) -> None:
        super().__init__(label or archive_label(path), path)
        self._path = path
        self._most = max_members or MAX_MEMBERS

    def survey(self) -> Survey:
        """Read the archive once, which also finds out whether it is complete."""
        skipped: Counter[str] = Counter()
        names: dict[str, None] = {}
        count = 0
        with _archive_errors(self._path), _tar(self._path) as archive:
            while (member := archive.next()) is not None:
                count += 1
                _check_count(self._path, count, self._most)
                _check_path(self._path, member.name)
                if member.isdir():
                    continue
                if member.ischr() or member.isblk() or member.isfifo():
                    raise UnsafeArchive(
                        f"{self._path}: holds a device file: {clean_name(member.name)}",
                        hint="An archive of photos has none. Do not use it.",
                    )
                kind = 0 if member.isreg() else 0o120000
                if _accept(_tar_name(member), kind, names, skipped):
                    names[_tar_name(member)] = None
        return survey_tree(self.label, names, skipped)

    def read(self, items: Sequence[Item]) -> Iterator[tuple[Item, Load]]:
        """Yield the members in the archive's own order."""
        wanted = {item.photo: item for item in items}
        with _archive_errors(self._path), _tar(self._path) as archive:
            while wanted and (member := archive.next()) is not None:
                item = wanted.pop(_tar_name(member), None) if member.isreg() else None
                if item is None:
                    continue
                if member.size > MAX_BYTES:
                    yield item, _failing(too_large(item.photo, member.size))
                    continue
                file = archive.extractfile(member)
                yield item, _loaded(file.read() if file else b"")


def archive_label(path: Path) -> str:
    """Return the archive's name without its suffixes."""
    name = path.name
    for suffix in (".tar.gz", ".tgz", ".tar", ".zip"):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return clean_name(name) or "archive"


def _loaded(data: bytes) -> Load:
    return lambda: data


def _failing(error: PhotoError) -> Load:
    def load() -> bytes:
        raise error

    return load


def _accept(name: str, kind: int, names: dict[str, None], skipped: Counter[str]) -> bool:
    """Return whether a member is a photo with a new name; count it as skipped where it is not."""
    if kind not in (0, 0o100000):
        skipped["link or device in an archive"] += 1
    elif reason := skip_reason(parts_of(name)):
        skipped[reason] += 1  # its name is not kept
    elif name in names:
        skipped["member that repeats another's name"] += 1
    else:
        return True
    return False


def zip_name(member: zipfile.ZipInfo) -> str:
    """Return a member's path with `/`; undeclared UTF-8 is recognised."""
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
    plain = name.replace("\\", "/")
    parts = parts_of(plain)
    if plain.startswith("/") or ".." in parts or (parts and parts[0].endswith(":")):
        raise UnsafeArchive(
            f"{path}: a member's path leads out of the archive: {clean_name(name)}",
            hint="An archive of photos has no such path. Do not use it.",
        )


def _check_count(path: Path, members: int, most: int) -> None:
    if members > most:
        raise UnsafeArchive(
            f"{path}: more than {most:,} members",
            hint="Split it, give a folder, or allow more members.",
        )


def _check_growth(path: Path, size: int) -> None:
    if size > max(GROWTH_ALLOWED_BYTES, MAX_GROWTH * path.stat().st_size):
        raise UnsafeArchive(
            f"{path}: unpacks to more than {MAX_GROWTH} times its size",
            hint="Photos do not shrink like that: it is made to fill memory. Do not use it.",
        )


@contextmanager
def _archive_errors(path: Path) -> Iterator[None]:
    """Translate errors of the archive modules into UnusableSource."""
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
        limited = cast("IO[bytes]", _LimitedStream(stream, path))
        with _StreamedTar(fileobj=limited, mode="r") as archive:
            yield archive


class _StreamedTar(tarfile.TarFile):
    """A tar file that does not keep the members it has read, so that memory use is constant."""

    members: list[tarfile.TarInfo]

    def next(self) -> tarfile.TarInfo | None:
        member = super().next()
        self.members = []
        return member


class _LimitedStream:
    """A file for `tarfile` that reads forward only, and stops an archive that grows too much."""

    def __init__(self, stream: IO[bytes], path: Path) -> None:
        self._stream = stream
        self._path = path
        self._at = 0

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        # `tarfile` reads the whole payload of a header, of any size that the header states.
        if not 0 <= size <= MAX_BYTES:
            raise UnsafeArchive(
                f"{self._path}: a header of {size:,} bytes",
                hint="No tool writes such an archive. Do not use it.",
            )
        data = self._stream.read(size)
        self._at += len(data)
        _check_growth(self._path, self._at)
        return data

    def seek(self, offset: int) -> int:
        while self._at < offset and self.read(min(offset - self._at, _STEP)):
            pass
        if self._at > offset:
            raise tarfile.ReadError("members overlap")
        return self._at
