"""Download seven public-domain pictures of two presidents, for the demo and for tests.

They are in the source distribution of a package, `face_recognition` 1.3.0, on the user's configured
package index. The seven pictures show four photographs: one of Joe Biden and three of Barack Obama,
one of which also comes as a 32-bit PNG and one with either half of the face cut off. pip's own
client finds and downloads the archive, with the user's index, certificates and proxies. `pip
download` would run the archive's setup.py; this script runs nothing and writes only the seven
pictures, each checked by its sha256.

Usage: python scripts/portraits.py FOLDER
"""

from __future__ import annotations

import hashlib
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath

PROJECT = "face_recognition"
VERSION = "1.3.0"

PORTRAITS = {
    "32bit.png": "44dca895a7d635a4aedddd91a4f37af9a8a5b44e66154282a24645a757b5f627",
    "biden.jpg": "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c",
    "obama.jpg": "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6",
    "obama2.jpg": "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6",
    "obama3.jpg": "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3",
    "obama_partial_face.jpg": "c2d1f09e7ef3042352b41e41286e6eb0522f64f88308be13886991b95db52117",
    "obama_partial_face2.jpg": "9a812347f97633542b8cd9992de22def11b74f79d82056bc3ee830f13878e028",
}
"""File name: sha256."""

_MAX_ARCHIVE = 16 << 20
_MAX_UNPACKED = 32 << 20
_MAX_MEMBERS = 1000
_SECONDS = 600


class PortraitsUnavailable(Exception):
    """The pictures are not available; the message says why."""


def fetch(folder: Path) -> list[Path]:
    """Return the paths of the seven pictures in `folder`; downloads them where they are missing.

    Raises:
        PortraitsUnavailable: offline, the index does not have the archive, or its content is not as
        expected.
    """
    paths = [folder / name for name in PORTRAITS]
    missing = [path for path in paths if not _is_here(path)]
    if not missing:
        return paths
    if _offline():
        raise PortraitsUnavailable(
            f"{folder} lacks {missing[0].name}, and MIEN_OFFLINE forbids the network"
        )
    with tempfile.TemporaryDirectory(prefix="mien-") as scratch:
        archive = Path(scratch) / "archive"
        _download(archive)
        pictures = _unpack(archive)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in missing:
            _write(path, pictures[path.name])
    except OSError as error:
        raise PortraitsUnavailable(f"{folder} cannot be written: {error}") from error
    return paths


def _is_here(path: Path) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == PORTRAITS[path.name]
    except OSError:
        return False


def _offline() -> bool:
    """Read MIEN_OFFLINE as `mien` does; this script also works without mien."""
    return os.environ.get("MIEN_OFFLINE", "").strip().lower() not in ("", "0", "false", "no", "off")


def _download(target: Path) -> None:
    """Download the archive to `target` with pip's client, in its own process."""
    # -P: does not import a file pip.py in the current folder.
    command = [sys.executable, "-P", str(Path(__file__).resolve()), "--with-pip", str(target)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PortraitsUnavailable(f"pip could not be run: {error}") from error
    if done.returncode or not target.exists():
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise PortraitsUnavailable(f"pip said: {lines[-1] if lines else 'nothing'}")


def _run_pip(target: Path) -> int:
    """Find the archive with pip's package finder and copy it to `target`; return an exit code.

    pip has no public interface for "download this file and do not run it", so this replaces the
    last step of its `download` command: options, configuration, session, index and errors are
    pip's. Tried with pip 23.2 and 26.3.
    """
    from pip._internal.commands import create_command  # noqa: PLC0415 — only in this process
    from pip._internal.exceptions import DistributionNotFound  # noqa: PLC0415

    command = create_command("download")

    def run(options: object, _: list[str]) -> int:
        session = command.get_default_session(options)
        finder = command._build_package_finder(options=options, session=session)  # noqa: SLF001
        links = [
            candidate.link
            for candidate in finder.find_all_candidates(PROJECT)
            if str(candidate.version) == VERSION and not candidate.link.is_wheel
        ]
        if not links:
            raise DistributionNotFound(f"no source distribution of {PROJECT} {VERSION} found")
        answer = session.get(
            links[0].url_without_fragment, headers={"Accept-Encoding": "identity"}, stream=True
        )
        answer.raise_for_status()
        with target.open("wb") as file:
            while chunk := answer.raw.read(1 << 16):
                file.write(chunk)
                if file.tell() > _MAX_ARCHIVE:
                    raise DistributionNotFound(f"{links[0].filename} is too large")
        return 0

    command.run = run
    # --no-binary: the archive is not built, so a setting to use wheels only does not apply.
    options = ["--quiet", "--no-input", "--disable-pip-version-check", f"--no-binary={PROJECT}"]
    return command.main([*options, f"{PROJECT}=={VERSION}"])


def _unpack(archive: Path) -> dict[str, bytes]:
    """Return the pictures in an archive by file name; nothing else is read from it."""
    pictures: dict[str, bytes] = {}
    unpacked = 0
    try:
        with tarfile.open(archive, "r|*") as members:
            for count, member in enumerate(members, start=1):
                unpacked += member.size
                if count > _MAX_MEMBERS or unpacked > _MAX_UNPACKED:
                    raise PortraitsUnavailable("the archive is larger than expected")
                path = PurePosixPath(member.name)
                if path.parts[-3:-1] != ("tests", "test_images") or path.name not in PORTRAITS:
                    continue
                file = members.extractfile(member) if member.isfile() else None
                pictures[path.name] = file.read() if file else b""
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        raise PortraitsUnavailable(f"the archive is damaged: {error}") from error
    for name, digest in PORTRAITS.items():
        if hashlib.sha256(pictures.get(name, b"")).hexdigest() != digest:
            raise PortraitsUnavailable(f"the archive's {name} is not the expected picture")
    return pictures


def _write(path: Path, data: bytes) -> None:
    """Write a file atomically."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    """Run the script and return its exit code."""
    if len(arguments) == 2 and arguments[0] == "--with-pip":
        return _run_pip(Path(arguments[1]))
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__)
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    try:
        paths = fetch(Path(arguments[0]))
    except PortraitsUnavailable as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(paths)} pictures in {arguments[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
