"""Load and run ONNX graphs: the only importer of onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from mien.errors import NotARecognizer, UnusableWeights

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


class Session:
    """One graph, ready to run; safe to call from many threads at once.

    Args:
        model: a serialised ONNX model.
        name: of the model, for errors.
        threads: number of threads per call; 0 for one per core.

    Raises:
        NotARecognizer: onnxruntime cannot load it.
    """

    def __init__(self, model: bytes, *, name: str, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take CPU time from other work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry(
            "optimization.constant_folding_max_output_size_in_bytes", _MOST_FOLDED
        )
        options.log_severity_level = _ERRORS_ONLY
        # Photos differ in size: a memory plan per size would be stored and seldom reused.
        options.enable_mem_pattern = False
        self._name = name
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
        try:
            results: list[NDArray[Any]] = self._session.run(list(wanted) or None, inputs)
        except _FOREIGN as error:
            raise UnusableWeights(
                f"{self._name}: onnxruntime failed: {_first_line(error)}",
                hint="Report this with the size of the photo.",
                code="model-failed",
            ) from error
        return results


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
