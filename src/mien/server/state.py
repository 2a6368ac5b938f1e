"""State of a running server: settings, recognition backends, queue, jobs, access, audit trail."""

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
from mien.request_limits import RateLimiter
from mien.server.auth.access import Access
from mien.server.auth.audit_trail import AuditTrail, wait_until_written
from mien.server.auth.keys import Keys
from mien.server.auth.web_sessions import IDLE, WebSessions
from mien.server.http.event_streams import OpenStreams
from mien.server.http.limits import Limits
from mien.server.http.prometheus import Metrics
from mien.server.inference.backends import Backend
from mien.server.inference.face_tokens import FaceTokens
from mien.server.inference.photo_queue import PhotoQueue
from mien.server.inference.versions import Versions
from mien.server.training.jobs import Jobs


@dataclass(frozen=True, slots=True)
class Settings:
    """Configuration of a server.

    Attributes:
        data: folder with keys, jobs, trained recognizers and, if no other is given, the gallery.
        hosts: host names that requests may use; empty for any.
        origins: other origins whose pages may send requests (CORS).
        require_key: require an API key even if none was created.
        insecure: never require a key.
        limits: on size, number and rate of requests.
        workers: threads that process photos; 0 for one per core.
        session_idle: seconds after which an unused session of the page ends; 0 for no such limit.
    """

    data: Path
    hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "::1"})
    origins: frozenset[str] = frozenset()
    require_key: bool = False
    insecure: bool = False
    limits: Limits = field(default_factory=Limits)
    workers: int = 0
    session_idle: float = IDLE


class ServerState:
    """What the routes share: backends, queue, jobs, access control and audit trail.

    Args:
        settings: configuration.
        backends: recognition backends by name (handle); the first is the default.
    """

    def __init__(self, settings: Settings, backends: Mapping[str, Backend]) -> None:
        self.settings = settings
        self.limits = limits = settings.limits
        self.metrics = Metrics()
        keys = Keys(settings.data)
        self.audit = AuditTrail(settings.data / "audit.sqlite", keys.derived("audit trail"))
        self.access = Access(
            keys,
            RateLimiter(limits.per_second, limits.burst),
            required=settings.require_key,
            open_to_all=settings.insecure,
            sessions=WebSessions(idle=settings.session_idle),
            on_refused=self.audit.refuse,
        )
        self.stopping = threading.Event()
        self.tokens = FaceTokens()
        self.streams = OpenStreams(limits)
        self._lock = threading.Lock()
        self._backends = dict(backends)
        self.queue = PhotoQueue(limits, self.metrics, workers=settings.workers)
        self.versions = Versions(settings.data / "recognizers", given=self._backends)
        self.jobs = Jobs(settings.data / "jobs", self.versions, limits)
        self.metrics.add_gauge(
            "mien_event_streams", "Open event streams.", lambda: float(self.streams.count)
        )
        self.metrics.add_gauge(
            "mien_waiting_photos", "Photos waiting in the queue.", lambda: float(self.queue.waiting)
        )
        self.metrics.add_gauge(
            "mien_audit_unwritten",
            "Events that could not be written to the audit trail yet.",
            lambda: float(self.audit.unwritten),
        )
        for handle, backend in self.versions.load_in_service():
            if not self.is_gallery(handle):
                self.set_backend(handle, backend)

    @property
    def handles(self) -> Sequence[str]:
        """Names of the backends, the default first."""
        with self._lock:
            return tuple(self._backends)

    def backend(self, handle: str = "") -> Backend:
        """Return the recognition backend of a name; the default if it is empty.

        Raises:
            NotServed: there is no such backend.
        """
        with self._lock:
            found = self._backends.get(handle or next(iter(self._backends), ""))
        if found is None:
            raise NotServed(
                f"no recognizer is called {handle!r}" if handle else "no recognizer is in service",
                hint=f"There are: {', '.join(self.handles) or 'none'}.",
            )
        return found

    def handle_or_default(self, handle: str) -> str:
        """Return the given name, or the default backend's if it is empty."""
        return handle or next(iter(self.handles), "")

    def gallery_backend(self) -> tuple[Gallery, FaceEngine]:
        """Return the gallery and the engine that makes its embeddings.

        Raises:
            NotServed: the server has no gallery.
        """
        with self._lock:
            for backend in self._backends.values():
                if backend.gallery is not None:
                    return backend.gallery, backend.engine
        raise NotServed(
            "this server has no gallery",
            hint="This server was started with recognizer files only; its operator can add a "
            "gallery.",
        )

    def gallery(self) -> Gallery:
        """Return the gallery.

        Raises:
            NotServed: the server has no gallery.
        """
        return self.gallery_backend()[0]

    def is_gallery(self, handle: str) -> bool:
        """Return whether a name belongs to the gallery; no recognizer file replaces it."""
        with self._lock:
            found = self._backends.get(handle)
        return found is not None and found.gallery is not None

    def set_backend(self, handle: str, backend: Backend) -> None:
        """Replace the backend of a name, from the next request on."""
        with self._lock:
            self._backends[handle] = backend

    def remove_backend(self, handle: str) -> None:
        """Serve nothing under a name, from the next request on."""
        with self._lock:
            self._backends.pop(handle, None)

    def close(self) -> None:
        """Finish accepted work, then close the jobs, the queue, the audit trail and the gallery."""
        self.stopping.set()
        self.jobs.close()
        self.queue.close()
        self.audit.close()
        self.access.close()
        for handle in self.handles:
            gallery = self.backend(handle).gallery
            if gallery is not None:
                gallery.close()


class RequestAudit:
    """Records what a request does, before it is answered.

    The response gets the header `X-Audit-Recorded`: `true`, or `false` if an event of the request
    could not be written.

    Args:
        request: the request.
        trail: the audit trail.
    """

    def __init__(self, request: Request, trail: AuditTrail) -> None:
        self._scope = request.scope
        self._trail = trail

    async def record(
        self,
        action: str,
        key: str,
        people: Sequence[str] = ("",),
        detail: str = "",
        *,
        address: str = "",
    ) -> bool:
        """Record an event, once per person; return whether it is on the disk."""
        future = self._trail.record(action, key, people, detail, address=address)
        written = await wait_until_written(future)
        self._scope["mien.recorded"] = written and self._scope.get("mien.recorded", True)
        return written


def _state(request: Request) -> ServerState:
    found: ServerState = request.app.state.server
    return found


StateDep = Annotated[ServerState, Depends(_state)]


def _audit(request: Request) -> RequestAudit:
    return RequestAudit(request, _state(request).audit)


AuditDep = Annotated[RequestAudit, Depends(_audit)]
