"""Similarity limits of cleaning and enrolment, as error rates turned into an embedder's cosines.

Each limit is a rate; the statistics on the embedder's card say which similarity has that rate. The
rates were chosen on Labeled Faces in the Wild with SFace, whose cosines stand beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

from mien.models.statistics import EmbedderStatistics
from mien.text import Notice

NOT_CALIBRATED = "not calibrated for this embedder"

SELDOM = 1e-3
"""False match rate that a similarity must not exceed to count as evidence of one person."""

MOSTLY = 0.05
"""False non-match rate that a similarity must not exceed to count as evidence of two people."""


@dataclass(frozen=True, slots=True)
class CleaningLimits:
    """The limits of cleaning a dataset, as cosines of one embedder.

    A *template* is the mean of crop and mirrored crop, a *prototype* the mean of a person's.

    Attributes:
        size_weight: of a face's size and place against its agreement with the person's other
            photos, in cosine: they decide where agreement does not. SFace: 0.1.
        plausible: mean similarity to the person's other photos from which a small face may still
            be the person's. SFace: 0.3.
        other_person: similarity to another person's prototype from which a face counts as that
            person's. SFace: 0.45.
        unlike_own: highest similarity to the person's other photos of a photo that shows another
            person. SFace: 0.35.
        like_other: least similarity of such a photo to that other person. SFace: 0.55.
        margin: least difference of the two. SFace: 0.25.
        outlier: highest similarity of a photo to the others of its person that makes it an
            outlier. SFace: 0.2.
        cohesion: least mean similarity among those others. SFace: 0.5.
        same_person: similarity of two prototypes from which two names are likely one person.
            SFace: 0.6.
        alike: similarity from which two faces may be copies of one photo. SFace: 0.75.
        very_alike: the same where only the crops match. SFace: 0.93.
        spread: distance from the similarity that one impostor comparison in ten reaches to that
            of the median genuine comparison: the unit of differences. SFace: 0.48.
    """

    size_weight: float
    plausible: float
    other_person: float
    unlike_own: float
    like_other: float
    margin: float
    outlier: float
    cohesion: float
    same_person: float
    alike: float
    very_alike: float
    spread: float

    @classmethod
    def of(cls, statistics: EmbedderStatistics | None) -> CleaningLimits | None:
        """Return the limits of an embedder, or None where its statistics do not give them all."""
        if statistics is None:
            return None
        strangers, own, copies = statistics.impostors, statistics.genuine, statistics.copies
        if strangers is None or own is None or copies is None:
            return None
        tenth, median = strangers.similarity_at(0.1), own.similarity_at(0.5)
        if tenth is None or median is None or median <= tenth:
            return None
        spread = median - tenth
        found = {
            "plausible": _no_more_than(statistics, 8e-3),
            "other_person": _no_less_than(statistics, 0.025),
            "unlike_own": unlike_own(statistics),
            "like_other": _no_less_than(statistics, 0.11),
            "outlier": _no_more_than(statistics, 0.1),
            "cohesion": own.similarity_at(0.05),
            "same_person": same_person(statistics),
            "alike": copies.similarity_at(0.005),
            "very_alike": copies.similarity_at(0.3),
        }
        known = {name: value for name, value in found.items() if value is not None}
        if len(known) < len(found):
            return None
        return cls(size_weight=0.2 * spread, margin=0.51 * spread, spread=spread, **known)


@dataclass(frozen=True, slots=True)
class EnrolmentLimits:
    """The limits of enrolment in a gallery, as cosines; each None where it is not calibrated.

    Attributes:
        unlike_own: similarity to a person below which a face is not taken for that person's.
        same_person: similarity of two prototypes from which two entries are likely one person.
        same_photo: similarity from which two faces are likely cut from one photo.
    """

    unlike_own: float | None
    same_person: float | None
    same_photo: float | None

    @classmethod
    def of(cls, statistics: EmbedderStatistics | None) -> EnrolmentLimits:
        """Return the limits of an embedder."""
        if statistics is None:
            return cls(None, None, None)
        copies = statistics.copies
        return cls(
            unlike_own=unlike_own(statistics),
            same_person=same_person(statistics),
            same_photo=None if copies is None else copies.similarity_at(0.2),
        )

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What is not calibrated; empty where everything is."""
        found = []
        if self.unlike_own is None:
            found.append(
                Notice(
                    "enrolment-checks-not-calibrated",
                    f"Enrolment checks by similarity are off: {NOT_CALIBRATED}. A photo is not "
                    "compared with the person's others.",
                )
            )
        if self.same_person is None:
            found.append(
                Notice(
                    "duplicate-people-not-calibrated",
                    "People enrolled twice are not noticed, and count as strangers: "
                    f"{NOT_CALIBRATED}.",
                )
            )
        return tuple(found)


def unlike_own(statistics: EmbedderStatistics | None) -> float | None:
    """Return the similarity below which a face is not taken for a person's: 0.35 of SFace's."""
    return None if statistics is None else _no_more_than(statistics, 1.5e-3)


def same_person(statistics: EmbedderStatistics) -> float | None:
    """Return the similarity from which two people are likely one: 0.6 of SFace's."""
    return _no_less_than(statistics, 0.21)


def _no_more_than(statistics: EmbedderStatistics, false_match_rate: float) -> float | None:
    """Return the similarity of a false match rate, lowered to where few genuine pairs stay below.

    For evidence of two people: an embedder that mixes people up does not accuse the right ones.
    """
    if statistics.impostors is None:
        return None
    found = statistics.impostors.similarity_at(false_match_rate)
    if found is None or statistics.genuine is None:
        return found
    few = statistics.genuine.similarity_at(MOSTLY)
    return None if few is None else min(found, few)


def _no_less_than(statistics: EmbedderStatistics, false_non_match_rate: float) -> float | None:
    """Return the similarity of a false non-match rate, raised to where strangers seldom reach it.

    For evidence of one person.
    """
    if statistics.impostors is None or statistics.genuine is None:
        return None
    found = statistics.genuine.similarity_at(false_non_match_rate)
    seldom = statistics.impostors.similarity_at(SELDOM)
    return None if found is None or seldom is None else max(found, seldom)
