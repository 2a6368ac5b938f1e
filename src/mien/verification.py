"""Verify whether two photos show the same person."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine, FaceEngine
from mien.errors import UnusableWeights
from mien.faces.selection import select_face
from mien.models.statistics import EmbedderStatistics, ImpostorStatistics
from mien.photo import PhotoSource, open_photo


@dataclass(frozen=True, slots=True)
class Verification:
    """The result for a pair of photos.

    Attributes:
        same: whether the similarity reaches the threshold: the same person.
        similarity: cosine between the two faces.
        probability: that they show the same person, if genuine and impostor pairs are equally
            frequent; None where the embedder is not calibrated.
        threshold: least similarity of the same person.
        false_match_rate: share of impostor pairs that reach the threshold.
    """

    same: bool
    similarity: float
    probability: float | None
    threshold: float
    false_match_rate: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def verify(
    first: PhotoSource,
    second: PhotoSource,
    *,
    engine: FaceEngine | None = None,
    false_match_rate: float = 0.001,
) -> Verification:
    """Compare the largest faces of two photos.

    Args:
        first: a photo in any form that `Recognizer.identify` takes.
        second: the other.
        engine: embeds them; `Engine.open()` if None, which loads the models in each call.
        false_match_rate: accepted share of impostor pairs that match, in (0, 1).

    Raises:
        NoFace: no face was found in one of them.
        PhotoError: one of them cannot be read.
        UnusableWeights: the embedder's card has no impostor statistics.
    """
    engine = engine or Engine.open()
    a, b = (_largest_face(engine, photo, name) for photo, name in ((first, "a"), (second, "b")))
    return verification_of(engine.statistics, float(a @ b), false_match_rate)


def verification_of(
    statistics: EmbedderStatistics | None, similarity: float, false_match_rate: float
) -> Verification:
    """Return the result for the similarity of two faces.

    Args:
        statistics: of the embedder that made the embeddings, or None.
        similarity: cosine between them.
        false_match_rate: as above.

    Raises:
        UnusableWeights: there are no impostor statistics, or not at this rate.
        ValueError: the rate is not between 0 and 1.
    """
    if not 0 < false_match_rate < 1:
        raise ValueError(f"false_match_rate must be between 0 and 1, got {false_match_rate}")
    if statistics is None or statistics.impostors is None:
        raise UnusableWeights(
            "it is not known how similar different people look to this embedder",
            hint="Measure it and add it to the model's card, or use a model that has it.",
        )
    threshold = threshold_at(statistics.impostors, false_match_rate)
    probability = None
    if statistics.verification is not None:
        (chance,) = statistics.verification.probability(np.array([similarity], np.float32))
        probability = float(chance)
    return Verification(
        same=similarity >= threshold,
        similarity=similarity,
        probability=probability,
        threshold=threshold,
        false_match_rate=false_match_rate,
    )


def threshold_at(impostors: ImpostorStatistics, rate: float) -> float:
    """Return the similarity that a share `rate` of impostor pairs of single photos reaches.

    Between measured rates the similarity is interpolated linearly in the logarithm of the rate.

    Raises:
        UnusableWeights: the rate is outside the measured range.
    """
    rates = impostors.false_match_rate
    if not rates[-1] <= rate <= rates[0]:
        raise UnusableWeights(
            f"a false match rate of {rate:g} was not measured",
            hint=f"Ask for a rate between {rates[-1]:g} and {rates[0]:g}.",
        )
    row = impostors.similarity[0]
    return float(np.interp(-np.log(rate), -np.log(rates), row))


def _largest_face(engine: FaceEngine, source: PhotoSource, name: str) -> NDArray[np.float32]:
    photo = open_photo(source, name=name, long_side=engine.max_long_side)
    found = engine.detect(photo)
    largest = select_face(found.boxes, None, photo=photo.name)
    (vector,) = engine.embed(engine.align(photo, found.take(slice(largest, largest + 1))))
    return vector
