"""A recognizer: one ONNX file, pixels in, names out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelError, RecognizerNotFound
from mien.files import write_atomically
from mien.matching import COMPARED, answers_of, faces_of
from mien.models.statistics import EmbedderStatistics
from mien.onnx_files.graph_checks import check_graph
from mien.onnx_files.stages import FOUND, stages
from mien.photo import PhotoSource, open_photo
from mien.recognizer.metadata import (
    FORMAT,
    KEY,
    About,
    LearnedFields,
    Weights,
    now,
    read_about,
    read_fields,
    read_learned,
    read_statistics,
    unreadable,
)
from mien.recognizer.people_checks import check_people, fits_people
from mien.session import FACES_KEPT_FOR, Session
from mien.text import count
from mien.types import (
    Detections,
    EmbeddedPhoto,
    Embeddings,
    Face,
    Head,
    Policy,
)
from mien.version import __version__

# Those who only load a recognizer and run it need neither these nor onnx.
if TYPE_CHECKING:
    from onnx import TensorProto

    from mien.engine import Engine, RecognizerEngine
    from mien.graph.storage_form import Form

_PROTOTYPES, _NEGATIVES = "prototypes", "negatives"


class Recognizer:
    """A recognizer, loaded.

    Args:
        model: the bytes of the file.
        name: what to call it in an error.
        threads: how many threads one photo may use; 0 for as many as there are cores.

    Raises:
        NotARecognizer: the bytes are no recognizer that this version can read.
    """

    def __init__(self, model: bytes, *, name: str = "recognizer", threads: int = 0) -> None:
        if not isinstance(model, bytes):
            raise TypeError(
                f"the bytes of a file are wanted, not {model!r:.80}; Recognizer.load takes a path"
            )
        self._model = model
        self._name = name
        self._threads = threads
        try:
            checked = check_graph(model)
            find, embed, compare = stages(model)
        except ValueError as error:
            raise unreadable(name, str(error)) from error
        self._find = Session(find, name=name, threads=threads)
        self._embed = Session(embed, name=name, threads=threads, kept_for=FACES_KEPT_FOR)
        self._compare = Session(compare, name=name, threads=threads)
        self._fields = read_fields(self._find.metadata, name)
        self.about = read_about(self._fields, name)
        self._learned = read_learned(self._fields, name)
        self._statistics = read_statistics(self._fields, name)
        check_people(checked, self._learned, name)
        self.people = self._learned.people
        self.contract = self._learned.contract

    @classmethod
    def build(
        cls,
        head: Head,
        engine: Engine,
        *,
        dataset: str = "",
        measured: Mapping[str, Any] | None = None,
        threads: int = 0,
    ) -> Recognizer:
        """Return the recognizer that names the people of `head`.

        Args:
            head: what was learned.
            engine: the models that its embeddings came from.
            dataset: digest of the dataset it was learned on.
            measured: error rates, any JSON.
            threads: as above.

        Raises:
            ContractMismatch: the head was learned on other embeddings than the engine makes.
        """
        from mien.graph.assemble import whole_graph  # noqa: PLC0415

        engine.check(head.contract, "the trained head")
        about = About(
            version=__version__,
            created=now(),
            detector=Weights.of(engine.detector_card),
            embedder=Weights.of(engine.embedder_card),
            settings=engine.settings,
            dataset=dataset,
            measured=dict(measured or {}),
        )
        fields: dict[str, Any] = {
            "format": FORMAT,
            "people": head.people,
            "photos": head.photos.tolist(),
            "kind": head.kind,
            "contract": head.contract,
            "calibration": asdict(head.calibration),
            "policy": asdict(head.policy),
            "about": {**asdict(about), "settings": engine.settings.to_dict()},
        }
        if engine.statistics is not None:
            fields["statistics"] = engine.statistics.to_dict()
        if len(head.negatives):
            fields["negative_of"] = head.negative_of.tolist()
        metadata = {KEY: json.dumps(fields, ensure_ascii=False, allow_nan=False)}
        model = whole_graph(engine.parts, head, metadata)
        return cls(model.SerializeToString(deterministic=True), threads=threads)

    @classmethod
    def load(cls, path: Path | str, *, threads: int = 0) -> Recognizer:
        """Read a recognizer file.

        Raises:
            RecognizerNotFound: there is no such file.
            NotARecognizer: it was not written by Mien, or is damaged.
        """
        try:
            model = Path(path).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            raise RecognizerNotFound(
                f"cannot read {path}: {getattr(error, 'strerror', None) or error}",
                hint="`mien.train` makes a recognizer of a dataset.",
                code="recognizer-missing",
            ) from error
        return cls(model, name=str(path), threads=threads)

    def save(self, path: Path | str) -> None:
        """Write the file; a reader finds the old one or the new one, never half.

        Raises:
            OutputError: it cannot be written.
        """
        write_atomically(Path(path), self._model)

    def stored_as(self, form: Form) -> Recognizer:
        """Return the same recognizer with its weights stored in another form.

        Args:
            form: one of those of `mien.graph.storage_form`.
        """
        import onnx  # noqa: PLC0415

        from mien.graph.storage_form import store_weights  # noqa: PLC0415

        model = store_weights(onnx.load_from_string(self._model), form)
        if form != "float32":
            fields = json.dumps({**self._fields, "weights": form}, ensure_ascii=False)
            onnx.helper.set_model_props(model, {**self._find.metadata, KEY: fields})
        smaller = model.SerializeToString(deterministic=True)
        return Recognizer(smaller, name=self._name, threads=self._threads)

    @property
    def form(self) -> str:
        """How the weights are stored in the file."""
        return str(self._fields.get("weights", "float32"))

    def identify(self, photo: PhotoSource) -> list[Face]:
        """Return the faces of a photo, best detection first, each named or unknown.

        Args:
            photo: a path, the bytes of a file, a (H, W, 3) uint8 RGB array, a PIL image or a
                `Photo`. EXIF orientation is applied to all but arrays.

        Raises:
            PhotoError: it cannot be read.
            NotARecognizer: the file's graph gives answers that do not fit its people.
        """
        opened = open_photo(photo, long_side=self.max_long_side)
        boxes, points, scores, crops = self._find.run(*FOUND, image=opened.pixels)
        if crops.ndim != 4 or len(crops) > self.about.settings.max_faces:
            raise unreadable(self._name, "it finds more faces than its settings allow")
        (vectors,) = self._embed.run_rows("embeddings", crops=crops)
        rows = self._compare.run(*COMPARED, embeddings=vectors)
        if not fits_people((boxes, points, scores, crops, vectors, *rows), len(self.people)):
            raise unreadable(self._name, "its answers do not fit its people")
        try:
            found = Detections(boxes, points, scores)
            embedded = EmbeddedPhoto(opened, found, crops, Embeddings(vectors, self.contract))
        except (TypeError, ValueError) as error:
            raise unreadable(self._name, "its answers are not those of a recognizer") from error
        return faces_of(embedded, answers_of(rows, self.people, rates=self._rates))

    def _rates(self, similarities: NDArray[np.float32]) -> NDArray[np.float64] | None:
        if self.statistics is None or self.statistics.impostors is None:
            return None
        counts = np.array(self._learned.photos, np.int64)
        return self.statistics.impostors.false_positive_rates(
            similarities - self.policy.shift, counts
        )

    @cached_property
    def statistics(self) -> EmbedderStatistics | None:
        """What is known of the embedder's similarities; None where nothing is.

        A file made before statistics were stored in files takes them from the embedder's card.
        """
        if self._statistics is not None:
            return self._statistics
        try:
            from mien.models.cards import card  # noqa: PLC0415
        except ImportError:  # a deployment has no cards
            return None
        try:
            found = card(self.about.embedder.id)
        except ModelError:
            return None
        if found.sha256 != self.about.embedder.sha256:
            return None
        return found.statistics_for(self.contract)

    @property
    def max_long_side(self) -> int:
        """The long side in pixels that a photo may be read at: `long_side` of `read_photo`."""
        return self.about.settings.max_long_side

    def engine(self, *, threads: int = 0) -> RecognizerEngine:
        """Return the file's models as separate stages, for batches of photos.

        Args:
            threads: how many threads one call may use; 0 for as many as there are cores.

        Raises:
            NotARecognizer: the file's graph has no such stages.
        """
        from mien.engine import RecognizerEngine  # noqa: PLC0415

        try:
            return RecognizerEngine(
                self._model,
                contract=self.contract,
                settings=self.about.settings,
                statistics=self.statistics,
                threads=threads,
            )
        except (ValueError, LookupError) as error:
            raise unreadable(self._name, f"its stages cannot be separated: {error}") from error

    @property
    def weights(self) -> tuple[Weights, Weights]:
        """What the file says of its detector's and its embedder's weights."""
        return self.about.detector, self.about.embedder

    @property
    def training(self) -> Mapping[str, Any]:
        """The training report: what was tried and chosen, threshold, warnings."""
        return deepcopy(self.about.measured)

    @property
    def policy(self) -> Policy:
        """When a face is given a name."""
        return self._learned.policy

    @cached_property
    def head(self) -> Head:
        """What was learned, read back from the file.

        Raises:
            NotARecognizer: the file is damaged.
        """
        import onnx  # noqa: PLC0415

        initializers = onnx.load_from_string(self._model).graph.initializer
        return stored_head(initializers, self._learned, self._name)

    def to_bytes(self) -> bytes:
        """Return the file."""
        return self._model

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self._model)

    def info(self) -> dict[str, Any]:
        """Return the file's metadata and size as JSON values."""
        return {**deepcopy(self._fields), "bytes": self.size}

    def to_dict(self) -> dict[str, Any]:
        """Return `info()`: the metadata as JSON values."""
        return self.info()

    def _repr_html_(self) -> str:
        from mien.recognizer.notebook import recognizer_html  # noqa: PLC0415

        return recognizer_html(self.people, self.policy, self.about)

    def __repr__(self) -> str:
        people = count(len(self.people), "person", "people")
        return f"<Recognizer {people}, unknown below {self.policy.threshold:.3f}>"


def stored_head(initializers: Iterable[TensorProto], learned: LearnedFields, name: str) -> Head:
    """Return what was learned, with the prototypes that a graph stores.

    Args:
        initializers: of the file's graph.
        learned: from the file's metadata.
        name: what to call the file in an error.

    Raises:
        NotARecognizer: the file is damaged.
    """
    from onnx import numpy_helper  # noqa: PLC0415

    tensors = list(initializers)
    stored = [tensor for tensor in tensors if tensor.name.startswith(_PROTOTYPES)]
    rejected = [tensor for tensor in tensors if tensor.name.startswith(_NEGATIVES)]
    if len(stored) != 1 or len(rejected) != bool(learned.negative_of):
        raise unreadable(name, "it has no prototypes")
    try:
        return Head(
            kind=learned.kind,
            people=learned.people,
            prototypes=np.ascontiguousarray(numpy_helper.to_array(stored[0]).T),
            photos=np.array(learned.photos, np.int64),
            contract=learned.contract,
            calibration=learned.calibration,
            policy=learned.policy,
            negatives=np.ascontiguousarray(numpy_helper.to_array(rejected[0]).T)
            if rejected
            else np.zeros((0, 0), np.float32),
            negative_of=np.array(learned.negative_of, np.int64),
        )
    except (TypeError, ValueError) as error:
        raise unreadable(name, "its prototypes are damaged") from error
