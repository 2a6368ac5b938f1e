"""What answers by a handle: a recognizer file, or the living gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from mien.engine import Engine
from mien.errors import ContractMismatch, UnknownModel
from mien.gallery import Answer, Gallery, Match
from mien.graph.assemble import compare_graph
from mien.graph.settings import NOBODY
from mien.models.cards import ImpostorStatistics
from mien.policy import false_positive_rates
from mien.recognizer import Recognizer, Weights
from mien.session import Session
from mien.stages import Stages
from mien.types import Embeddings, Known, Unknown, Verdict

_OF_A_FILE = (
    "Names and one prototype a person, in the recognizer's file; no photo.",
    "Photos that are recognised here are looked at in memory and not kept.",
)
_OF_A_GALLERY = (
    "Photos that are recognised here are looked at in memory and not kept.",
    "Of each photo a person was learned from: numbers for the face, the digest, the file's name.",
    "Names, notes on consent, and who changed or was shown what, by the ids of people and keys.",
)
_THUMBNAILS = "A small aligned crop of each photo that a person was learned from."


class Mount(Protocol):
    """Names faces."""

    @property
    def kind(self) -> str:
        """`file` or `gallery`."""

    @property
    def engine(self) -> Engine | Stages:
        """The models that its embeddings are made with."""

    def identify(self, embeddings: Embeddings) -> Sequence[Answer]:
        """Return who the faces of one photo are."""

    def about(self) -> dict[str, Any]:
        """Return what is known of it, as JSON."""


class FileMount:
    """A recognizer file in service.

    Args:
        recognizer: loaded.
        engine: over the models it was made with.

    Raises:
        ContractMismatch: the engine makes other embeddings.
    """

    kind = "file"

    def __init__(self, recognizer: Recognizer, engine: Engine | Stages) -> None:
        if engine.contract != recognizer.contract:
            raise ContractMismatch("the models make other embeddings than the recognizer's")
        self.engine = engine
        self.recognizer = recognizer
        self.head = recognizer.head
        self.info = recognizer.info()
        self.weights = (recognizer.about.detector, recognizer.about.embedder)
        self._created = recognizer.about.created
        self._measured = recognizer.about.measured
        model = compare_graph(self.head).SerializeToString()
        self._session = Session(model, name="compare", threads=1)

    def identify(self, embeddings: Embeddings) -> Sequence[Answer]:
        """Return who the faces of one photo are; people have no ids in a file."""
        if embeddings.contract != self.head.contract:
            raise ContractMismatch("the embeddings were made for another recognizer")
        outputs = ("candidates", "similarities", "probabilities", "person")
        candidates, similarities, probabilities, person = self._session.run(
            *outputs, embeddings=np.ascontiguousarray(embeddings.vectors)
        )
        if not len(embeddings):
            return ()
        rates = false_positive_rates(
            (),
            self.head.photos,
            np.ascontiguousarray(similarities[:, 0]),
            statistics=_statistics(self.engine),
        )
        return [
            self._answer(*row)
            for row in zip(candidates, similarities, probabilities, person, rates, strict=True)
        ]

    def _answer(
        self, candidates: Any, similarities: Any, probabilities: Any, person: Any, rate: Any
    ) -> Answer:
        matches = tuple(
            Match("", self.head.people[index], float(similarity), float(probability))
            for index, similarity, probability in zip(
                candidates, similarities, probabilities, strict=True
            )
        )
        best = matches[0]
        kind = Unknown if person == NOBODY else Known
        verdict: Verdict = kind(best.name, best.probability, best.similarity)
        return Answer(verdict, "", matches, float(rate))

    def about(self) -> dict[str, Any]:
        """Return what the file says of itself."""
        return {
            "kind": self.kind,
            "created": self._created,
            "people_count": len(self.head.people),
            "policy": asdict(self.head.policy),
            "measured": _figures(self._measured),
            "weights": [asdict(weights) for weights in self.weights],
            "contract": self.head.contract,
            "stored": list(_OF_A_FILE),
        }


class GalleryMount:
    """The living gallery in service.

    Args:
        gallery: open.
        engine: over the models that its embeddings are made with.

    Raises:
        ContractMismatch: the engine makes other embeddings.
    """

    kind = "gallery"

    def __init__(self, gallery: Gallery, engine: Engine) -> None:
        engine.check(gallery.contract, str(gallery.path))
        self.gallery = gallery
        self.engine = engine

    def identify(self, embeddings: Embeddings) -> Sequence[Answer]:
        """Return who the faces of one photo are."""
        return self.gallery.identify(embeddings) if len(embeddings) else ()

    def about(self) -> dict[str, Any]:
        """Return what is known of the gallery as it stands."""
        people = self.gallery.people()
        cards = (self.engine.detector_card, self.engine.embedder_card)
        thumbnails = (_THUMBNAILS,) if self.gallery.keeps_thumbnails else ()
        return {
            "kind": self.kind,
            "created": min((person.created for person in people), default=""),
            "people_count": len(people),
            "policy": asdict(self.gallery.policy),
            "measured": {},
            "weights": [asdict(Weights.of(card)) for card in cards],
            "contract": self.gallery.contract,
            "stored": [*_OF_A_GALLERY, *thumbnails],
            "encrypted": self.gallery.encrypted,
            "warnings": list(self.gallery.warnings),
        }


def _statistics(engine: Engine | Stages) -> ImpostorStatistics | None:
    """Return how alike strangers look to the embedder, where a card on this machine tells."""
    try:
        return engine.embedder_card.impostors
    except UnknownModel:
        return None


def _figures(measured: Any) -> dict[str, Any]:
    """Return what a person can read of the numbers in a file: rates and counts, no tables."""
    return {
        name: value
        for name, value in dict(measured).items()
        if isinstance(value, str | int | float | bool | None)
        or (isinstance(value, dict) and {"value", "low", "high"} <= value.keys())
    }
