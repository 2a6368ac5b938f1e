"""Recognition backends by handle: a recognizer file, or the living gallery."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from mien.engine import Engine, FaceEngine
from mien.errors import ContractMismatch
from mien.gallery import Gallery
from mien.matching import HeadMatcher, Matcher
from mien.recognizer import Recognizer, Weights

_KEPT_OF_A_FILE = (
    "Names and one prototype per person, in the recognizer's file; no photo.",
    "Photos that are identified here are processed in memory and not kept.",
)
_KEPT_OF_A_GALLERY = (
    "Photos that are identified here are processed in memory and not kept.",
    "Of each photo a person was enrolled with: an embedding, the digest, the file's name.",
    "Names, notes on consent, and who changed or was shown what, by the ids of people and keys.",
)
_THUMBNAILS = "A small aligned crop of each photo that a person was enrolled with."


@dataclass(frozen=True, slots=True, eq=False)
class Backend:
    """What answers by a handle.

    Attributes:
        engine: embeds photos, with one thread.
        matcher: names the embeddings.
        recognizer: the file, where it is one.
        gallery: the living gallery, where it is one.
    """

    engine: FaceEngine
    matcher: Matcher
    recognizer: Recognizer | None = None
    gallery: Gallery | None = None

    def __post_init__(self) -> None:
        if self.engine.contract != self.matcher.contract:
            raise ContractMismatch("the models make other embeddings than the recognizer's")

    @classmethod
    def of_file(cls, recognizer: Recognizer, engine: FaceEngine) -> Backend:
        """Return a recognizer file in service.

        Args:
            recognizer: loaded.
            engine: over the models it was made with.

        Raises:
            ContractMismatch: the engine makes other embeddings.
        """
        matcher = HeadMatcher(recognizer.head, recognizer.statistics)
        return cls(engine, matcher, recognizer=recognizer)

    @classmethod
    def of_gallery(cls, gallery: Gallery, engine: Engine) -> Backend:
        """Return the living gallery in service.

        Args:
            gallery: open.
            engine: over the models that its embeddings are made with.

        Raises:
            ContractMismatch: the engine makes other embeddings.
        """
        engine.check(gallery.contract, str(gallery.path))
        return cls(engine, gallery, gallery=gallery)

    @property
    def kind(self) -> Literal["file", "gallery"]:
        """What answers."""
        return "file" if self.gallery is None else "gallery"

    def about(self) -> dict[str, Any]:
        """Return what is known of it, as JSON."""
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
        "stored": list(_KEPT_OF_A_FILE),
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
        "stored": [*_KEPT_OF_A_GALLERY, *thumbnails],
        "encrypted": gallery.encrypted,
        "warnings": list(gallery.warnings),
    }


def _figures(measured: Any) -> dict[str, Any]:
    """Return what a person can read of the numbers in a file: rates and counts, no tables."""
    return {
        name: value
        for name, value in dict(measured).items()
        if isinstance(value, str | int | float | bool | None)
        or (isinstance(value, dict) and {"value", "low", "high"} <= value.keys())
    }
