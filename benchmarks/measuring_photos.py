"""The photos that the benchmarks use, read from their archives.

MIEN_DATA is the folder with `lfw-deepfunneled.tgz`, or that archive unpacked, and
`ten-indian-people.zip`; the default is ../shared/data.
"""

from __future__ import annotations

import os
import random
import tarfile
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mien.photo import SUFFIXES

NamedBytes = tuple[str, bytes]


def data_folder() -> Path:
    """Return the folder of the benchmark photos."""
    return Path(os.environ.get("MIEN_DATA", "../shared/data"))


def lfw_photos(count: int, seed: int = 0) -> Iterator[NamedBytes]:
    """Yield name and bytes of `count` photos of LFW, drawn with a seed, sorted by name."""
    unpacked = data_folder() / "lfw-deepfunneled"
    if unpacked.is_dir():
        for path in _drawn(sorted(map(str, unpacked.rglob("*.jpg"))), count, seed):
            yield Path(path).name, Path(path).read_bytes()
        return
    with tarfile.open(data_folder() / "lfw-deepfunneled.tgz") as archive:
        members = {member.name: member for member in archive if member.name.endswith(".jpg")}
        for name in _drawn(sorted(members), count, seed):
            file = archive.extractfile(members[name])
            if file is not None:
                yield name, file.read()


def ten_people_photos() -> Iterator[NamedBytes]:
    """Yield name and bytes of all photos of the ten people."""
    with zipfile.ZipFile(data_folder() / "ten-indian-people.zip") as archive:
        for name in sorted(archive.namelist()):
            if Path(name).suffix.lower() in SUFFIXES:
                yield name, archive.read(name)


def paths_of_photos(folder: Path, *, lfw: int, ten: int) -> dict[str, list[str]]:
    """Return the paths of unpacked photos, for libraries in other processes.

    Args:
        folder: for the photos; created where absent.
        lfw: number of photos of LFW, drawn with a fixed seed.
        ten: number of photos of the ten people.

    Returns:
        Lists `lfw` and `ten`.
    """
    groups = {"lfw": lfw_photos(lfw), "ten": islice(ten_people_photos(), None, None, 81 // ten)}
    found: dict[str, list[str]] = {}
    for group, photos in groups.items():
        (folder / group).mkdir(parents=True, exist_ok=True)
        found[group] = []
        for number, (name, data) in enumerate(photos):
            if group == "ten" and number == ten:
                break
            # File names of the ten people come from the web and may be long.
            short = Path(name).name if group == "lfw" else f"{number}{Path(name).suffix.lower()}"
            path = folder / group / short
            if not path.exists() or path.stat().st_size != len(data):
                path.write_bytes(data)
            found[group].append(str(path.resolve()))
    return found


def _drawn(names: list[str], count: int, seed: int) -> list[str]:
    return sorted(random.Random(seed).sample(names, min(count, len(names))))  # noqa: S311
