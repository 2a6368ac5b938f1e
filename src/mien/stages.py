"""A recognizer file's own models in an engine's stages: what batches needs them apart."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray

from mien.graph.assemble import align_graph
from mien.graph.subgraph import subgraph_of
from mien.models.cards import ModelCard, card
from mien.recognizer import Recognizer
from mien.session import Session
from mien.types import Detections, Embeddings, Photo


class Stages:
    """The road of a recognizer file, cut where photos may be put together and taken apart.

    The parts are those of the file: it needs no weights besides, and the answers are the same.

    Args:
        recognizer: whose graph it is.
        threads: how many threads one call may use; 0 for as many as there are cores.
    """

    def __init__(self, recognizer: Recognizer, *, threads: int = 0) -> None:
        self.about = recognizer.about
        self.contract = recognizer.contract
        self.max_long_side = recognizer.max_long_side
        model = onnx.load_from_string(recognizer.model)
        outputs = {value.name: value.type.tensor_type.shape for value in model.graph.output}
        self.dimension = int(outputs["embeddings"].dim[1].dim_value)

        def session(name: str, part: onnx.ModelProto) -> Session:
            return Session(part.SerializeToString(), name=name, threads=threads)

        found = ["boxes", "points", "scores"]
        self._detect = session("detect", subgraph_of(model, ["image"], found))
        self._align = session("align", align_graph())
        self._embed = session("embed", subgraph_of(model, ["crops"], ["embeddings"]))

    def detect(self, photo: Photo) -> Detections:
        """Return the faces of a photo, best first."""
        return Detections(*self._detect.run("boxes", "points", "scores", image=photo.pixels))

    def align(self, photo: Photo, detections: Detections) -> NDArray[np.uint8]:
        """Return (F, 112, 112, 3) uint8 RGB crops of the faces."""
        (crops,) = self._align.run("crops", image=photo.pixels, points=detections.points)
        return crops

    def embed(self, crops: NDArray[np.uint8]) -> Embeddings:
        """Return the embeddings of (F, 112, 112, 3) uint8 RGB crops, of one photo or of many."""
        (vectors,) = self._embed.run("embeddings", crops=np.ascontiguousarray(crops))
        return Embeddings(vectors, self.contract)

    @property
    def embedder_card(self) -> ModelCard:
        """Of the embedder's weights; raises UnknownModel where this machine has none."""
        return card(self.about.embedder.id)
