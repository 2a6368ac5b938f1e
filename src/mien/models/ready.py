"""Weights as published → a clean graph that onnxruntime runs fast, made once and kept."""

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

    Pulls the weights if they are not here. The graph is kept under the weights' sha256, the
    version of the cleaning and its own digest, so that a damaged one is seen and made again.

    Args:
        card: of the model.
        store: where weights and clean graphs are kept; the default store if None.
        progress: told the bytes while pulling.

    Raises:
        WeightsMissing: offline, and the weights are not here.
        DownloadFailed: no source delivered the weights.
        UnusableWeights: the weights cannot be made into a clean graph.
        OutputError: the store cannot be written to.
    """
    # Imported only now: it brings onnx, which nobody needs who lists models.
    clean = importlib.import_module("mien.models.clean")
    store = store or WeightStore.default()
    version = int(clean.CLEAN_VERSION)
    found = _kept(card, store, version)
    if found is not None:
        return found
    weights = store.fetch(card, progress)
    make = clean.clean_detector if card.kind == "detector" else clean.clean_embedder
    with writing_to(store.home), locked(store.ready_folder / f"{card.sha256}.lock"):
        # Another process may have made it while this one waited.
        found = _kept(card, store, version)
        if found is not None:
            return found
        data: bytes = make(weights.read_bytes(), card).SerializeToString(deterministic=True)
        digest = hashlib.sha256(data).hexdigest()[:16]
        for old in store.ready_folder.glob(f"{card.sha256}.*.onnx"):
            old.unlink(missing_ok=True)
        path = store.ready_folder / f"{card.sha256}.v{version}.{digest}.onnx"
        replace_file(path, data)
    return path


def _kept(card: ModelCard, store: WeightStore, version: int) -> Path | None:
    """Return the clean graph if one is kept whole."""
    for path in store.ready_folder.glob(f"{card.sha256}.v{version}.*.onnx"):
        try:
            if sha256_of(path).startswith(path.name.split(".")[-2]):
                return path
        except OSError:
            continue  # removed by another process between the listing and the look
    return None
