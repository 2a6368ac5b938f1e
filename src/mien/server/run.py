"""Open the recognition backends, listen, and run the server until it is stopped."""

from __future__ import annotations

import errno
import ipaddress
import logging
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import uvicorn

from mien.engine import Engine, FaceEngine
from mien.errors import (
    BadRequest,
    CannotListen,
    DataFolderInUse,
    OutputError,
    RecognizerNotFound,
    UnsafeStart,
)
from mien.files import locked_now, make_folder
from mien.gallery import Gallery, Origin
from mien.gallery.storage.database import is_dataset, is_gallery
from mien.recognizer import Recognizer
from mien.server.app import create_app, with_security
from mien.server.auth.keys import Keys
from mien.server.http.connections import ConnectionLimits, limited_protocol
from mien.server.http.limits import Limits
from mien.server.inference.backends import Backend
from mien.server.inference.versions import HANDLE, model_key
from mien.server.state import ServerState, Settings
from mien.types import Progress, silent

GALLERY = "people"
"""Name of the gallery's backend, and of its folder in the data folder."""

_LOCK = ".lock"

_GRACE = 60
"""Seconds that open requests may take after a request to stop."""

_SEND_BUFFER = 256 << 10
"""Bytes that the system keeps of a response, per connection, for a client that does not read."""


@dataclass(frozen=True, slots=True)
class Address:
    """Address that the server listens on.

    Attributes:
        host: name or IP address.
        port: 0 for any free one.
        proxies: IP addresses of trusted proxies, whose X-Forwarded headers are used.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    proxies: Sequence[str] = field(default_factory=tuple)

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@contextmanager
def only_server(data: Path) -> Iterator[None]:
    """Hold the data folder for this server: two would run the same training jobs.

    The system releases it when the process ends in any way.

    Args:
        data: the data folder; made where it is missing.

    Raises:
        DataFolderInUse: another server holds it.
        OutputError: it cannot be written.
    """
    with ExitStack() as stack:
        try:
            make_folder(data, private=True)
            free = stack.enter_context(locked_now(data / _LOCK))
        except OSError as error:
            if error.errno != errno.EROFS:
                raise OutputError(
                    f"the data folder {data} cannot be used: {error.strerror or error}",
                    hint="Choose a data folder that you may write to.",
                    code="keys-unusable",
                ) from error
            free = True  # no server can train on a read-only disk
        if not free:
            raise DataFolderInUse(
                f"another server uses the data folder {data}",
                hint="Stop it, or give this one another data folder.",
                code="data-folder-in-use",
            )
        yield


def check_safe(address: Address, settings: Settings) -> None:
    """Raise UnsafeStart if other machines could reach a server that requires no key."""
    if address.loopback or settings.insecure or Keys(settings.data).has_valid_key:
        return
    raise UnsafeStart(
        f"{address.host} can be reached from other machines, and there is no key",
        hint="Create a key (`Keys.create`), or listen on 127.0.0.1.",
        code="server-without-key",
    )


def open_backends(
    files: Mapping[str, Path],
    gallery: Path | None,
    data: Path,
    *,
    key: bytes | None = None,
    progress: Progress = silent,
) -> dict[str, Backend]:
    """Open the recognition backends of a server.

    Args:
        files: recognizer files by name.
        gallery: a gallery's folder. Without files and gallery, the one in the data folder is used
            and created if missing.
        data: the data folder.
        key: of an encrypted gallery.
        progress: called while weights are downloaded.

    Raises:
        RecognizerError: a file cannot be used.
        GalleryError: the gallery cannot be used.
        ModelError: the models are not available.
        BadRequest: a name that cannot stand in a URL, or that is the gallery's.
    """
    if gallery is not None and GALLERY in files:
        raise BadRequest(
            f"{GALLERY!r} is the name of the gallery, and of {files[GALLERY]} too",
            hint="Give the file another handle.",
            code="handle-of-gallery",
            data={"file": str(files[GALLERY])},
        )
    backends: dict[str, Backend] = {}
    engines: dict[object, FaceEngine] = {}
    for handle, path in files.items():
        if not HANDLE.fullmatch(handle):
            raise BadRequest(
                f"{handle!r} cannot be a handle",
                hint="Use small letters, digits and hyphens.",
                code="handle-malformed",
            )
        recognizer = _recognizer(path)
        key_of_models = model_key(recognizer)
        if key_of_models not in engines:
            engines[key_of_models] = recognizer.engine(threads=1)
        backends[handle] = Backend.of_file(recognizer, engines[key_of_models])
    if gallery is None and files:
        return backends
    opened = _gallery(gallery or data / GALLERY, make=gallery is None, key=key, progress=progress)
    engine = opened.origin.open_engine(threads=1, progress=progress)
    return {GALLERY: Backend.of_gallery(opened, engine), **backends}


def _recognizer(path: Path) -> Recognizer:
    if is_gallery(path):
        raise RecognizerNotFound(
            f"{path} is a gallery, not a recognizer file",
            hint="Give it as the gallery.",
            code="path-is-a-gallery",
            data={"folder": str(path)},
        )
    if is_dataset(path):
        raise RecognizerNotFound(
            f"{path} is a dataset, not a recognizer file",
            hint="Train a recognizer on it first: mien.train.",
            code="path-is-a-dataset",
            data={"folder": str(path)},
        )
    return Recognizer.load(path, threads=1)


def _gallery(path: Path, *, make: bool, key: bytes | None, progress: Progress) -> Gallery:
    if make and not path.exists():
        origin = Origin.of(Engine.open(threads=1, progress=progress))
        make_folder(path.parent, private=True)
        return Gallery.create(path, origin, thumbnails=True, key=key)
    return Gallery.open(path, key=key)


class _Server(uvicorn.Server):
    """Uvicorn's server, which ends event streams on a signal and then exits with code 0.

    Uvicorn raises the signals it received again after it has stopped, so that the process would
    end as interrupted. Only a second Ctrl-C, which aborts the shutdown, is passed on to it.
    """

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self._state = state

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._state.stopping.set()
        self._state.jobs.notify()  # so that event streams end
        if self.should_exit and sig == signal.SIGINT:
            super().handle_exit(sig, frame)
        self.should_exit = True


def listen(address: Address) -> socket.socket:
    """Return a listening socket.

    Raises:
        CannotListen: the port is in use, or the address is not one of this machine.
    """
    made = None
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, place = found[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        made.bind(place)
        made.listen(128)
    except (OSError, UnicodeError) as error:
        if made is not None:
            made.close()
        raise CannotListen(
            f"cannot listen on {address.host}:{address.port}: {error}",
            hint="Choose another port.",
            code="port-taken",
        ) from error
    return made


def connection_limits(limits: Limits, address: Address) -> ConnectionLimits:
    """Return the limits on connections; those of proxies are of many clients."""
    return ConnectionLimits(per_address=limits.per_address, exempt=tuple(address.proxies))


def serve(state: ServerState, address: Address, listener: socket.socket) -> None:
    """Serve until the process is signalled to stop; accepted requests are finished first."""
    configure_logging()
    config = uvicorn.Config(
        with_security(create_app(state)),
        http=limited_protocol(connection_limits(state.limits, address)),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(address.proxies),
        forwarded_allow_ips=list(address.proxies),
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_GRACE,
        lifespan="on",
        h11_max_incomplete_event_size=64 << 10,
    )
    _Server(config, state).run(sockets=[listener])


def configure_logging() -> None:
    """Write the server's log to standard error, one JSON object per line."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter('{"time":"%(asctime)s","level":"%(levelname)s",%(tail)s}')
    formatter.default_time_format = "%Y-%m-%dT%H:%M:%S"
    formatter.converter = time.gmtime
    formatter.default_msec_format = "%s.%03dZ"
    handler.setFormatter(formatter)
    handler.addFilter(_as_tail)
    log = logging.getLogger("mien.server")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def _as_tail(record: logging.LogRecord) -> bool:
    import json  # noqa: PLC0415

    text = record.getMessage()
    if record.name == "mien.server.requests":
        record.tail = text[1:-1]
    else:
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
            record.exc_info, record.exc_text = None, None
        record.tail = f'"message":{json.dumps(text)}'
    return True
