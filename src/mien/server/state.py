"""Everything that a running server has, in one place."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from mien.engine import FaceEngine
from mien.errors import NotServed
from mien.gallery import Gallery
from mien.server.auth.access import Access
from mien.server.auth.audit_trail import Audit
from mien.server.auth.keys import Keys
from mien.server.http.limits import Limits, RateLimiter
from mien.server.http.metrics import Metrics
from mien.server.inference.backends import Backend
from mien.server.inference.face_tokens import FaceTokens
from mien.server.inference.photo_queue import Inference
from mien.server.inference.versions import Versions
from mien.server.training.jobs import Jobs


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server is run.

    Attributes:
        data: its folder: keys, jobs, trained recognizers, the gallery if no other is given.
        hosts: names it is known by; empty for any.
        origins: other origins whose pages may ask.
        require_key: ask for a key even where none was made.
        insecure: ask nobody for a key.
        limits: on what is asked.
        workers: threads that look at photos; 0 for as many as there are cores.
    """

    data: Path
    hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1"})
    origins: frozenset[str] = frozenset()
    require_key: bool = False
    insecure: bool = False
    limits: Limits = field(default_factory=Limits)
    workers: int = 0


class ServerState:
    """What the routes work with.

    Args:
        settings: how it is run.
        backends: what answers, by handle; the first where no handle is asked for.
    """

    def __init__(self, settings: Settings, backends: Mapping[str, Backend]) -> None:
        self.settings = settings
        self.limits = limits = settings.limits
        self.metrics = Metrics()
        self.access = Access(
            Keys(settings.data),
            RateLimiter(limits.per_second, limits.burst),
            required=settings.require_key,
            open_to_all=settings.insecure,
        )
        self.stopping = threading.Event()
        self.tokens = FaceTokens()
        self._lock = threading.Lock()
        self._backends = dict(backends)
        self.inference = Inference(limits, self.metrics, workers=settings.workers)
        self.versions = Versions(settings.data / "recognizers", given=self._backends)
        self.jobs = Jobs(settings.data / "jobs", self.versions, limits)
        self.audit = Audit(settings.data / "audit.sqlite")
        self.metrics.watch(
            "mien_waiting_photos", "Photos that wait.", lambda: float(self.inference.waiting)
        )
        for handle, backend in self.versions.in_service():
            if not self.is_gallery(handle):
                self.put(handle, backend)

    @property
    def handles(self) -> Sequence[str]:
        """The handles, the default first."""
        with self._lock:
            return tuple(self._backends)

    def backend(self, handle: str = "") -> Backend:
        """Return what answers by a handle; the first where it is empty.

        Raises:
            NotServed: nothing does.
        """
        with self._lock:
            found = self._backends.get(handle or next(iter(self._backends), ""))
        if found is None:
            raise NotServed(
                f"no recognizer is called {handle!r}" if handle else "no recognizer is in service",
                hint=f"There are: {', '.join(self.handles) or 'none'}.",
            )
        return found

    def name_of(self, handle: str) -> str:
        """Return a handle, or the default's where it is empty."""
        return handle or next(iter(self.handles), "")

    def gallery_backend(self) -> tuple[Gallery, FaceEngine]:
        """Return the living gallery and the engine over its models.

        Raises:
            NotServed: there is none.
        """
        with self._lock:
            for backend in self._backends.values():
                if backend.gallery is not None:
                    return backend.gallery, backend.engine
        raise NotServed(
            "there is no living gallery here",
            hint="A server has one where it is started without a file, `mien serve`, or with "
            "`mien serve --gallery DIR`.",
        )

    def gallery(self) -> Gallery:
        """Return the living gallery; raises NotServed where there is none."""
        return self.gallery_backend()[0]

    def is_gallery(self, handle: str) -> bool:
        """Return whether the living gallery answers by a handle: no file takes its place."""
        with self._lock:
            found = self._backends.get(handle)
        return found is not None and found.gallery is not None

    def put(self, handle: str, backend: Backend) -> None:
        """Have something else answer by a handle from now on."""
        with self._lock:
            self._backends[handle] = backend

    def close(self) -> None:
        """Finish what was taken and let go of everything."""
        self.stopping.set()
        self.jobs.close()
        self.inference.close()
        self.audit.close()
        for handle in self.handles:
            gallery = self.backend(handle).gallery
            if gallery is not None:
                gallery.close()


def _service(request: Request) -> ServerState:
    found: ServerState = request.app.state.service
    return found


ServiceOf = Annotated[ServerState, Depends(_service)]
