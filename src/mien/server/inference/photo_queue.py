"""The queue of photos: bounded, looked at by one worker a core, faces embedded in batches.

A worker takes a photo, and those that arrive within a small window where more is waiting than
there are workers; detects and aligns them one by one; embeds all their faces at once; and
finishes each (compare, encode crops) before the next batch.
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
from mien.server.http.metrics import Metrics
from mien.threads import usable_cores
from mien.types import Detections, EmbeddedPhoto, Embeddings, Photo

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Task:
    work: Callable[[], Any] | None = None
    data: bytes = b""
    name: str = ""
    engine: FaceEngine | None = None
    then: Callable[[EmbeddedPhoto], Any] | None = None
    future: Future[Any] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)


class Inference:
    """The workers and their queue.

    Args:
        limits: how many may wait, and how long.
        metrics: to count in.
        workers: threads; 0 for as many as there are cores.
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
            threading.Thread(target=self._serve, name=f"mien-look-{n}", daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many tasks wait."""
        return len(self._tasks)

    def check_room(self) -> None:
        """Raise ServerBusy where nothing more may wait: asked before a body is read."""
        with self._changed:
            self._check_room(1)

    def look(
        self,
        photos: Sequence[tuple[bytes, str]],
        engine: FaceEngine,
        then: Callable[[EmbeddedPhoto], T],
    ) -> list[Future[T]]:
        """Have photos looked at, all of them or none.

        Args:
            photos: bytes and name of each.
            engine: with one thread.
            then: called by a worker with what was seen; what it returns is the result.

        Raises:
            ServerBusy: as many wait as may.
        """
        tasks = [_Task(data=d, name=n, engine=engine, then=then) for d, n in photos]
        self._add(tasks)
        return [task.future for task in tasks]

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Have other heavy work done by a worker, in its turn.

        Raises:
            ServerBusy: as many wait as may.
        """
        task = _Task(work=work)
        self._add([task])
        return task.future

    async def result(self, future: Future[T]) -> T:
        """Wait for a result.

        Raises:
            ServerBusy: it did not come in time.
            MienError: whatever the work raised.
        """
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise _too_late() from error

    def close(self) -> None:
        """Finish what was taken and stop."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _add(self, tasks: Sequence[_Task]) -> None:
        with self._changed:
            self._check_room(len(tasks))
            self._tasks.extend(tasks)
            self._changed.notify(len(tasks))

    def _check_room(self, count: int) -> None:
        if self._closing:
            raise ServerBusy("the server is stopping", hint="Ask again when it is up.")
        # A request of many photos alone in the queue is let in: it could never be otherwise.
        if self._tasks and len(self._tasks) + count > self._limits.waiting:
            raise ServerBusy(
                f"{len(self._tasks)} photos are waiting to be looked at", hint="Ask again in 1 s."
            )

    def _serve(self) -> None:
        while tasks := self._take():
            now = time.monotonic()
            live = [
                task
                for task in tasks
                if task.future.set_running_or_notify_cancel() and not self._late(task, now)
            ]
            for task in live:
                if task.work is not None:
                    _settle(task, task.work)
            self._look([task for task in live if task.work is None])

    def _late(self, task: _Task, now: float) -> bool:
        late = now - task.since > self._limits.seconds
        if late:
            task.future.set_exception(_too_late())
        return late

    def _take(self) -> list[_Task]:
        """Return the next tasks; none when the server stops and nothing is left."""
        with self._changed:
            self._idle += 1
            while not self._tasks and not self._closing:
                self._changed.wait()
            self._idle -= 1
            if not self._tasks:
                return []
            taken = [self._tasks.popleft()]
            until = time.monotonic() + self._limits.window
            while taken[-1].work is None and len(taken) < self._limits.batch:
                if self._tasks:
                    # What waits is shared out: a batch must not leave another worker idle.
                    if len(self._tasks) <= self._idle:
                        break
                    taken.append(self._tasks.popleft())
                elif self._idle or self._closing or not self._changed.wait(_left(until)):
                    break
            return taken

    def _look(self, tasks: Sequence[_Task]) -> None:
        ready: list[tuple[_Task, Photo, Detections, NDArray[np.uint8]]] = []
        for task in tasks:
            seen = _attempt(task, partial(self._align, task))
            if seen is not None:
                ready.append((task, *seen))
        for engine in {id(task.engine): task.engine for task, *_ in ready}.values():
            if engine is not None:
                self._finish(engine, [row for row in ready if row[0].engine is engine])

    def _align(self, task: _Task) -> tuple[Photo, Detections, NDArray[np.uint8]]:
        engine = task.engine
        if engine is None:
            raise TypeError("a photo is looked at with an engine")
        photo = decode_photo(task.data, name=task.name, long_side=engine.max_long_side)
        task.data = b""
        found = engine.detect(photo)
        found = found.take(slice(0, self._limits.faces))
        return photo, found, engine.align(photo, found)

    def _finish(
        self,
        engine: FaceEngine,
        rows: Sequence[tuple[_Task, Photo, Detections, NDArray[np.uint8]]],
    ) -> None:
        together = _attempt(
            [row[0] for row in rows], lambda: engine.embed(np.concatenate([row[3] for row in rows]))
        )
        if together is None:
            return
        self._metrics.looked(len(rows), len(together))
        start = 0
        for task, photo, found, crops in rows:
            vectors = together.vectors[start : start + len(found)]
            start += len(found)
            seen = EmbeddedPhoto(photo, found, crops, Embeddings(vectors, together.contract))
            then = task.then
            if then is not None:
                _settle(task, partial(then, seen))


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _settle(task: _Task, work: Callable[[], Any]) -> None:
    """Run work and give the task its result; an error goes to whoever waits for it."""
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - the waiting request answers it
        task.future.set_exception(error)
    else:
        task.future.set_result(result)


def _attempt(tasks: _Task | Sequence[_Task], work: Callable[[], T]) -> T | None:
    """Run work that is not the task's last; None where it failed and the tasks were told."""
    try:
        return work()
    except BaseException as error:  # noqa: BLE001 - the waiting requests answer it
        for task in [tasks] if isinstance(tasks, _Task) else tasks:
            task.future.set_exception(error)
        return None


def _too_late() -> ServerBusy:
    return ServerBusy(
        "the photo was not looked at in time", hint="Ask again in 1 s, or send it smaller."
    )
