"""The nouns of a gallery: frozen, their arrays read-only."""

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
"""Why a photo is not taken; empty where it is."""


@dataclass(frozen=True, slots=True)
class Origin:
    """How a gallery's embeddings are made: what an engine must be like to add to it.

    Attributes:
        contract: id of the embeddings.
        dimension: D.
        embedder: id of the model.
        detector: id of the model.
        detection: how faces are looked for, the fields of `DetectionSettings`.
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
        """Return the origin of what an engine makes."""
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
        """Return it as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def parse(cls, text: str) -> Origin:
        """Return what `text` made; raises ValueError, KeyError or TypeError where it is not."""
        fields = dict(json.loads(text))
        made = cls(**fields | {"statistics": _statistics(fields["statistics"])})
        texts = (made.contract, made.embedder, made.detector)
        if not all(isinstance(text, str) for text in texts) or not isinstance(made.detection, dict):
            raise TypeError("an origin is made of texts")
        if not isinstance(made.dimension, int) or made.dimension < 1:
            raise ValueError("an embedding has at least one dimension")
        return made

    def completed(self) -> Origin:
        """Return it with what it lacks of the statistics taken from the embedder's card.

        A gallery of Mien 0.1 holds impostor statistics alone; one of an embedder that was measured
        later holds none. The card counts if it is on this machine and states this contract.
        """
        found = known_statistics(self.embedder, self.contract)
        if found is None:
            return self
        own = self.statistics or EmbedderStatistics()
        return replace(
            self,
            statistics=EmbedderStatistics(
                impostors=own.impostors or found.impostors,
                verification=own.verification or found.verification,
                genuine=own.genuine or found.genuine,
                copies=own.copies or found.copies,
            ),
        )


def _statistics(fields: Mapping[str, Any] | None) -> EmbedderStatistics | None:
    if fields is None:
        return None
    if "false_match_rate" in fields:  # as Mien 0.1 wrote it
        return EmbedderStatistics(impostors=ImpostorStatistics.from_dict(fields))
    return EmbedderStatistics.from_dict(fields)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a gallery.

    Attributes:
        id: short and opaque; stays when the name changes.
        name: as it is shown.
        consent: a note on what the person has agreed to, in the user's words; may be empty.
        source: where the person came from: a dataset, a hand, an import.
        created: UTC time, ISO 8601.
        changed: UTC time of the last change to name, note or photos.
        photos: how many photos are enrolled.
    """

    id: str
    name: str
    consent: str
    source: str
    created: str
    changed: str
    photos: int


@dataclass(frozen=True, slots=True)
class Picture:
    """An enrolled photo: what is kept of it besides its embeddings.

    Attributes:
        id: short and opaque.
        sha256: hex digest of the photo's bytes; empty where unknown.
        source: where it came from: a file's name, a dataset's entry.
        added: UTC time, ISO 8601.
        quality: in [0, 1].
        thumbnail: whether its crop is kept.
        forced: why it had been refused before it was forced in; empty otherwise.
    """

    id: str
    sha256: str
    source: str
    added: str
    quality: float
    thumbnail: bool
    forced: str


@dataclass(frozen=True, slots=True, eq=False)
class FaceSample:
    """What was seen of one face in one photo.

    Attributes:
        embedding: (D,) float32 of length 1, of the crop.
        mirrored: (D,) float32 of length 1, of the mirrored crop.
        contract: id of how they were made.
        quality: size, blur and yaw in one number, in [0, 1].
        sha256: hex digest of the photo's bytes; empty where unknown.
        source: where the photo came from.
        doubt: what is wrong with the picture, in words; empty where nothing is.
        measures: `size` in pixels between the eyes, `blur` in [0, 1], `yaw` in degrees; may be
            empty.
        crop: JPEG of the aligned crop; empty where there is none.
        added: when it was enrolled in the gallery it comes from; empty for now.
        forced: why it had been refused there before it was forced in; empty otherwise.
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


@dataclass(frozen=True, slots=True, eq=False)
class ImportedPerson:
    """Somebody who is taken in with all their photos, without a guard: they were looked at before.

    Attributes:
        name: as it is to be shown; whoever has it already gets the photos.
        sightings: the photos.
        id: to keep, where nobody else has it; a new one where empty.
        consent: a note on what the person has agreed to.
        source: where the person comes from.
        negatives: (N, D) float32 unit rows, faces that are not this person.
        created: when they came to the gallery they come from; empty for now.
    """

    name: str
    sightings: Sequence[FaceSample]
    id: str = ""
    consent: str = ""
    source: str = ""
    negatives: Sequence[NDArray[np.float32]] = ()
    created: str = ""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What came of enrolling one photo.

    Attributes:
        taken: whether it is in the gallery now.
        person: id of the person; empty where there is none because nothing was taken.
        picture: id of the enrolled photo (of the one that was there before, where the same photo
            came again); empty where nothing was taken.
        reason: why it was not taken, or would not have been but for `force`; empty otherwise.
        detail: that in words; empty where there is nothing to say.
        evidence: that in numbers and names, as JSON.
    """

    taken: bool
    person: str = ""
    picture: str = ""
    reason: Reason = ""
    detail: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


NOT_COMPARED = Answer(None, None, -1.0, 0.0, None)
"""The answer of an empty gallery: there is no person to compare with."""


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the audit trail. It holds ids, never names: a forgotten person's says nobody.

    Attributes:
        time: UTC, ISO 8601.
        action: what was done: `enrolled`, `identified`, `renamed`, `merged`, `forgotten`, …
        person: id; empty where it concerns nobody in particular.
        key: name of the key that did it; empty for the command line.
        detail: numbers about it; no names.
    """

    time: str
    action: str
    person: str
    key: str
    detail: str
