"""The face pipeline, stage by stage: from a photo to embeddings.

`FaceEngine` is the protocol. `Engine` runs the stages over models of the store, `RecognizerEngine`
over the models inside a recognizer file, so that the file needs no weights besides.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from mien.errors import ContractMismatch, UnusableWeights
from mien.graph.assemble import ModelParts, align_graph, detect_graph, embed_graph, whole_graph
from mien.graph.settings import DetectionSettings
from mien.graph.subgraph import subgraph_of
from mien.matching import PhotoEmbedder
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, ModelCard, card, contract_of
from mien.models.ready import ready_model
from mien.models.statistics import EmbedderStatistics
from mien.models.weight_store import WeightStore
from mien.photo import at_moderate_size, open_photo
from mien.session import FACES_KEPT_FOR, KEPT_FOR, Session, forward
from mien.types import Detections, EmbeddedPhoto, Embeddings, Photo, Progress, silent

__all__ = [
    "DetectionSettings",
    "Engine",
    "FaceEngine",
    "Pipeline",
    "RecognizerEngine",
    "Session",
    "contract_of",
    "forward",
]


class FaceEngine(PhotoEmbedder, Protocol):
    """The same in stages, so that the faces of many photos can be embedded at once."""

    @property
    def dimension(self) -> int:
        """D, the length of an embedding."""

    @property
    def statistics(self) -> EmbedderStatistics | None:
        """What is known of the embedder's similarities; None where nothing is."""

    def detect(self, photo: Photo) -> Detections:
        """Return the faces of a photo, best score first."""

    def align(self, photo: Photo, detections: Detections) -> NDArray[np.uint8]:
        """Return (F, 112, 112, 3) uint8 RGB crops of the faces."""

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """Return the embeddings of (F, 112, 112, 3) uint8 RGB crops, of one photo or of many."""


def _session(stage: str, graph: onnx.ModelProto, threads: int) -> Session:
    kept_for = FACES_KEPT_FOR if stage == "embed" else KEPT_FOR
    return Session(graph.SerializeToString(), name=stage, threads=threads, kept_for=kept_for)


@contextmanager
def _checked(model: str) -> Iterator[None]:
    """Translate what value types say of a model's answers into UnusableWeights."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UnusableWeights(
            f"the answers of the {model} are not those of one: {error}",
            hint="Its file is damaged, or it is no such model: make or get it again.",
        ) from error


class _Stages:
    """The stages over three sessions; what both engines share."""

    _detect: Session
    _align: Session
    _embed: Session

    @property
    def contract(self) -> str:
        """Id of how the embeddings are made."""
        raise NotImplementedError

    @property
    def max_long_side(self) -> int:
        """The long side in pixels that a photo may be read at: `long_side` of `read_photo`."""
        raise NotImplementedError

    def detect(self, photo: Photo) -> Detections:
        """Return the faces of a photo, best score first."""
        found = self._detect.run("boxes", "points", "scores", image=photo.pixels)
        with _checked("detector"):
            return Detections(*found)

    def align(self, photo: Photo, detections: Detections) -> NDArray[np.uint8]:
        """Return (F, 112, 112, 3) uint8 RGB crops of the faces."""
        photo, points = at_moderate_size(photo, detections.points)
        (crops,) = self._align.run("crops", image=photo.pixels, points=points)
        return crops

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """Return the embeddings of (F, 112, 112, 3) uint8 RGB crops, of one photo or of many."""
        (vectors,) = self._embed.run_rows("embeddings", crops=np.ascontiguousarray(crops))
        with _checked("embedder"):
            return Embeddings(vectors, self.contract)

    def embed_photo(self, photo: Photo) -> EmbeddedPhoto:
        """Return the faces of a photo, best score first, with crops and embeddings."""
        photo = open_photo(photo, long_side=self.max_long_side)
        found = self.detect(photo)
        crops = self.align(photo, found)
        return EmbeddedPhoto(photo, found, crops, self.embed(crops))


@dataclass(frozen=True, eq=False)
class Engine(_Stages):
    """The stages over models of the store.

    Attributes:
        parts: the models and settings that its graphs are made of.
        detector_card: card of the detector's weights.
        embedder_card: card of the embedder's weights.
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
        for name, graph in (
            ("detect", detect_graph(self.parts)),
            ("align", align_graph()),
            ("embed", embed_graph(self.parts)),
        ):
            object.__setattr__(self, f"_{name}", _session(name, graph, self.threads))

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

        Args:
            embedder: id of a model card.
            detector: id of a model card.
            settings: how faces are searched for.
            threads: as above.
            store: where weights are kept; the default store if None.
            progress: called while weights are pulled.

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
                    f"{found.id} is no {wanted}",
                    hint="The field kind of a model card says what the model does.",
                    code="wrong-kind-of-model",
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
        """How faces are searched for."""
        return self.parts.settings

    @property
    def statistics(self) -> EmbedderStatistics | None:
        """What is known of the embedder's similarities; None where nothing is."""
        return self.embedder_card.statistics_for(self.contract)

    @property
    def max_long_side(self) -> int:
        """The long side in pixels that a photo may be read at: `long_side` of `read_photo`."""
        return self.settings.max_long_side

    def check(self, contract: str, what: str) -> None:
        """Raise ContractMismatch unless `contract` is this engine's; `what` has it."""
        if contract != self.contract:
            raise ContractMismatch(
                f"{what} has embeddings of contract {contract}, "
                f"{self.embedder_card.id} makes {self.contract}",
                hint="Use the embedder it was made with, or make it again with this one.",
            )

    def __repr__(self) -> str:
        models = f"{self.detector_card.id} + {self.embedder_card.id}"
        return f"<Engine {models}, contract {self.contract}>"


class RecognizerEngine(_Stages):
    """The stages over the models inside a recognizer file; the answers are the file's own.

    Args:
        model: bytes of the file.
        contract: id of its embeddings.
        settings: how it searches for faces.
        statistics: what is known of its embedder's similarities, or None.
        threads: how many threads one call may use; 0 for as many as there are cores.
    """

    def __init__(
        self,
        model: bytes,
        *,
        contract: str,
        settings: DetectionSettings,
        statistics: EmbedderStatistics | None = None,
        threads: int = 0,
    ) -> None:
        self._contract = contract
        self.settings = settings
        self.statistics = statistics
        whole = onnx.load_from_string(model)
        outputs = {value.name: value.type.tensor_type.shape for value in whole.graph.output}
        self.dimension = int(outputs["embeddings"].dim[1].dim_value)

        found = ["boxes", "points", "scores"]
        self._detect = _session("detect", subgraph_of(whole, ["image"], found), threads)
        self._align = _session("align", align_graph(), threads)
        self._embed = _session("embed", subgraph_of(whole, ["crops"], ["embeddings"]), threads)

    @property
    def contract(self) -> str:
        """Id of how the embeddings are made."""
        return self._contract

    @property
    def max_long_side(self) -> int:
        """The long side in pixels that a photo may be read at: `long_side` of `read_photo`."""
        return self.settings.max_long_side

    def __repr__(self) -> str:
        return f"<RecognizerEngine contract {self.contract}>"


class Pipeline:
    """The stages as one graph, pixels to embeddings: the front of every recognizer file.

    Args:
        engine: whose models it is assembled of.
        threads: how many threads one call may use; 0 for as many as there are cores.
    """

    def __init__(self, engine: Engine, *, threads: int = 0) -> None:
        model = whole_graph(engine.parts).SerializeToString()
        self._session = Session(model, name="pipeline", threads=threads)
        self.contract = engine.contract
        self.max_long_side = engine.max_long_side

    @classmethod
    def open(cls, *, threads: int = 0, **choices: Any) -> Pipeline:
        """Return the one graph over the models and settings that `Engine.open` takes."""
        return cls(Engine.open(threads=threads, **choices), threads=threads)

    def embed_photo(self, photo: Photo) -> EmbeddedPhoto:
        """Return the faces of a photo, best score first, with crops and embeddings."""
        photo = open_photo(photo, long_side=self.max_long_side)
        boxes, points, scores, crops, vectors = self._session.run(
            "boxes", "points", "scores", "crops", "embeddings", image=photo.pixels
        )
        found = Detections(boxes, points, scores)
        return EmbeddedPhoto(photo, found, crops, Embeddings(vectors, self.contract))
