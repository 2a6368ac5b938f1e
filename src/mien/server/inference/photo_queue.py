"""The photo queue: bounded, one worker thread per core, faces embedded in batches.

A worker takes a photo, and further ones that arrive within a short window if no other worker is
idle. It detects and aligns faces photo by photo, embeds all faces of the batch at once, and
completes each photo (compare, encode crops) before the next batch.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.engine import FaceEngine
from mien.errors import ServerBusy
from mien.photo import decode_photo
from mien.server.http.limits import Limits
from mien.server.http.prometheus import Metrics
from mien.session import usable_cores
from mien.types import Detections, EmbeddedPhoto, Embeddings, Photo

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Task:
    work: Callable[[], Any] | None = None
    data: bytes = b""
    name: str = ""
    engine: FaceEngine | None = None
    on_embedded: Callable[[EmbeddedPhoto], Any] | None = None
    future: Future[Any] = field(default_factory=Future)
    submitted: float = field(default_factory=time.monotonic)


class PhotoQueue:
    """A bounded queue of photos and other work, and the worker threads that process it.

    Args:
        limits: queue length, batch size and time limits.
        metrics: counts photos, faces and batches.
        workers: number of threads; 0 for one per core.
    """

    def __init__(self, limits: Limits, metrics: Metrics, *, workers: int = 0) -> None:
        self._limits = limits
        self._metrics = metrics
        self._tasks: deque[_Task] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._idle = 0
        count = workers or usable_cores()
        self._threads = [
            threading.Thread(target=self._serve, name=f"mien-photo-{n}", daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Number of waiting tasks."""
        return len(self._tasks)

    def check_capacity(self) -> None:
        """Raise ServerBusy if the queue is full; called before a request's body is read."""
        with self._changed:
            self._check_capacity(1)

    def submit_photos(
        self,
        photos: Sequence[tuple[bytes, str]],
        engine: FaceEngine,
        on_embedded: Callable[[EmbeddedPhoto], T],
    ) -> list[Future[T]]:
        """Queue photos for detection and embedding, all of them or none.

        Args:
            photos: encoded bytes and name per photo.
            engine: photo to embeddings, on one thread.
            on_embedded: called by a worker with each embedded photo; returns the result.

        Raises:
            ServerBusy: the queue is full.
        """
        tasks = [_Task(data=d, name=n, engine=engine, on_embedded=on_embedded) for d, n in photos]
        self._add(tasks)
        return [task.future for task in tasks]

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Queue any other heavy work.

        Raises:
            ServerBusy: the queue is full.
        """
        task = _Task(work=work)
        self._add([task])
        return task.future

    async def result(self, future: Future[T]) -> T:
        """Wait for the result of a task.

        Raises:
            ServerBusy: it took too long.
            MienError: raised by the work itself.
        """
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise _timed_out() from error

    def close(self) -> None:
        """Finish the accepted tasks and stop the workers."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _add(self, tasks: Sequence[_Task]) -> None:
        with self._changed:
            self._check_capacity(len(tasks))
            self._tasks.extend(tasks)
            self._changed.notify(len(tasks))

    def _check_capacity(self, count: int) -> None:
        if self._closing:
            raise ServerBusy("the server is stopping", hint="Ask again when it is up.")
        # An empty queue accepts any number of photos: a large request could never run otherwise.
        if self._tasks and len(self._tasks) + count > self._limits.waiting:
            raise ServerBusy(f"{len(self._tasks)} photos are waiting", hint="Ask again in 1 s.")

    def _serve(self) -> None:
        while tasks := self._next_batch():
            now = time.monotonic()
            current = [
                task
                for task in tasks
                if task.future.set_running_or_notify_cancel() and not self._expired(task, now)
            ]
            for task in current:
                if task.work is not None:
                    _complete(task, task.work)
            self._process([task for task in current if task.work is None])

    def _expired(self, task: _Task, now: float) -> bool:
        expired = now - task.submitted > self._limits.seconds
        if expired:
            task.future.set_exception(_timed_out())
        return expired

    def _next_batch(self) -> list[_Task]:
        """Return the next batch of tasks; an empty one if the queue is closed and empty."""
        with self._changed:
            self._idle += 1
            while not self._tasks and not self._closing:
                self._changed.wait()
            self._idle -= 1
            if not self._tasks:
                return []
            batch = [self._tasks.popleft()]
            deadline = time.monotonic() + self._limits.window
            while batch[-1].work is None and len(batch) < self._limits.batch:
                if self._tasks:
                    # A batch must not leave another worker without a photo.
                    if len(self._tasks) <= self._idle:
                        break
                    batch.append(self._tasks.popleft())
                elif (
                    self._idle or self._closing or not self._changed.wait(_seconds_until(deadline))
                ):
                    break
            return batch

    def _process(self, tasks: Sequence[_Task]) -> None:
        ready: list[tuple[_Task, Photo, Detections, NDArray[np.uint8]]] = []
        for task in tasks:
            aligned = _run_step(task, partial(self._align, task))
            if aligned is not None:
                ready.append((task, *aligned))
        for engine in {id(task.engine): task.engine for task, *_ in ready}.values():
            if engine is not None:
                self._embed_batch(engine, [row for row in ready if row[0].engine is engine])

    def _align(self, task: _Task) -> tuple[Photo, Detections, NDArray[np.uint8]]:
        engine = task.engine
        if engine is None:
            raise TypeError("a photo task needs an engine")
        photo = decode_photo(task.data, name=task.name, long_side=engine.max_long_side)
        task.data = b""
        found = engine.detect(photo)
        found = found.take(slice(0, self._limits.faces))
        return photo, found, engine.align(photo, found)

    def _embed_batch(
        self,
        engine: FaceEngine,
        rows: Sequence[tuple[_Task, Photo, Detections, NDArray[np.uint8]]],
    ) -> None:
        embeddings = _run_step(
            [row[0] for row in rows], lambda: engine.embed(np.concatenate([row[3] for row in rows]))
        )
        if embeddings is None:
            return
        self._metrics.count_batch(len(rows), len(embeddings))
        start = 0
        for task, photo, found, crops in rows:
            vectors = embeddings.vectors[start : start + len(found)]
            start += len(found)
            embedded = EmbeddedPhoto(photo, found, crops, Embeddings(vectors, embeddings.contract))
            on_embedded = task.on_embedded
            if on_embedded is not None:
                _complete(task, partial(on_embedded, embedded))


def _seconds_until(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _complete(task: _Task, work: Callable[[], Any]) -> None:
    """Run the last step of a task and set its result or its error."""
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - the waiting request reports it
        task.future.set_exception(error)
    else:
        task.future.set_result(result)


def _run_step(tasks: _Task | Sequence[_Task], work: Callable[[], T]) -> T | None:
    """Run a step of one or several tasks; on failure set their error and return None."""
    try:
        return work()
    except BaseException as error:  # noqa: BLE001 - the waiting requests report it
        for task in [tasks] if isinstance(tasks, _Task) else tasks:
            task.future.set_exception(error)
        return None


def _timed_out() -> ServerBusy:
    return ServerBusy(
        "the photo was not processed in time", hint="Ask again in 1 s, or send it smaller."
    )
