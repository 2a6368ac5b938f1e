"""Verify: whether two photos show the same person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.engine import Engine
from mien.errors import NoFace, UnusableWeights
from mien.models.cards import ImpostorStatistics, ModelCard
from mien.types import Detections, Photo


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer for a pair of photos.

    Attributes:
        same: whether they are taken to show one person.
        similarity: cosine between the two faces.
        probability: that it is one person where pairs of one person and of strangers are equally
            likely to come up; None where the embedder's card has no calibration.
        threshold: least similarity of "the same person".
        false_match_rate: share of pairs of strangers that reach the threshold.
    """

    same: bool
    similarity: float
    probability: float | None
    threshold: float
    false_match_rate: float


def compare_photos(engine: Engine, a: Photo, b: Photo, false_match_rate: float) -> Verification:
    """Compare the largest faces of two photos.

    Args:
        engine: the models.
        a: one photo.
        b: the other.
        false_match_rate: share of pairs of strangers that may be taken for one person, in (0, 1).

    Raises:
        NoFace: one of them shows no face.
        UnusableWeights: the embedder's card does not say how alike strangers are.
    """
    first, second = (_largest_face(engine, photo) for photo in (a, b))
    return verification_of(engine.embedder_card, float(first @ second), false_match_rate)


def verification_of(card: ModelCard, similarity: float, false_match_rate: float) -> Verification:
    """Return the answer for two faces of a similarity, each of one photo.

    Args:
        card: of the embedder that made the embeddings.
        similarity: cosine between them.
        false_match_rate: as above.

    Raises:
        UnusableWeights: the embedder's card does not say how alike strangers are.
    """
    if card.impostors is None:
        raise UnusableWeights(
            f"the card of {card.id} does not say how alike strangers are",
            hint="Add an [impostors] table to it, or use a model that has one.",
        )
    threshold = threshold_at(card.impostors, false_match_rate)
    probability = None
    if card.verification is not None:
        (probability,) = card.verification.probability(np.array([similarity], np.float32))
    return Verification(
        same=similarity >= threshold,
        similarity=similarity,
        probability=None if probability is None else float(probability),
        threshold=threshold,
        false_match_rate=false_match_rate,
    )


def threshold_at(impostors: ImpostorStatistics, rate: float) -> float:
    """Return the similarity that `rate` of comparisons between single photos of strangers reach.

    Between the measured rates the similarity is taken to be linear in the rate's logarithm.

    Raises:
        UnusableWeights: the rate is beyond what was measured.
    """
    rates = impostors.false_match_rate
    if not rates[-1] <= rate <= rates[0]:
        raise UnusableWeights(
            f"a false match rate of {rate:g} was not measured",
            hint=f"Ask for a rate between {rates[-1]:g} and {rates[0]:g}.",
        )
    row = impostors.similarity[0]
    return float(np.interp(-np.log(rate), -np.log(rates), row))


def _largest_face(engine: Engine, photo: Photo) -> NDArray[np.float32]:
    found = engine.detect(photo)
    if not len(found):
        raise NoFace(f"no face found in {photo.name}", hint="Give a photo that shows the face.")
    one = slice(found.largest(), found.largest() + 1)
    largest = Detections(found.boxes[one], found.points[one], found.scores[one])
    (vector,) = engine.embed(engine.align(photo, largest))
    return vector
