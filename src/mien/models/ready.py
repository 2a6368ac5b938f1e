"""Cache of clean graphs, which are made of published weights once."""

from __future__ import annotations

import hashlib
import importlib
from pathlib import Path

from mien.files import locked, replace_file, sha256_of
from mien.models.cards import ModelCard
from mien.models.home import writing_to
from mien.models.weight_store import WeightStore
from mien.types import Progress, silent


def ready_model(
    card: ModelCard, store: WeightStore | None = None, progress: Progress = silent
) -> Path:
    """Return the path of the clean graph of a card's weights (see `mien.models.clean`).

    Downloads the weights where they are missing. The file name of the graph contains the sha256 of
    the weights, the version of the conversion and its own digest, so that a damaged file is
    detected and made again.

    Args:
        card: of the model.
        store: for weights and clean graphs; the default store if None.
        progress: called with the bytes received while downloading.

    Raises:
        WeightsMissing: offline, and the weights are not on this machine.
        DownloadFailed: no source delivered the weights.
        UnusableWeights: the weights cannot be converted to a clean graph.
        OutputError: the store cannot be written to.
    """
    # Imports onnx, which listing models does not need.
    clean = importlib.import_module("mien.models.clean")
    store = store or WeightStore.default()
    version = int(clean.CLEAN_VERSION)
    found = _cached(card, store, version)
    if found is not None:
        return found
    weights = store.fetch(card, progress)
    make = clean.clean_detector if card.kind == "detector" else clean.clean_embedder
    with writing_to(store.home), locked(store.ready_folder / f"{card.sha256}.lock"):
        # Another process may have made it while this one waited.
        found = _cached(card, store, version)
        if found is not None:
            return found
        data: bytes = make(weights.read_bytes(), card).SerializeToString(deterministic=True)
        digest = hashlib.sha256(data).hexdigest()[:16]
        for old in store.ready_folder.glob(f"{card.sha256}.*.onnx"):
            old.unlink(missing_ok=True)
        path = store.ready_folder / f"{card.sha256}.v{version}.{digest}.onnx"
        replace_file(path, data)
    return path


def _cached(card: ModelCard, store: WeightStore, version: int) -> Path | None:
    """Return the cached clean graph if it is undamaged."""
    for path in store.ready_folder.glob(f"{card.sha256}.v{version}.*.onnx"):
        try:
            if sha256_of(path).startswith(path.name.split(".")[-2]):
                return path
        except OSError:
            continue  # removed by another process in the meantime
    return None
