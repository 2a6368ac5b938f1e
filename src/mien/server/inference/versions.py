"""Versions of recognizers trained by the server, and which of them is in service.

::

    recognizers/HANDLE/VERSION.onnx
    recognizers/service.json        {HANDLE: VERSION}
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.engine import FaceEngine
from mien.errors import JobRefused, MienError, NotServed, OutputError, RecognizerError
from mien.files import make_private_folder, sync_folder, write_atomically
from mien.graph.settings import DetectionSettings
from mien.recognizer import Recognizer
from mien.recognizer.holders import Holding, SoughtPerson, find_in, read_head
from mien.server.inference.backends import Backend
from mien.types import Head

GIVEN = "given"
"""Version of a recognizer file given on the command line."""

HANDLE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_VERSION = re.compile(r"[0-9a-z][0-9a-z-]{0,59}")

_LIST_HINT = "GET /v1/recognizer lists the recognizers and their versions."

_log = logging.getLogger("mien.server")


def model_key(recognizer: Recognizer) -> tuple[str, str, DetectionSettings]:
    """Return a key that is equal for recognizers which can share an engine."""
    about = recognizer.about
    return recognizer.contract, about.detector.id, about.settings


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a recognizer.

    Attributes:
        version: name of the version.
        created: UTC time, ISO 8601; empty for a file given on the command line.
        in_service: whether requests are answered by it.
        handle: name of the recognizer.
        size: bytes of the file; 0 for a file given on the command line.
    """

    version: str
    created: str
    in_service: bool
    handle: str = ""
    size: int = 0


class Versions:
    """The trained recognizers in a data folder.

    Args:
        folder: created if missing.
        given: backends given on the command line, by name.
    """

    def __init__(self, folder: Path, given: Mapping[str, Backend]) -> None:
        self._folder = folder
        make_private_folder(folder)
        self._given = dict(given)
        self._heads: dict[Path, Head] = {}
        self._lock = threading.Lock()
        self._engines = {
            model_key(backend.recognizer): backend.engine
            for backend in given.values()
            if backend.recognizer is not None
        }

    def add(self, handle: str, version: str, recognizer: bytes) -> None:
        """Store a trained recognizer."""
        path = self._path(handle, version)
        make_private_folder(path.parent)
        write_atomically(path, recognizer, private=True)

    def versions_of(self, handle: str) -> list[Version]:
        """Return the versions of a recognizer, latest first."""
        now = self._read_service().get(handle, GIVEN)
        found = (
            [
                Version(path.stem, path.stem[:15], path.stem == now, handle, _size(path))
                for path in sorted((self._folder / handle).glob("*.onnx"), reverse=True)
                if _VERSION.fullmatch(path.stem)
            ]
            if HANDLE.fullmatch(handle)
            else []
        )
        if handle in self._given:
            found.append(Version(GIVEN, "", now == GIVEN, handle))
        return found

    def trained(self) -> list[Version]:
        """Return the versions of all recognizers that were trained here, latest first."""
        found = [each for handle in self.handles() for each in self.versions_of(handle)]
        found = [each for each in found if each.version != GIVEN]
        return sorted(found, key=lambda each: (each.version, each.handle), reverse=True)

    def file(self, handle: str, version: str) -> Path:
        """Return the path of a trained version.

        Raises:
            NotServed: there is no such version, or it is the file given on the command line.
        """
        path = self._path(handle, version)
        if not path.is_file():
            raise NotServed(f"{handle} has no trained version {version}", hint=_LIST_HINT)
        return path

    def delete(self, handle: str, version: str) -> None:
        """Delete the file of a trained version.

        Raises:
            NotServed: there is no such version, or it is the file given on the command line.
            JobRefused: it is in service.
            OutputError: it cannot be deleted.
        """
        with self._lock:
            path = self.file(handle, version)
            if self.is_in_service(handle, version):
                raise JobRefused(
                    f"{handle} {version} is in service",
                    hint="Put another version in service first, with PUT "
                    "/v1/recognizer/{handle}/service or `instead=VERSION`; or take the recognizer "
                    "out of service: DELETE /v1/recognizer/{handle}/service.",
                )
            try:
                path.unlink()
                sync_folder(path.parent)
            except OSError as error:
                raise OutputError(f"{path} cannot be deleted: {error.strerror}") from error
            self._heads.pop(path, None)
            with contextlib.suppress(OSError):  # the last version of its recognizer
                path.parent.rmdir()

    def holding(self, wanted: SoughtPerson) -> Iterator[tuple[Version, Holding]]:
        """Yield the versions that hold a person, and those that cannot be read."""
        for handle in sorted({*self.handles(), *self._given}):
            for version in self.versions_of(handle):
                try:
                    head = self._head(handle, version)
                    found = None if head is None else find_in(head, wanted)
                except RecognizerError as error:
                    _log.error("%s %s cannot be read: %s", handle, version.version, error)
                    found = Holding("", "unreadable")
                if found is not None:
                    yield version, found

    def _head(self, handle: str, version: Version) -> Head | None:
        """Return what a version learned; read once."""
        if version.version == GIVEN:
            recognizer = self._given[handle].recognizer
            return None if recognizer is None else recognizer.head
        path = self._path(handle, version.version)
        if path not in self._heads:
            self._heads[path] = read_head(path)
        return self._heads[path]

    def handles(self) -> list[str]:
        """Return the names of the trained recognizers."""
        return sorted(
            path.name
            for path in self._folder.iterdir()
            if path.is_dir() and HANDLE.fullmatch(path.name)
        )

    def is_in_service(self, handle: str, version: str) -> bool:
        """Return whether a version is in service."""
        return self._read_service().get(handle) == version

    def open(self, handle: str, version: str) -> Backend:
        """Return the backend of a version.

        Raises:
            NotServed: there is no such version.
            RecognizerError: its file is damaged.
        """
        if version == GIVEN and handle in self._given:
            return self._given[handle]
        if version not in {each.version for each in self.versions_of(handle)}:
            raise NotServed(f"{handle} has no version {version}", hint=_LIST_HINT)
        recognizer = Recognizer.load(self._path(handle, version), threads=1)
        return Backend.of_file(recognizer, self._engine_of(recognizer))

    def set_in_service(self, handle: str, version: str) -> None:
        """Record which version is in service, so that it stays so after a restart."""
        with self._lock:
            if version != GIVEN:
                self.file(handle, version)  # it may have been deleted meanwhile
            self._write_service({**self._read_service(), handle: version})

    def take_out_of_service(self, handle: str) -> Backend | None:
        """Record that no trained version of a recognizer is in service.

        Returns:
            The backend given on the command line, which serves from then on; None if there is none.

        Raises:
            NotServed: no trained version of it is in service.
        """
        with self._lock:
            service = self._read_service()
            if service.pop(handle, GIVEN) == GIVEN:
                raise NotServed(f"no trained version of {handle} is in service", hint=_LIST_HINT)
            self._write_service(service)
        return self._given.get(handle)

    def load_in_service(self) -> Iterator[tuple[str, Backend]]:
        """Yield the versions in service before the last stop; damaged files are logged."""
        for handle, version in self._read_service().items():
            try:
                if version != GIVEN:
                    yield handle, self.open(handle, version)
            except MienError as error:
                _log.error("%s %s cannot be put in service: %s", handle, version, error)

    def _path(self, handle: str, version: str) -> Path:
        if not (HANDLE.fullmatch(handle) and _VERSION.fullmatch(version)):
            raise NotServed("no such recognizer", hint=_LIST_HINT)
        return self._folder / handle / f"{version}.onnx"

    def _write_service(self, service: Mapping[str, str]) -> None:
        text = json.dumps(service, indent=2).encode()
        write_atomically(self._folder / "service.json", text, private=True)

    def _read_service(self) -> dict[str, str]:
        try:
            found = json.loads((self._folder / "service.json").read_bytes())
        except (OSError, ValueError):
            return {}
        pairs = found.items() if isinstance(found, dict) else ()
        return {str(handle): str(version) for handle, version in pairs}

    def _engine_of(self, recognizer: Recognizer) -> FaceEngine:
        key = model_key(recognizer)
        with self._lock:
            if key not in self._engines:
                self._engines[key] = recognizer.engine(threads=1)
            return self._engines[key]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # deleted meanwhile
        return 0
