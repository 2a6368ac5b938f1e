"""Photos of Labeled Faces in the Wild, read from its archive or a folder."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from mien.errors import SourceNotFound, UnsafeArchive, UnusableSource
from mien.evaluation.verification.pairs_file import LfwPhoto
from mien.photo import MAX_BYTES
from mien.photo.damaged_archives import DAMAGED_ARCHIVE

_EXPECTED = (
    "Give as root the archive (lfw-deepfunneled.tgz, lfw-funneled.tgz or lfw.tgz) or the folder"
    " that it unpacks to."
)


def lfw_photos(root: Path | str, wanted: Collection[LfwPhoto]) -> Iterator[tuple[LfwPhoto, bytes]]:
    """Yield the bytes of each wanted photo once, in the order of the archive or folder.

    Nothing is unpacked to disk; one photo at a time is held in memory.

    Args:
        root: a folder with one folder per person, a folder above it, or a tar archive of either.
        wanted: the photos.

    Raises:
        SourceNotFound: nothing is at `root`.
        UnusableSource: it is no such folder or archive, or lacks a wanted photo.
        UnsafeArchive: a wanted member is larger than a photo may be.
    """
    root = Path(root)
    if not root.exists():
        raise SourceNotFound(f"{root} does not exist", hint=_EXPECTED, code="lfw-root")
    names = {photo.file_name: photo for photo in wanted}
    missing = dict(names)
    for name, data in _from_folder(root, names) if root.is_dir() else _from_tar(root, names):
        if missing.pop(name, None) is not None:
            yield names[name], data
    if missing:
        raise UnusableSource(
            f"{root} lacks {len(missing):,} of the {len(names):,} photos that the pairs name,"
            f" the first is {min(missing)}",
            hint=_EXPECTED,
            code="lfw-root",
        )


def _from_folder(root: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            if name in wanted and _person_of(name) == Path(folder).name:
                try:
                    yield name, (Path(folder) / name).read_bytes()
                except OSError as error:
                    raise UnusableSource(
                        f"{Path(folder) / name} cannot be read: {error.strerror}"
                    ) from error


def _from_tar(root: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    try:
        # As a stream: members are read in their order, without seeking back.
        with tarfile.open(root, "r|*") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.name not in wanted:
                    continue
                if _person_of(path.name) != path.parent.name:
                    continue
                if member.size > MAX_BYTES:
                    raise UnsafeArchive(
                        f"{root}: {member.name} has {member.size:,} bytes",
                        hint=_EXPECTED,
                        code="lfw-root",
                    )
                file = archive.extractfile(member)
                if file is not None:
                    yield path.name, file.read()
    except (*DAMAGED_ARCHIVE, OSError) as error:
        raise UnusableSource(
            f"{root} is not a complete tar archive: {error}", hint=_EXPECTED, code="lfw-root"
        ) from error


def _person_of(name: str) -> str:
    """Return the person's name in a file name: `Tony_Blair_0001.jpg` → `Tony_Blair`."""
    return name.rsplit("_", 1)[0]
