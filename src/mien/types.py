"""Value types: frozen, validated on construction, arrays read-only.

Shapes use F faces in a photo, P people in a gallery, D dimensions of an embedding.
Boxes are xyxy in pixels of the upright photo; colours are RGB; the only score
between faces is cosine similarity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

CROP_SIDE = 112
"""Side of an aligned crop in pixels, the size that ArcFace-aligned embedders take."""

POINT_NAMES = ("right eye", "left eye", "nose tip", "right mouth corner", "left mouth corner")
"""The five points in their order; right and left are the pictured person's own."""


def _frozen(array: NDArray[Any], dtype: type[np.generic], shape: tuple[int | None, ...]) -> Any:
    """Return a read-only view of `array`, checked against `dtype` and `shape` (None: any)."""
    if array.dtype != dtype:
        raise TypeError(f"expected {np.dtype(dtype)}, got {array.dtype}")
    if array.ndim != len(shape) or any(
        want is not None and have != want for have, want in zip(array.shape, shape, strict=True)
    ):
        raise ValueError(f"expected shape {shape}, got {array.shape}")
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """An upright photo.

    Attributes:
        pixels: (H, W, 3) uint8 RGB, EXIF orientation applied.
        sha256: hex digest of the bytes it was read from.
        name: what to call it in a message: a path, or a member of an archive.
        scale: side of `pixels` over the side of the full photo; below 1 where a large JPEG
            was decoded at reduced size. Divide by it to get coordinates of the full photo.
    """

    pixels: NDArray[np.uint8]
    sha256: str
    name: str
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", _frozen(self.pixels, np.uint8, (None, None, 3)))
        if not self.pixels.size:
            raise ValueError("a photo has at least one pixel")
        if not 0 < self.scale <= 1:
            raise ValueError(f"scale must be in (0, 1], got {self.scale}")

    @property
    def height(self) -> int:
        """Height of `pixels`."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width of `pixels`."""
        return int(self.pixels.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """The faces found in a photo, best score first. F = 0 where none is found.

    Attributes:
        boxes: (F, 4) float32 xyxy in pixels of `Photo.pixels`; may reach over its edges.
        points: (F, 5, 2) float32 x, y in the order of `POINT_NAMES`.
        scores: (F,) float32 in [0, 1].
    """

    boxes: NDArray[np.float32]
    points: NDArray[np.float32]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(self.scores)
        object.__setattr__(self, "boxes", _frozen(self.boxes, np.float32, (count, 4)))
        object.__setattr__(self, "points", _frozen(self.points, np.float32, (count, 5, 2)))
        object.__setattr__(self, "scores", _frozen(self.scores, np.float32, (count,)))

    def __len__(self) -> int:
        return len(self.scores)

    def largest(self) -> int:
        """Return the index of the face with the largest box; raises ValueError when F = 0."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        return int(np.argmax(sides[:, 0] * sides[:, 1]))

    def take(self, rows: slice) -> Detections:
        """Return some of the faces."""
        return Detections(self.boxes[rows], self.points[rows], self.scores[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Embeddings:
    """Feature vectors of faces: unit rows.

    Attributes:
        vectors: (F, D) float32, rows of length 1.
        contract: id of how they were made; vectors of two contracts never meet.
    """

    vectors: NDArray[np.float32]
    contract: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "vectors", _frozen(self.vectors, np.float32, (None, None)))
        lengths = np.linalg.norm(self.vectors, axis=1)
        if not np.allclose(lengths, 1, atol=1e-3):
            raise ValueError("embeddings must be unit rows")

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        return iter(self.vectors)


@dataclass(frozen=True, slots=True)
class Interval:
    """A measured value with a two-sided confidence interval.

    Attributes:
        value: the estimate.
        low: lower end.
        high: upper end.
        level: confidence, 0.95 unless said otherwise.
    """

    value: float
    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Calibration:
    """Similarity to probability: p = 1 / (1 + exp(-(slope * similarity + offset))).

    Attributes:
        slope: above 0, so that probability rises with similarity.
        offset: any number.
    """

    slope: float
    offset: float

    def __post_init__(self) -> None:
        if not self.slope > 0:
            raise ValueError(f"slope must be above 0, got {self.slope}")

    def probability(self, similarity: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability for each similarity; same shape, float64 in [0, 1]."""
        score = self.slope * similarity.astype(np.float64) + self.offset
        return 0.5 * (1 + np.tanh(score / 2))


Basis = Literal["strangers", "card", "few"]
"""What a threshold stands on: enough strangers searched in this gallery; the statistics of
strangers on the embedder's card; or neither, so that no stranger seen may be named."""


@dataclass(frozen=True, slots=True)
class Policy:
    """When a face is given a name.

    Attributes:
        threshold: least cosine similarity to the nearest person for which a name is given.
        false_positive_rate: share of strangers that the user allows to be given any name (FPIR).
        expected: the rate to be expected; its interval is what the strangers searched in this
            gallery can say, and nothing else.
        strangers: how many stranger faces were searched; 0 where none were to be had.
        supported: whether what the threshold stands on can bear the rate asked for.
        source: one sentence on how the threshold was found.
        basis: what the threshold stands on.
    """

    threshold: float
    false_positive_rate: float
    expected: Interval
    strangers: int
    supported: bool
    source: str
    basis: Basis = "strangers"

    def __post_init__(self) -> None:
        if not 0 < self.false_positive_rate < 1:
            raise ValueError(f"a rate lies between 0 and 1, got {self.false_positive_rate}")
        if self.basis not in get_args(Basis):
            raise ValueError(f"unknown basis {self.basis!r}")

    @property
    def support(self) -> str:
        """What supports the requested rate, in a few words."""
        if not self.supported:
            return "not supported: too little is known of strangers"
        if self.basis == "card":
            return "supported by the embedder's card, not measured on this data"
        return "supported by measurement"


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Everything a recognizer has learned: the end of the graph as plain values.

    Attributes:
        kind: how the prototypes were made: `prototype`, `softmax` or `margin`.
        people: P distinct names, any Unicode text.
        prototypes: (P, D) float32 unit rows, one a person.
        photos: (P,) int64, how many photos each prototype was made of.
        contract: id of the embeddings that the prototypes may meet.
        calibration: similarity to probability.
        policy: when a face is given a name.
        negatives: (N, D) float32 unit rows: faces that somebody said are not a certain person.
            A face at least as like one of them as like that person's prototype is not that
            person. N = 0 where nothing is given.
        negative_of: (N,) int64, the index of that person.
    """

    kind: str
    people: tuple[str, ...]
    prototypes: NDArray[np.float32]
    photos: NDArray[np.int64]
    contract: str
    calibration: Calibration
    policy: Policy
    negatives: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    negative_of: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        count = len(self.people)
        if len(set(self.people)) != count:
            raise ValueError("names must be distinct")
        object.__setattr__(self, "prototypes", _frozen(self.prototypes, np.float32, (count, None)))
        object.__setattr__(self, "photos", _frozen(self.photos, np.int64, (count,)))
        rejected, dimension = len(self.negative_of), self.prototypes.shape[1]
        negatives = self.negatives if self.negatives.size else np.zeros((0, dimension), np.float32)
        object.__setattr__(self, "negatives", _frozen(negatives, np.float32, (rejected, dimension)))
        object.__setattr__(self, "negative_of", _frozen(self.negative_of, np.int64, (rejected,)))
        if np.any((self.negative_of < 0) | (self.negative_of >= count)):
            raise ValueError("a negative is of somebody in the gallery")
        for rows, what in ((self.prototypes, "prototypes"), (self.negatives, "negatives")):
            if not np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3):
                raise ValueError(f"{what} must be unit rows")


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
        similarity: cosine to the most similar person; -1 where there is none to compare with.
        probability: that the face shows the most similar person, in [0, 1].
        false_positive_rate: how often a stranger gets this similarity, or a higher one, to any
            person; None where nothing is known of strangers.
        candidates: the most similar people, best first; empty where nobody is enrolled.
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
        """Name of the most similar person, never to be shown as the answer; None if nobody is."""
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
        """That the face shows the most similar person, in [0, 1]."""
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
        """Return it as JSON values: the one form for command line, server and deployments.

        Args:
            top: list at most so many candidates.
            crop: the crop as a data URL, where it is wanted.
            face_token: what names the face in a later correction, in a server.
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


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPhoto:
    """A photo with its F faces, before they are compared with people.

    Attributes:
        photo: as it was read.
        detections: its faces, in pixels of `photo.pixels`.
        crops: (F, 112, 112, 3) uint8 RGB, aligned.
        embeddings: of the crops, F rows.
    """

    photo: Photo
    detections: Detections
    crops: NDArray[np.uint8]
    embeddings: Embeddings


class Progress(Protocol):
    """Progress callback of long work; called from one thread at a time.

    `done` of `total` steps of `what` are finished; `total` is None while it is not known.
    """

    def __call__(self, done: int, total: int | None, what: str) -> None:
        """Record the state of the work."""


def silent(done: int, total: int | None, what: str) -> None:
    """No-op progress callback, the default of library calls."""
