"""The weights that peers share with Mien, in a form that they can load."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx

from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, card
from mien.models.clean import clean_embedder
from mien.models.weight_store import WeightStore

YUNET = "face_detection_yunet_2023mar.onnx"
SFACE = "face_recognition_sface_2021dec.onnx"


def shared_weights(work: Path) -> Path:
    """Return a folder with `YUNET`, as published, and `SFACE`, dequantised, its PRelu unchanged."""
    folder = work / "weights"
    folder.mkdir(parents=True, exist_ok=True)
    store = WeightStore.default()
    if not (folder / YUNET).exists():
        (folder / YUNET).write_bytes(store.fetch(card(DEFAULT_DETECTOR)).read_bytes())
    if not (folder / SFACE).exists():
        known = card(DEFAULT_EMBEDDER)
        model = clean_embedder(store.fetch(known).read_bytes(), known, rewrite=False)
        onnx.save(model, str(folder / SFACE))
    own = folder / ".deepface" / "weights"  # where deepface looks for them
    own.mkdir(parents=True, exist_ok=True)
    for name in (YUNET, SFACE):
        if not (own / name).exists():
            shutil.copy(folder / name, own / name)
    return folder
