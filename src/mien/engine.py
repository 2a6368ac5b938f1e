"""The engine: the graphs' stages, one after the other, over the models of the store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from mien.errors import ContractMismatch, UnusableWeights
from mien.graph.align import VERSION as ALIGN_VERSION
from mien.graph.assemble import ModelParts, align_graph, detect_graph, embed_graph, whole_graph
from mien.graph.settings import DetectionSettings
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, ModelCard, card
from mien.models.ready import ready_model
from mien.models.weight_store import WeightStore
from mien.session import Session, forward
from mien.types import Detections, Embeddings, Photo, Progress, silent

__all__ = ["DetectionSettings", "Engine", "Pipeline", "Session", "contract_of", "forward"]


def contract_of(embedder: ModelCard) -> str:
    """Return the contract id of an embedder: its weights, preprocessing and dimension."""
    parts = (embedder.sha256, ALIGN_VERSION, embedder.preprocessing, str(embedder.dimension))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """The road from photo to embeddings, stage by stage.

    Attributes:
        parts: what its graphs are made of.
        detector_card: of the detector's weights.
        embedder_card: of the embedder's weights.
        threads: how many threads one call may use; 0 for as many as there are cores. For bulk
            work take 1 and call it from a pool of threads.
    """

    parts: ModelParts
    detector_card: ModelCard
    embedder_card: ModelCard
    threads: int = 0
    _detect: Session = field(init=False, repr=False)
    _align: Session = field(init=False, repr=False)
    _embed: Session = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for stage, graph in (
            ("_detect", detect_graph(self.parts)),
            ("_align", align_graph()),
            ("_embed", embed_graph(self.parts)),
        ):
            session = Session(graph.SerializeToString(), name=stage[1:], threads=self.threads)
            object.__setattr__(self, stage, session)

    @classmethod
    def open(
        cls,
        *,
        embedder: str = DEFAULT_EMBEDDER,
        detector: str = DEFAULT_DETECTOR,
        settings: DetectionSettings | None = None,
        threads: int = 0,
        store: WeightStore | None = None,
        progress: Progress = silent,
    ) -> Engine:
        """Return an engine over the models with these ids, pulling their weights if need be.

        Raises:
            UnknownModel: no card has such an id.
            WeightsMissing: offline, and the weights are not on this machine.
            DownloadFailed: no source delivered them.
            UnusableWeights: they do not behave as their card says.
        """
        store = store or WeightStore.default()
        detector_card, embedder_card = card(detector, store), card(embedder, store)
        for wanted, found in (("detector", detector_card), ("embedder", embedder_card)):
            if found.kind != wanted:
                raise UnusableWeights(
                    f"{found.id} is no {wanted}", hint="`mien models list` shows which is which."
                )
        parts = ModelParts(
            detector=onnx.load(ready_model(detector_card, store, progress)),
            detector_colour=detector_card.colour,
            embedder=onnx.load(ready_model(embedder_card, store, progress)),
            embedder_colour=embedder_card.colour,
            mean=embedder_card.mean,
            scale=embedder_card.scale,
            dimension=embedder_card.dimension or 0,
            settings=settings or DetectionSettings(),
        )
        return cls(parts, detector_card, embedder_card, threads)

    @property
    def contract(self) -> str:
        """Id of how the embeddings are made."""
        return contract_of(self.embedder_card)

    @property
    def dimension(self) -> int:
        """D, the length of an embedding."""
        return self.parts.dimension

    @property
    def settings(self) -> DetectionSettings:
        """How faces are looked for."""
        return self.parts.settings

    @property
    def max_long_side(self) -> int:
        """The long side in pixels that a large photo may be read at: `long_side` of read_photo."""
        return 2 * self.settings.side

    def detect(self, photo: Photo) -> Detections:
        """Return the faces of a photo, best first."""
        boxes, points, scores = self._detect.run("boxes", "points", "scores", image=photo.pixels)
        return Detections(boxes, points, scores)

    def align(self, photo: Photo, detections: Detections) -> NDArray[np.uint8]:
        """Return (F, 112, 112, 3) uint8 RGB crops of the faces."""
        (crops,) = self._align.run("crops", image=photo.pixels, points=detections.points)
        return crops

    def portraits(self, photo: Photo, detections: Detections, side: int) -> NDArray[np.uint8]:
        """Return (F, side, side, 3) uint8 RGB: the same crops at another size, to look at."""
        session = Session(align_graph(side).SerializeToString(), name="align", threads=self.threads)
        (crops,) = session.run("crops", image=photo.pixels, points=detections.points)
        return crops

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """Return the embeddings of (F, 112, 112, 3) uint8 RGB crops."""
        (vectors,) = self._embed.run("embeddings", crops=np.ascontiguousarray(crops))
        return Embeddings(vectors, self.contract)

    def check(self, contract: str, what: str) -> None:
        """Raise ContractMismatch unless `contract` is this engine's."""
        if contract != self.contract:
            raise ContractMismatch(
                f"{what} has embeddings of contract {contract}, "
                f"{self.embedder_card.id} makes {self.contract}",
                hint="Use the embedder it was made with, or make it again with this one.",
            )


class Pipeline:
    """The same road as one graph, pixels to embeddings: what a recognizer file runs.

    Args:
        engine: whose parts it is assembled of.
        threads: how many threads one call may use; 0 for as many as there are cores.
    """

    def __init__(self, engine: Engine, *, threads: int = 0) -> None:
        model = whole_graph(engine.parts).SerializeToString()
        self._session = Session(model, name="pipeline", threads=threads)
        self.contract = engine.contract

    @classmethod
    def open(cls, *, threads: int = 0, **choices: Any) -> Pipeline:
        """Return the one graph over the models and settings that `Engine.open` takes."""
        return cls(Engine.open(threads=threads, **choices), threads=threads)

    def faces(self, photo: Photo) -> tuple[Detections, NDArray[np.uint8], Embeddings]:
        """Return the faces of a photo, their crops and their embeddings."""
        boxes, points, scores, crops, vectors = self._session.run(
            "boxes", "points", "scores", "crops", "embeddings", image=photo.pixels
        )
        return Detections(boxes, points, scores), crops, Embeddings(vectors, self.contract)
