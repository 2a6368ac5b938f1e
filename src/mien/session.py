"""Load and run ONNX graphs: the only importer of onnxruntime."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mien.errors import NotARecognizer, UnusableWeights
from mien.photo.memory import give_back

_FOREIGN = (
    onnxruntime.capi.onnxruntime_pybind11_state.Fail,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph,
    onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf,
    onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented,
    onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException,
    UnicodeDecodeError,  # of a text in the file, also where it stands in onnxruntime's message
)

_ERRORS_ONLY = 3

_MOST_FOLDED = str(1 << 28)
"""Bytes of a tensor that onnxruntime may compute from constants while it loads a graph."""

_LEAST_MEMORY = 1 << 30
_LONGEST_RUN = 120.0
"""Seconds: a photo takes less than one on most machines."""

KEPT_FOR = 12 << 20
"""Bytes of input, 4 megapixels: what onnxruntime allocates for as much is always kept."""

_ROWS_AT_ONCE = 16
"""Faces that are embedded at once: more are no faster, and each takes 10 MB."""

FACES_KEPT_FOR = 8 * 112 * 112 * 3
"""Bytes of eight crops: the same of a session that embeds faces."""


class Session:
    """One graph, ready to run; safe to call from many threads at once.

    All sessions share one pool of memory, which has at most half of the machine's. After an input
    that is much larger than those before, what it took is given back to the system. A run that
    takes minutes is ended.

    Args:
        model: a serialised ONNX model.
        name: of the model, for errors.
        threads: number of threads per call; 0 for one per core.
        kept_for: bytes of input up to which memory is kept for the next run in any case.

    Raises:
        NotARecognizer: onnxruntime cannot load it.
    """

    def __init__(
        self, model: bytes, *, name: str, threads: int = 0, kept_for: int = KEPT_FOR
    ) -> None:
        _share_memory()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take CPU time from other work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry(
            "optimization.constant_folding_max_output_size_in_bytes", _MOST_FOLDED
        )
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.log_severity_level = _ERRORS_ONLY
        # Photos differ in size: a memory plan per size would be stored and seldom reused.
        options.enable_mem_pattern = False
        self._name = name
        self._kept_for = kept_for
        self._usual = 0.0
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except _FOREIGN as error:
            raise NotARecognizer(
                f"{name}: onnxruntime cannot load it: {_first_line(error)}",
                hint="The file is damaged or was not written by Mien; make it again.",
            ) from error
        self.outputs = tuple(output.name for output in self._session.get_outputs())

    @property
    def metadata(self) -> dict[str, str]:
        """The properties written into the model; raises NotARecognizer where they are no text."""
        try:
            return dict(self._session.get_modelmeta().custom_metadata_map)
        except UnicodeDecodeError as error:
            raise NotARecognizer(
                f"{self._name}: its metadata is not text",
                hint="The file is damaged; make it again.",
            ) from error

    def run(self, *wanted: str, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the outputs in `wanted`, or all outputs where none is given."""
        options = onnxruntime.RunOptions()
        unusual = self._is_unusual(sum(value.nbytes for value in inputs.values()))
        if unusual:
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        try:
            with _watch.ending(options, _LONGEST_RUN):
                results: list[NDArray[Any]] = self._session.run(
                    list(wanted) or None, inputs, options
                )
        except _FOREIGN as error:
            raise UnusableWeights(
                f"{self._name}: onnxruntime failed: {_first_line(error)}",
                hint="Report this with the size of the photo.",
                code="model-failed",
            ) from error
        finally:
            if unusual:
                give_back()
        return results

    def run_rows(self, *wanted: str, **rows: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the outputs in `wanted` for one input with a row per face.

        It is run on groups of rows, of almost equal size: its memory depends on the group.
        """
        ((name, values),) = rows.items()
        groups = max(1, -(-len(values) // _ROWS_AT_ONCE))
        found = [self.run(*wanted, **{name: group}) for group in np.array_split(values, groups)]
        return [np.concatenate(parts) for parts in zip(*found, strict=True)]

    def _is_unusual(self, size: int) -> bool:
        """Return whether an input of `size` bytes is twice as large as those before on average."""
        unusual = size > max(self._kept_for, 2 * self._usual)
        self._usual += (size - self._usual) / 8
        return unusual


class _Watch:
    """Ends runs that take too long, between two of their nodes: one thread for all of them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._runs: dict[int, tuple[float, Any]] = {}

    @contextmanager
    def ending(self, options: Any, seconds: float) -> Iterator[None]:
        """Run a graph inside with these `RunOptions`; it is ended after some seconds."""
        with self._changed:
            self._runs[id(options)] = time.monotonic() + seconds, options
            # A process that was forked has no such thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="mien-watch", daemon=True)
                self._thread.start()
            elif len(self._runs) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                del self._runs[id(options)]

    def _work(self) -> None:
        with self._changed:
            while True:
                self._changed.wait(self._seconds_to_next())
                now = time.monotonic()
                for ends, options in self._runs.values():
                    if ends <= now:
                        options.terminate = True

    def _seconds_to_next(self) -> float | None:
        """Return for how long there is nothing to end; None while nothing runs."""
        if not self._runs:
            return None
        return max(1.0, min(ends for ends, _ in self._runs.values()) - time.monotonic())


_watch = _Watch()


@cache
def _share_memory() -> None:
    """Make the pool of memory of all sessions, with a limit: a graph could ask for any size."""
    place = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    most = max(_LEAST_MEMORY, _memory_of_machine() // 2)
    onnxruntime.create_and_register_allocator(place, onnxruntime.OrtArenaCfg({"max_mem": most}))


def _memory_of_machine() -> int:
    """Return the bytes of memory that this process may use: the machine's or its container's."""
    found = [1 << 34]
    with suppress(AttributeError, OSError, ValueError):  # not on Windows
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            found.append(int(Path("/sys/fs/cgroup", limit).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return min(found)


def forward(model: bytes, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """Return all outputs of a model for `inputs`.

    Raises:
        UnusableWeights: it cannot be loaded or run.
    """
    try:
        return Session(model, name="model").run(**inputs)
    except (NotARecognizer, ValueError) as error:  # ValueError: wrong inputs
        raise UnusableWeights(
            _first_line(error), hint="Export it again as standard ONNX."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300]


def usable_cores() -> int:
    """Return the number of cores that this process may use; at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, len(affinity(0)) if affinity else os.cpu_count() or 1)
