"""A gallery in a recognizer's place: a photo in, its faces named."""

from __future__ import annotations

from mien.engine import DetectionSettings, Engine, Pipeline
from mien.gallery.gallery import Gallery
from mien.gallery.values import Origin
from mien.types import Candidate, Face, Photo, Progress, silent


def engine_for(origin: Origin, *, threads: int = 0, progress: Progress = silent) -> Engine:
    """Return an engine over the models and settings that a gallery's embeddings are made with.

    Raises:
        ModelError: the models cannot be had.
        ContractMismatch: the model of that name makes other embeddings now.
    """
    engine = Engine.open(
        embedder=origin.embedder,
        detector=origin.detector,
        settings=DetectionSettings(**origin.detection),
        threads=threads,
        progress=progress,
    )
    engine.check(origin.contract, "the gallery")
    return engine


class GalleryRecognizer:
    """Names the faces of photos by a living gallery; safe to call from many threads.

    Args:
        gallery: who is known; read anew for each photo.
        engine: the models.
        threads: how many threads one photo may use; 0 for as many as there are cores.

    Raises:
        ContractMismatch: the engine makes other embeddings than the gallery's.
    """

    def __init__(self, gallery: Gallery, engine: Engine, *, threads: int = 0) -> None:
        engine.check(gallery.contract, str(gallery.path))
        self.gallery = gallery
        self.max_long_side = engine.max_long_side
        self._pipeline = Pipeline(engine, threads=threads)

    def identify(self, photo: Photo) -> list[Face]:
        """Return the faces of a photo, best detection first, each named or unknown.

        Candidates are empty where the gallery is.
        """
        found, crops, embeddings = self._pipeline.faces(photo)
        answers = self.gallery.identify(embeddings)
        return [
            Face(
                box=found.boxes[row] / photo.scale,
                points=found.points[row] / photo.scale,
                score=float(found.scores[row]),
                verdict=answer.verdict,
                candidates=tuple(
                    Candidate(match.name, match.similarity, match.probability)
                    for match in answer.candidates
                ),
                crop=crops[row],
                embedding=embeddings.vectors[row],
            )
            for row, answer in enumerate(answers)
        ]
