"""Value types of a gallery: frozen, validated on construction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.engine import DetectionSettings, Engine
from mien.models.cards import known_statistics
from mien.models.statistics import EmbedderStatistics, ImpostorStatistics
from mien.text import count
from mien.types import Answer, Progress, silent

Reason = Literal[
    "",
    "unreadable",
    "no-face",
    "several-faces",
    "low-quality",
    "disagrees",
    "like-somebody-else",
    "rejected-before",
    "already-enrolled",
]
"""Why a photo is not enrolled; empty where it is."""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a gallery's embeddings are made: an engine must make the same ones to add to it.

    Attributes:
        contract: id of the embeddings.
        dimension: D.
        embedder: id of the embedder's model card.
        detector: id of the detector's model card.
        detection: how faces are searched for, the fields of `DetectionSettings`.
        statistics: what is known of the embedder's similarities, or None.
    """

    contract: str
    dimension: int
    embedder: str = ""
    detector: str = ""
    detection: Mapping[str, Any] = field(default_factory=dict)
    statistics: EmbedderStatistics | None = None

    @classmethod
    def of(cls, engine: Engine) -> Origin:
        """Return the origin of an engine's embeddings."""
        return cls(
            contract=engine.contract,
            dimension=engine.dimension,
            embedder=engine.embedder_card.id,
            detector=engine.detector_card.id,
            detection=engine.settings.to_dict(),
            statistics=engine.statistics,
        )

    def open_engine(self, *, threads: int = 0, progress: Progress = silent) -> Engine:
        """Return an engine over the models and settings that made the gallery's embeddings.

        Raises:
            ModelError: the models cannot be had.
            ContractMismatch: the model of that name makes other embeddings now.
        """
        engine = Engine.open(
            embedder=self.embedder,
            detector=self.detector,
            settings=DetectionSettings.from_dict(self.detection),
            threads=threads,
            progress=progress,
        )
        engine.check(self.contract, "the gallery")
        return engine

    def text(self) -> str:
        """Return the origin as JSON text, the form in which a gallery stores it."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Return the origin that `text` wrote.

        Raises:
            ValueError, KeyError, TypeError: the text was not written by `text`.
        """
        fields = dict(json.loads(text))
        made = cls(**fields | {"statistics": _statistics(fields["statistics"])})
        texts = (made.contract, made.embedder, made.detector)
        if not all(isinstance(text, str) for text in texts) or not isinstance(made.detection, dict):
            raise TypeError("the fields of an origin are texts")
        if not isinstance(made.dimension, int) or made.dimension < 1:
            raise ValueError("an embedding has at least one dimension")
        return made

    def completed(self) -> Origin:
        """Return a copy with missing statistics taken from the embedder's card.

        A gallery of Mien 0.1 has impostor statistics alone; a gallery whose embedder was measured
        later has none. The card is used if it is on this machine and states this contract.
        """
        found = known_statistics(self.embedder, self.contract)
        if found is None:
            return self
        own = self.statistics or EmbedderStatistics()
        if own.impostors and own.impostors != found.impostors:
            return self  # the card was measured again: numbers of two measurements do not mix
        return replace(
            self,
            statistics=EmbedderStatistics(
                impostors=own.impostors or found.impostors,
                verification=own.verification or found.verification,
                genuine=own.genuine or found.genuine,
                copies=own.copies or found.copies,
            ),
        )

    def __repr__(self) -> str:
        return f"<Origin {self.detector} + {self.embedder}, contract {self.contract}>"


def _statistics(fields: Mapping[str, Any] | None) -> EmbedderStatistics | None:
    if fields is None:
        return None
    if "false_match_rate" in fields:  # as Mien 0.1 wrote it
        return EmbedderStatistics(impostors=ImpostorStatistics.from_dict(fields))
    return EmbedderStatistics.from_dict(fields)


@dataclass(frozen=True, slots=True)
class Person:
    """A person in a gallery.

    Attributes:
        id: short and opaque; stays when the name changes.
        name: as it is shown.
        consent: a note on what the person has agreed to, in the user's words; may be empty.
        source: where the person came from: photos, a dataset, an import.
        created: UTC time, ISO 8601.
        changed: UTC time of the last change to name, note or photos, ISO 8601.
        photos: number of enrolled photos.
    """

    id: str
    name: str
    consent: str
    source: str
    created: str
    changed: str
    photos: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def __repr__(self) -> str:
        return f"<Person {self.name!r} {self.id}, {count(self.photos, 'photo')}>"


@dataclass(frozen=True, slots=True)
class Picture:
    """An enrolled photo: what is stored of it besides its embeddings.

    Attributes:
        id: short and opaque.
        sha256: hex digest of the photo's bytes; empty where unknown.
        source: where it came from: a file's name, a dataset's entry.
        added: UTC time, ISO 8601.
        quality: in [0, 1].
        thumbnail: whether its crop is kept.
        forced: reason of the failed check where enrolment was forced; empty otherwise.
    """

    id: str
    sha256: str
    source: str
    added: str
    quality: float
    thumbnail: bool
    forced: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def __repr__(self) -> str:
        return f"<Picture {self.id} of {self.source!r}, quality {self.quality:.2f}>"


@dataclass(frozen=True, slots=True, eq=False)
class FaceSample:
    """One face in one photo, ready to be enrolled.

    Attributes:
        embedding: (D,) float32 of length 1, of the crop.
        mirrored: (D,) float32 of length 1, of the mirrored crop.
        contract: id of how they were made.
        quality: size, blur and yaw in one number, in [0, 1].
        sha256: hex digest of the photo's bytes; empty where unknown.
        source: where the photo came from.
        doubt: why its quality is too low, in words; empty where it is not.
        measures: `size` in pixels between the eyes, `blur` in [0, 1], `yaw` in degrees; may be
            empty.
        crop: JPEG of the aligned crop; empty where there is none.
        added: UTC time of enrolment in the gallery it comes from, ISO 8601; now where empty.
        forced: reason of the failed check where enrolment was forced there; empty otherwise.
    """

    embedding: NDArray[np.float32]
    mirrored: NDArray[np.float32]
    contract: str
    quality: float = 1.0
    sha256: str = ""
    source: str = ""
    doubt: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)
    crop: bytes = b""
    added: str = ""
    forced: str = ""

    def __post_init__(self) -> None:
        for vector in (self.embedding, self.mirrored):
            if (
                vector.dtype != np.float32
                or vector.ndim != 1
                or vector.shape != self.mirrored.shape
            ):
                raise ValueError("an embedding is one float32 row")
            if not abs(float(np.linalg.norm(vector)) - 1) < 1e-3:
                raise ValueError("an embedding has length 1")
        if not 0 <= self.quality <= 1:
            raise ValueError(f"quality lies in [0, 1], got {self.quality}")

    def __repr__(self) -> str:
        return f"<FaceSample of {self.source!r}, quality {self.quality:.2f}>"


@dataclass(frozen=True, slots=True, eq=False)
class ImportedPerson:
    """A person to import with all photos, without enrolment checks: they were done before.

    Attributes:
        name: as it is shown; where a person in the gallery has it, that person gets the photos.
        samples: one per photo.
        id: kept unless another person has it; a new one where empty.
        consent: a note on what the person has agreed to.
        source: where the person comes from.
        negatives: N vectors, (D,) float32 of length 1, of faces that are not this person.
        created: UTC time, ISO 8601; now where empty.
    """

    name: str
    samples: Sequence[FaceSample]
    id: str = ""
    consent: str = ""
    source: str = ""
    negatives: Sequence[NDArray[np.float32]] = ()
    created: str = ""

    def __repr__(self) -> str:
        return f"<ImportedPerson {self.name!r}, {count(len(self.samples), 'photo')}>"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The result of enrolling one photo.

    Attributes:
        taken: whether the photo was enrolled.
        person: id of the person; empty where the person is not in the gallery.
        picture: id of the enrolled photo, or of the same photo enrolled before; else empty.
        reason: why it was not enrolled, or which check `force` overruled; else empty.
        detail: the reason in words; empty where there is none.
        evidence: the reason in numbers and names, as JSON values.
    """

    taken: bool
    person: str = ""
    picture: str = ""
    reason: Reason = ""
    detail: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def __repr__(self) -> str:
        if self.taken:
            forced = f", forced: {self.reason}" if self.reason else ""
            return f"<Enrolment of {self.picture} as {self.person}{forced}>"
        return f"<Enrolment refused: {self.reason}>"


NOT_COMPARED = Answer(None, None, -1.0, 0.0, None)
"""The answer of an empty gallery: there is no person to compare with."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """A line of the audit trail. It holds ids, never names, so that no name outlives its person.

    Attributes:
        time: UTC, ISO 8601, with `Z`; `+00:00` in lines of version 0.1.0.
        action: what was done: `enrolled`, `identified`, `renamed`, `merged`, `forgotten`, …
        person: id; empty where the action concerns no person.
        key: name of the API key that did it; empty for the command line.
        detail: numbers about it; no names.
    """

    time: str
    action: str
    person: str
    key: str
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)
