"""The metadata of a recognizer file: what it states about itself, read and checked."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from mien.errors import NotARecognizer
from mien.graph.settings import DetectionSettings
from mien.models.statistics import EmbedderStatistics
from mien.types import Calibration, Interval, Policy

if TYPE_CHECKING:
    from mien.models.cards import ModelCard

FORMAT = 1
"""Version of the metadata; a reader refuses a newer one."""

KEY = "mien"
"""Of the metadata among the ONNX file's properties."""

_MOST_PHOTOS = 1 << 31


@dataclass(frozen=True, slots=True)
class Weights:
    """What a recognizer file states about the weights inside it.

    Attributes:
        id: of the model card.
        licence: of the weights.
        publisher: who published them.
        trained_on: what the publisher says of the training photos.
        sha256: of the published file.
    """

    id: str
    licence: str
    publisher: str
    trained_on: str
    sha256: str

    def __post_init__(self) -> None:
        if not all(
            isinstance(getattr(self, field.name), str) for field in dataclasses.fields(type(self))
        ):
            raise TypeError("what a file states about weights is text")

    @classmethod
    def of(cls, card: ModelCard) -> Self:
        """Return what a card states."""
        return cls(card.id, card.licence, card.publisher, card.trained_on, card.sha256)


@dataclass(frozen=True, slots=True)
class About:
    """The metadata of a recognizer file that its graph does not need.

    Attributes:
        version: of Mien, when it was made.
        created: UTC time, ISO 8601.
        detector: the detector's weights.
        embedder: the embedder's weights.
        settings: how faces are searched for.
        dataset: digest of the dataset it was trained on, or empty.
        measured: error rates measured when it was made, by name.
    """

    version: str
    created: str
    detector: Weights
    embedder: Weights
    settings: DetectionSettings
    dataset: str
    measured: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not all(isinstance(text, str) for text in (self.version, self.created, self.dataset)):
            raise TypeError("version, time and dataset are text")
        if not isinstance(self.measured, Mapping):
            raise TypeError("measured error rates are a mapping")


@dataclass(frozen=True, slots=True)
class LearnedFields:
    """A `Head` but for its prototypes, which stay in the graph."""

    kind: str
    people: tuple[str, ...]
    photos: tuple[int, ...]
    contract: str
    calibration: Calibration
    policy: Policy
    negative_of: tuple[int, ...]

    def __post_init__(self) -> None:
        texts = (self.kind, self.contract, *self.people)
        numbers = (self.calibration.offset, self.policy.threshold, *self.photos)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("names are text")
        if not all(isinstance(number, int | float) for number in numbers):
            raise TypeError("numbers are numbers")
        if not math.isfinite(self.policy.threshold):
            raise ValueError("a threshold is finite")
        if not all(type(photos) is int and 0 <= photos < _MOST_PHOTOS for photos in self.photos):
            raise ValueError("numbers of photos are whole numbers")
        if not 0 < len(set(self.people)) == len(self.people) == len(self.photos):
            raise ValueError("each person has one name and a number of photos")
        if not all(0 <= person < len(self.people) for person in self.negative_of):
            raise ValueError("a negative belongs to a person of the file")


def read_fields(properties: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return the metadata; raises NotARecognizer where it is missing, newer or damaged."""
    try:
        fields = json.loads(properties[KEY])
        known = {"people", "photos", "kind", "contract", "calibration", "policy", "about"}
        if not (isinstance(fields, dict) and isinstance(fields["format"], int)):
            raise unreadable(name, "its metadata is damaged")
        if fields["format"] > FORMAT:
            raise unreadable(name, "a newer version of Mien wrote it")
        if not known <= fields.keys():
            raise unreadable(name, "its metadata is incomplete")
    except KeyError as error:
        raise unreadable(name, "it is an ONNX file, but Mien did not write it") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise unreadable(name, "its metadata is damaged") from error
    return fields


def read_about(fields: Mapping[str, Any], name: str) -> About:
    """Return how the file was made; raises NotARecognizer where that is damaged."""
    try:
        about = deepcopy(dict(fields["about"]))
        about["settings"] = DetectionSettings.from_dict(about["settings"])
        for model in ("detector", "embedder"):
            about[model] = Weights(**about[model])
        return About(**about)
    except (TypeError, ValueError, KeyError) as error:
        raise unreadable(name, "its metadata is damaged") from error


def read_learned(fields: Mapping[str, Any], name: str) -> LearnedFields:
    """Return the learned values but for the arrays; raises NotARecognizer where damaged."""
    try:
        policy = dict(fields["policy"])
        policy["expected"] = Interval(**policy["expected"])
        return LearnedFields(
            kind=fields["kind"],
            people=tuple(fields["people"]),
            photos=tuple(fields["photos"]),
            contract=fields["contract"],
            calibration=Calibration(**fields["calibration"]),
            policy=Policy(**policy),
            negative_of=tuple(fields.get("negative_of", ())),
        )
    except (TypeError, ValueError, KeyError) as error:
        raise unreadable(name, "its metadata is damaged") from error


def read_statistics(fields: Mapping[str, Any], name: str) -> EmbedderStatistics | None:
    """Return the embedder's statistics that the file states, or None where it states none.

    Raises:
        NotARecognizer: they are damaged.
    """
    stored = fields.get("statistics")
    try:
        return None if stored is None else EmbedderStatistics.from_dict(stored)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise unreadable(name, "the statistics of its embedder are damaged") from error


def unreadable(name: str, why: str) -> NotARecognizer:
    """Return the error for a file that is not a recognizer."""
    return NotARecognizer(
        f"{name}: {why}",
        hint="`mien.train` makes a recognizer of a dataset.",
        code="recognizer-unreadable",
    )


def now() -> str:
    """Return the current UTC time, ISO 8601, or that of `SOURCE_DATE_EPOCH`."""
    # SOURCE_DATE_EPOCH makes two trainings on the same data the same file, byte for byte.
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return moment.isoformat(timespec="seconds")
