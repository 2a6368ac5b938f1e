"""Versions of recognizers trained by the server, and which of them is in service.

::

    recognizers/HANDLE/VERSION.onnx
    recognizers/service.json        {HANDLE: VERSION}
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mien.engine import FaceEngine
from mien.errors import MienError, NotServed
from mien.files import make_private_folder, write_atomically
from mien.graph.settings import DetectionSettings
from mien.recognizer import Recognizer
from mien.server.inference.backends import Backend

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
    """

    version: str
    created: str
    in_service: bool


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
                Version(path.stem, path.stem[:15], path.stem == now)
                for path in sorted((self._folder / handle).glob("*.onnx"), reverse=True)
                if _VERSION.fullmatch(path.stem)
            ]
            if HANDLE.fullmatch(handle)
            else []
        )
        if handle in self._given:
            found.append(Version(GIVEN, "", now == GIVEN))
        return found

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
            service = {**self._read_service(), handle: version}
            text = json.dumps(service, indent=2).encode()
            write_atomically(self._folder / "service.json", text, private=True)

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
