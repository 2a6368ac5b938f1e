"""Recognition backends by name: a recognizer file or the gallery."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from mien.engine import Engine, FaceEngine
from mien.errors import ContractMismatch
from mien.gallery import Gallery
from mien.matching import HeadMatcher, Matcher
from mien.recognizer import Recognizer, Weights

_STORED_WITH_FILE = (
    "Names and one prototype per person, in the recognizer's file; no photo.",
    "Photos that are identified here are processed in memory and not kept.",
)
_STORED_WITH_GALLERY = (
    "Photos that are identified here are processed in memory and not kept.",
    "For each enrolled photo: an embedding, its digest and the file's name.",
    "Names, notes on consent, and an audit trail with the ids of people and keys.",
)
_THUMBNAILS = "A small aligned crop of each enrolled photo."


@dataclass(frozen=True, slots=True, eq=False)
class Backend:
    """An engine and a matcher that identify faces together.

    Attributes:
        engine: photo to embeddings, on one thread.
        matcher: embeddings to answers.
        recognizer: the recognizer file; None for the gallery.
        gallery: the gallery; None for a recognizer file.
    """

    engine: FaceEngine
    matcher: Matcher
    recognizer: Recognizer | None = None
    gallery: Gallery | None = None

    def __post_init__(self) -> None:
        if self.engine.contract != self.matcher.contract:
            raise ContractMismatch("the engine's embeddings do not match the recognizer's")

    @classmethod
    def of_file(cls, recognizer: Recognizer, engine: FaceEngine) -> Backend:
        """Return the backend of a recognizer file.

        Args:
            recognizer: the loaded file.
            engine: with the models that the recognizer was made with.

        Raises:
            ContractMismatch: the engine's embeddings have another contract.
        """
        matcher = HeadMatcher(recognizer.head, recognizer.statistics)
        return cls(engine, matcher, recognizer=recognizer)

    @classmethod
    def of_gallery(cls, gallery: Gallery, engine: Engine) -> Backend:
        """Return the backend of a gallery.

        Args:
            gallery: an open gallery.
            engine: with the models that the gallery's embeddings were made with.

        Raises:
            ContractMismatch: the engine's embeddings have another contract.
        """
        engine.check(gallery.contract, str(gallery.path))
        return cls(engine, gallery, gallery=gallery)

    @property
    def kind(self) -> Literal["file", "gallery"]:
        """Kind of backend, as in JSON."""
        return "file" if self.gallery is None else "gallery"

    def about(self) -> dict[str, Any]:
        """Return a description as JSON: people, policy, measured rates, weights, stored data."""
        if self.gallery is not None and isinstance(self.engine, Engine):
            return {"kind": self.kind, **_about_gallery(self.gallery, self.engine)}
        if self.recognizer is not None:
            return {"kind": self.kind, **_about_file(self.recognizer)}
        return {"kind": self.kind}


def _about_file(recognizer: Recognizer) -> dict[str, Any]:
    about = recognizer.about
    return {
        "created": about.created,
        "people_count": len(recognizer.people),
        "policy": asdict(recognizer.policy),
        "measured": _figures(about.measured),
        "weights": [asdict(weights) for weights in (about.detector, about.embedder)],
        "contract": recognizer.contract,
        "stored": list(_STORED_WITH_FILE),
    }


def _about_gallery(gallery: Gallery, engine: Engine) -> dict[str, Any]:
    people = gallery.people()
    cards = (engine.detector_card, engine.embedder_card)
    thumbnails = (_THUMBNAILS,) if gallery.keeps_thumbnails else ()
    return {
        "created": min((person.created for person in people), default=""),
        "people_count": len(people),
        "policy": asdict(gallery.policy),
        "measured": {},
        "weights": [asdict(Weights.of(card)) for card in cards],
        "contract": gallery.contract,
        "stored": [*_STORED_WITH_GALLERY, *thumbnails],
        "encrypted": gallery.encrypted,
        "warnings": [notice.text for notice in gallery.warnings],
    }


def _figures(measured: Any) -> dict[str, Any]:
    """Return the measured rates and counts of a recognizer file, without its tables."""
    return {
        name: value
        for name, value in dict(measured).items()
        if isinstance(value, str | int | float | bool | None)
        or (isinstance(value, dict) and {"value", "low", "high"} <= value.keys())
    }
