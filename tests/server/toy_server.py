"""A server over toy models: a red square is a face, the colours below it identify the person."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image

from mien.engine import Engine
from mien.gallery import Gallery, Origin
from mien.photo import decode_photo
from mien.recognizer import Recognizer
from mien.server.app import create_app, with_security
from mien.server.http.connections import ConnectionLimits, limited_protocol
from mien.server.http.limits import Limits
from mien.server.inference.backends import Backend
from mien.server.run import Address, listen
from mien.server.state import ServerState, Settings
from mien.types import Calibration, Head, Interval, Policy
from toy_graphs import red_squares, toy_engine

BASE = "http://127.0.0.1:8000"


def picture(person: int, photo: int = 0, *, faces: int = 1, kind: str = "PNG") -> bytes:
    """Return a photo of a person: a red square on noise, with the person's colours below it."""
    pixels = red_squares(480, 480, [(10, 7 + 12 * n) for n in range(faces)], seed=photo)
    colours = np.random.default_rng([person, 5]).integers((0, 120, 0), (60, 250, 250), (6, 3))
    for n, colour in enumerate(colours):
        pixels[88 + 2 * n : 90 + 2 * n, 48:72] = colour
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **({"quality": 95} if kind == "JPEG" else {}))
    return buffer.getvalue()


def blank() -> bytes:
    """Return a photo without a face."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@cache
def shared_engine() -> Engine:
    return toy_engine()


@cache
def file_backend() -> Backend:
    """Return the backend of a recognizer of the people in `picture`."""
    engine, people = shared_engine(), ("Ada", "Ben", "Cyd")
    rows = []
    for person in range(len(people)):
        photo = decode_photo(picture(person), name="toy")
        found = engine.detect(photo)
        rows.append(engine.embed(engine.align(photo, found)).vectors[0])
    head = Head(
        kind="prototype",
        people=tuple(people),
        prototypes=np.stack(rows),
        photos=np.ones(len(people), np.int64),
        contract=engine.contract,
        # The toys look alike, so that little lies between a person and the others.
        calibration=Calibration(3000.0, -2994.0),
        policy=Policy(0.999, 0.01, Interval(0.01, 0.005, 0.02), 500, True, "made up"),
    )
    return Backend.of_file(Recognizer.build(head, engine, threads=1), engine)


def toy_state(
    folder: Path,
    *,
    gallery: bool = True,
    file: bool = True,
    limits: Limits | None = None,
    **options,
) -> ServerState:
    """Return a server's state with a gallery `people` and a recognizer file `toy`."""
    engine = shared_engine()
    backends = {}
    if gallery:
        opened = Gallery.create(folder / "people", Origin.of(engine), thumbnails=True)
        backends["people"] = Backend.of_gallery(opened, engine)
    if file:
        backends["toy"] = file_backend()
    settings = Settings(folder / "data", workers=2, limits=limits or Limits(), **options)
    return ServerState(settings, backends)


def toy_client(state: ServerState, **options) -> TestClient:
    """Return a client of the whole application with its security middleware."""
    return TestClient(
        with_security(create_app(state)), base_url=BASE, raise_server_exceptions=False, **options
    )


def files(*photos: bytes, field: str = "file") -> list:
    return [(field, (f"photo{n}.png", data, "image/png")) for n, data in enumerate(photos)]


def with_limits(**changes) -> Limits:
    return replace(Limits(), **changes)


@contextmanager
def listening(state: ServerState, **connection_limits) -> Iterator[str]:
    """Serve on a free port of the loopback, as `mien serve` does; yields the address."""
    config = uvicorn.Config(
        with_security(create_app(state)),
        http=limited_protocol(ConnectionLimits(**connection_limits)),
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    listener = listen(Address(port=0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        state.stopping.set()
        server.should_exit = True
        thread.join()
        listener.close()
