"""Who the faces of a photo are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person that a face may show.

    Attributes:
        name: the person's name.
        similarity: cosine to the person's prototype; -1 where the face was rejected as this person.
        probability: calibrated, in [0, 1].
        person_id: id of the person in a gallery; None in a recognizer file, which has no ids.
    """

    name: str
    similarity: float
    probability: float
    person_id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values: cosines and probabilities with four decimals."""
        return {
            "name": self.name,
            "person_id": self.person_id,
            "similarity": round(self.similarity, 4),
            "probability": round(self.probability, 4),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Who one face is: a name, or unknown.

    Attributes:
        name: of the person, or None for "unknown".
        person_id: id of the person named, in a gallery; else None.
        similarity: cosine to the most similar person; -1 where no person is enrolled.
        probability: that the face shows the most similar person, in [0, 1].
        false_positive_rate: how often a stranger reaches this similarity to any person; None
            where it is not known.
        candidates: the most similar people, best first; empty where no person is enrolled.
    """

    name: str | None
    person_id: str | None
    similarity: float
    probability: float
    false_positive_rate: float | None
    candidates: tuple[Candidate, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the face is given a name."""
        return self.name is not None

    @property
    def nearest(self) -> str | None:
        """Name of the most similar person, not an answer; None where no person is enrolled."""
        return self.candidates[0].name if self.candidates else None

    def to_dict(self, *, top: int = 10) -> dict[str, Any]:
        """Return it as JSON values, with at most `top` candidates."""
        return {
            "name": self.name,
            "person_id": self.person_id,
            "probability": round(self.probability, 4),
            "similarity": round(self.similarity, 4),
            "false_positive_rate": self.false_positive_rate,
            "nearest": self.nearest,
            "candidates": [candidate.to_dict() for candidate in self.candidates[:top]],
        }


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face of a photo, with its answer.

    Attributes:
        box: (4,) float32 xyxy in pixels of the full upright photo.
        points: (5, 2) float32 in pixels of the full upright photo.
        score: of the detector, in [0, 1].
        answer: who it is.
        crop: (112, 112, 3) uint8 RGB, aligned.
        embedding: (D,) float32 of length 1.
    """

    box: NDArray[np.float32]
    points: NDArray[np.float32]
    score: float
    answer: Answer
    crop: NDArray[np.uint8]
    embedding: NDArray[np.float32]

    @property
    def name(self) -> str | None:
        """Name of the person, or None for "unknown"."""
        return self.answer.name

    @property
    def probability(self) -> float:
        """Probability that the face shows the most similar person, in [0, 1]."""
        return self.answer.probability

    @property
    def similarity(self) -> float:
        """Cosine to the most similar person."""
        return self.answer.similarity

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """The most similar people, best first."""
        return self.answer.candidates

    def to_dict(
        self, *, top: int = 10, crop: str | None = None, face_token: str | None = None
    ) -> dict[str, Any]:
        """Return it as JSON values, the same for command line, server and deployments.

        Args:
            top: list at most so many candidates.
            crop: the crop as a data URL; None leaves it out.
            face_token: a server's handle to the face, for corrections.
        """
        return {
            "box": _pixels(self.box),
            "points": [_pixels(point) for point in self.points],
            "score": round(self.score, 4),
            **self.answer.to_dict(top=top),
            "crop": crop,
            "face_token": face_token,
        }

    def __repr__(self) -> str:
        who = "unknown" if self.name is None else repr(self.name)
        box = " ".join(f"{side:.0f}" for side in self.box)
        return f"<Face {who} {self.probability:.0%} at {box}>"


def _pixels(values: NDArray[Any]) -> list[float]:
    return [round(float(value), 1) for value in values]
