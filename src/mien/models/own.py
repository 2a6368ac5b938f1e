"""Check a user's own embedder against its card before it is added to the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from mien.errors import InvalidCard, UnusableWeights
from mien.models.cards import ModelCard
from mien.models.clean import clean_embedder
from mien.models.network import read_network
from mien.types import CROP_SIDE

Forward = Callable[[bytes, Mapping[str, NDArray[Any]]], list[NDArray[Any]]]
"""Run a model: its bytes and inputs to its outputs; raises UnusableWeights."""

_STANDARD = {"", "ai.onnx"}


def check_embedder(card: ModelCard, data: bytes, forward: Forward) -> None:
    """Check that weights behave as their card says.

    They must convert to a clean graph with the card's shapes (`mien.models.clean`) and standard
    operators. Its output must be finite, differ between pictures, not depend on the other pictures
    of the batch, and equal the output of the given file.

    Args:
        card: of the embedder.
        data: the ONNX file.
        forward: runs a model (`mien.engine.forward`).

    Raises:
        InvalidCard: the card requires crops of another size.
        UnusableWeights: the weights do not behave as the card says.
    """
    if card.side != CROP_SIDE:
        raise InvalidCard(
            f"{card.id}: input.side must be {CROP_SIDE}, not {card.side}",
            hint=f"Mien aligns faces to the ArcFace template of {CROP_SIDE} pixels.",
        )
    model = clean_embedder(data, card)
    _refuse_foreign_operators(card, model)
    clean = model.SerializeToString()
    batch = ((_pictures() - card.mean) * card.scale).astype(np.float32)
    together = _embed(card, forward, clean, "input", batch)
    alone = np.concatenate([_embed(card, forward, clean, "input", row[None]) for row in batch])
    _compare(card, together, alone, "a picture's embedding depends on the others in its batch")
    if min(_cosine(together[0], together[i]) for i in (1, 2)) > 1 - 1e-6:
        raise UnusableWeights(f"{card.id} gives different pictures the same embedding")
    published = _as_given(card, forward, data, batch)
    if published is not None:
        _compare(card, together, published, "the variable batch size changes the embedding")


def _pictures() -> NDArray[np.float64]:
    """Return (3, 3, side, side) seeded noise from 0 to 255: fine, coarse and very coarse."""
    rng = np.random.default_rng(0)
    return np.stack(
        [
            np.kron(
                rng.integers(0, 256, (3, CROP_SIDE // step, CROP_SIDE // step)),
                np.ones((1, step, step)),
            )
            for step in (1, 8, 28)
        ]
    )


def _refuse_foreign_operators(card: ModelCard, model: ModelProto) -> None:
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in model.graph.node
                      if node.domain not in _STANDARD})  # fmt: skip
    if foreign or model.functions:
        raise UnusableWeights(
            f"{card.id} uses operators that are not ONNX's own: {', '.join(foreign)}",
            hint="Export it again with standard operators, opset 17 to 20.",
        )


def _embed(
    card: ModelCard, forward: Forward, model: bytes, name: str, batch: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return the model's (N, D) embeddings; raises UnusableWeights where they are not valid."""
    (found,) = forward(model, {name: batch})
    if found.shape != (len(batch), card.dimension):
        raise UnusableWeights(
            f"{card.id} gives {found.shape} for {len(batch)} pictures, its card says "
            f"output.dimension = {card.dimension}"
        )
    vectors = found.astype(np.float64)
    if not np.isfinite(vectors).all() or not np.linalg.norm(vectors, axis=1).all():
        raise UnusableWeights(
            f"{card.id} gives embeddings that are not finite or are 0",
            hint="Are input.mean and input.scale on the card those of its training?",
        )
    return vectors


def _as_given(
    card: ModelCard, forward: Forward, data: bytes, batch: NDArray[np.float32]
) -> NDArray[np.float64] | None:
    """Return the embeddings of the given file, or None where onnxruntime cannot run it.

    It cannot run block-quantised files: these are not compared.
    """
    name = read_network(data).input
    try:
        return np.concatenate([_embed(card, forward, data, name, row[None]) for row in batch])
    except UnusableWeights:
        return None


def _compare(
    card: ModelCard, one: NDArray[np.float64], other: NDArray[np.float64], fault: str
) -> None:
    least = min(_cosine(a, b) for a, b in zip(one, other, strict=True))
    if least < 1 - 1e-4:
        raise UnusableWeights(f"{card.id}: {fault} (cosine {least:.4f})")


def _cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
