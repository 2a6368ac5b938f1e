"""From embeddings to answers: the protocol, and the one reader of the compare stage's rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.errors import ContractMismatch
from mien.graph.settings import UNKNOWN_PERSON
from mien.models.statistics import EmbedderStatistics
from mien.photo import PhotoSource, open_photo
from mien.session import Session
from mien.types import Answer, Candidate, EmbeddedPhoto, Embeddings, Face, Head, Photo

COMPARED = ("candidates", "similarities", "probabilities", "person")
"""Outputs of the compare stage, in the order that `answers_of` takes them."""

Rates = Callable[[NDArray[np.float32]], NDArray[np.float64] | None]
"""(F,) similarities to how often a stranger reaches each; None where nothing is known."""


class PhotoEmbedder(Protocol):
    """Embeds the faces of a photo in one call; safe to call from many threads."""

    @property
    def contract(self) -> str:
        """Id of how the embeddings are made."""

    @property
    def max_long_side(self) -> int:
        """The long side in pixels that a photo may be read at: `long_side` of `read_photo`."""

    def embed_photo(self, photo: Photo) -> EmbeddedPhoto:
        """Return the faces of a photo, best score first, with crops and embeddings."""


class Matcher(Protocol):
    """Names the faces of one photo by their embeddings: a trained head, or a living gallery."""

    @property
    def contract(self) -> str:
        """Id of the embeddings that it takes."""

    def identify(self, embeddings: Embeddings) -> Sequence[Answer]:
        """Return who the faces of one photo are; no person is named twice.

        Raises:
            ContractMismatch: the embeddings were made in another way.
        """


class HeadMatcher:
    """Names faces by a trained head, outside of its recognizer file.

    Args:
        head: what was learned.
        statistics: what is known of the embedder's similarities, or None.
    """

    def __init__(self, head: Head, statistics: EmbedderStatistics | None = None) -> None:
        # A deployed recognizer imports this module and has no onnx.
        from mien.graph.assemble import compare_graph  # noqa: PLC0415

        self.head = head
        self._statistics = statistics
        model = compare_graph(head).SerializeToString()
        self._session = Session(model, name="compare", threads=1)

    @property
    def contract(self) -> str:
        """Id of the embeddings that it takes."""
        return self.head.contract

    def identify(self, embeddings: Embeddings) -> Sequence[Answer]:
        """Return who the faces of one photo are; no person is named twice.

        Raises:
            ContractMismatch: the embeddings were made in another way.
        """
        if embeddings.contract != self.contract:
            raise ContractMismatch("the embeddings were made for another recognizer")
        vectors = np.ascontiguousarray(embeddings.vectors)
        rows = self._session.run(*COMPARED, embeddings=vectors)
        return answers_of(rows, self.head.people, rates=self._rates)

    def _rates(self, similarities: NDArray[np.float32]) -> NDArray[np.float64] | None:
        if self._statistics is None or self._statistics.impostors is None:
            return None
        return self._statistics.impostors.false_positive_rates(
            similarities - self.head.policy.shift, self.head.photos
        )


class PhotoIdentifier:
    """Names the faces of photos: an engine and a matcher; safe to call from many threads.

    Args:
        engine: embeds photos.
        matcher: names embeddings; asked again for each photo.

    Raises:
        ContractMismatch: the engine makes other embeddings than the matcher takes.
    """

    def __init__(self, engine: PhotoEmbedder, matcher: Matcher) -> None:
        if engine.contract != matcher.contract:
            raise ContractMismatch(
                f"the engine makes embeddings of contract {engine.contract}, "
                f"not {matcher.contract}",
                hint="Use the embedder that the people were enrolled with.",
            )
        self._engine = engine
        self._matcher = matcher

    @property
    def max_long_side(self) -> int:
        """The long side in pixels that a photo may be read at: `long_side` of `read_photo`."""
        return self._engine.max_long_side

    def identify(self, photo: PhotoSource) -> list[Face]:
        """Return the faces of a photo, best detection first, each named or unknown.

        Raises:
            PhotoError: it cannot be read.
        """
        embedded = self._engine.embed_photo(open_photo(photo, long_side=self.max_long_side))
        return faces_of(embedded, self._matcher.identify(embedded.embeddings))


def answers_of(
    rows: Sequence[NDArray[Any]],
    names: Sequence[str],
    *,
    rates: Rates,
    ids: Sequence[str] | None = None,
) -> tuple[Answer, ...]:
    """Return the answers that the compare stage gave.

    Args:
        rows: its outputs for F faces, in the order of `COMPARED`.
        names: of the P people.
        rates: how often a stranger gets a similarity.
        ids: of the P people; None where they have none.
    """
    candidates, similarities, probabilities, person = rows
    if not len(person):
        return ()
    reached = rates(np.ascontiguousarray(similarities[:, 0]))
    answers = []
    for face, named in enumerate(person.tolist()):
        listed = tuple(
            Candidate(names[who], similarity, probability, ids[who] if ids else None)
            for who, similarity, probability in zip(
                candidates[face].tolist(),
                similarities[face].tolist(),
                probabilities[face].tolist(),
                strict=True,
            )
        )
        best = listed[0]
        known = named != UNKNOWN_PERSON
        answers.append(
            Answer(
                name=best.name if known else None,
                person_id=best.person_id if known else None,
                similarity=best.similarity,
                probability=best.probability,
                false_positive_rate=None if reached is None else float(reached[face]),
                candidates=listed,
            )
        )
    return tuple(answers)


def faces_of(embedded: EmbeddedPhoto, answers: Sequence[Answer]) -> list[Face]:
    """Return the faces of a photo with their answers, in pixels of the full photo."""
    found, scale = embedded.detections, embedded.photo.scale
    return [
        Face(
            box=(found.boxes[row] / scale).astype(np.float32),
            points=(found.points[row] / scale).astype(np.float32),
            score=float(found.scores[row]),
            answer=answer,
            crop=embedded.crops[row],
            embedding=embedded.embeddings.vectors[row],
        )
        for row, answer in enumerate(answers)
    ]
