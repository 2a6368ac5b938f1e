"""Read the fields of a card one by one, so that every error names the key; write statistics."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from mien.errors import InvalidCard
from mien.models.statistics import EmbedderStatistics, GenuineStatistics, ImpostorStatistics

Choice = TypeVar("Choice", bound=str)

_REQUIRED: Any = object()
_TABLES = ("statistics", "impostors", "genuine", "copies", "verification")
_HEADER = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_-]+)[^,]*\]{1,2}\s*(#.*)?")
_HINT = "docs/models.md has an example card with every key."


def read_toml(text: str, name: str) -> dict[str, Any]:
    """Return the tables of a TOML text; raises InvalidCard with the wrong line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidCard(f"{name} is not TOML: {error}", hint=_HINT) from error
    except RecursionError as error:
        raise InvalidCard(f"{name} is nested too deeply", hint=_HINT) from error


class Fields:
    """One table of a card; records which keys were read, so that unknown keys are reported."""

    def __init__(self, values: dict[str, Any], name: str, prefix: str = "") -> None:
        self._values = values
        self._name = name
        self._prefix = prefix
        self._read: set[str] = set()

    def fault(self, key: str, what: str) -> InvalidCard:
        """Return the error for a wrong key."""
        return InvalidCard(f"{self._name}: {self._prefix}{key} {what}", hint=_HINT)

    def has(self, key: str) -> bool:
        """Return whether the table has the key."""
        return key in self._values

    def names(self) -> Iterable[str]:
        """Return the keys of the table, in order."""
        return tuple(self._values)

    def _get(self, key: str, default: Any) -> Any:
        self._read.add(key)
        if key in self._values:
            return self._values[key]
        if default is _REQUIRED:
            raise self.fault(key, "is missing")
        return default

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        """Return a text; a text without a default must not be blank."""
        value = self._get(key, default)
        if not isinstance(value, str):
            raise self.fault(key, "must be text")
        if default is _REQUIRED and not value.strip():
            raise self.fault(key, "must not be blank")
        return value.strip()

    def matching(self, key: str, pattern: str, meaning: str) -> str:
        """Return a text that matches a regular expression; `meaning` describes it in errors."""
        value = self.text(key)
        if not re.fullmatch(pattern, value):
            raise self.fault(key, f"must be {meaning}, not {value!r}")
        return value

    def texts(self, key: str, pattern: str, meaning: str) -> tuple[str, ...]:
        """Return a list of texts of a given form; none where the key is absent."""
        values = self._get(key, [])
        if not isinstance(values, list):
            raise self.fault(key, "must be a list of texts")
        for value in values:
            if not isinstance(value, str) or not re.fullmatch(pattern, value):
                raise self.fault(key, f"must be a list, each {meaning}, not {value!r}")
        return tuple(values)

    def choice(self, key: str, choices: tuple[Choice, ...]) -> Choice:
        """Return a text that is one of `choices`."""
        value = self.text(key)
        for known in choices:
            if value == known:
                return known
        raise self.fault(key, f"must be {' or '.join(choices)}, not {value!r}")

    def whole(self, key: str, *, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`."""
        value = self._get(key, _REQUIRED)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.fault(key, f"must be a whole number from {low} to {high}, not {value!r}")
        return value

    def number(self, key: str, default: Any = _REQUIRED) -> float:
        """Return a finite number."""
        return self._finite(key, self._get(key, default))

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of finite numbers."""
        values = self._get(key, _REQUIRED)
        if not isinstance(values, list):
            raise self.fault(key, "must be a list of numbers")
        return tuple(self._finite(key, value) for value in values)

    def _finite(self, key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fault(key, f"must be a number, not {value!r}")
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if not math.isfinite(found):
            raise self.fault(key, "must be finite")
        return found

    def table(self, key: str) -> Fields:
        """Return a table; a missing one is empty, so that an error names its first key."""
        value = self._get(key, {})
        if not isinstance(value, dict):
            raise self.fault(key, "must be a table")
        return Fields(value, self._name, f"{self._prefix}{key}.")

    def tables(self, key: str) -> list[Fields]:
        """Return an array of tables; an empty one where the key is missing."""
        values = self._get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise self.fault(key, "must be an array of tables")
        return [
            Fields(value, self._name, f"{self._prefix}{key}[{index}].")
            for index, value in enumerate(values)
        ]

    def refuse_unknown(self) -> None:
        """Raise InvalidCard where the table has a key that was not read."""
        for key in self._values:
            if key not in self._read:
                raise self.fault(key, "is not a key that a card has here")


def with_statistics(
    card: str, statistics: EmbedderStatistics, *, contract: str, measured_on: str
) -> str:
    """Return the text of a card with these statistics in place of those it had.

    Args:
        card: TOML.
        statistics: measured.
        contract: id of the embeddings that they were measured on.
        measured_on: one sentence, for the table `[verification]`.
    """
    return _without_statistics(card).rstrip() + "\n\n" + _toml(statistics, contract, measured_on)


def _without_statistics(card: str) -> str:
    kept: list[str] = []
    inside = False
    for line in card.split("\n"):
        header = _HEADER.fullmatch(line)
        if header:
            inside = header[1] in _TABLES
            while inside and kept and kept[-1].lstrip().startswith("#"):
                kept.pop()  # comments right above a table are about it
        if not inside:
            kept.append(line)
    return "\n".join(kept)


def _toml(statistics: EmbedderStatistics, contract: str, measured_on: str) -> str:
    lines = ["[statistics]", f'contract = "{contract}"']
    if statistics.impostors:
        lines += ["", "[impostors]", *_measured(statistics.impostors.measured_on)]
        lines += [f"false_match_rate = {_numbers(statistics.impostors.false_match_rate)}"]
        lines += _rows(statistics.impostors)
    if statistics.genuine:
        lines += ["", "[genuine]", *_measured(statistics.genuine.measured_on)]
        lines += [f"false_non_match_rate = {_numbers(statistics.genuine.false_non_match_rate)}"]
        lines += _rows(statistics.genuine)
    if statistics.copies:
        lines += ["", "[copies]", *_measured(statistics.copies.measured_on)]
        lines += [f"false_non_match_rate = {_numbers(statistics.copies.false_non_match_rate)}"]
        lines += [f"similarity = {_numbers(statistics.copies.similarity)}"]
    if statistics.verification:
        lines += ["", "[verification]", *_measured(measured_on)]
        lines += [f"slope = {statistics.verification.slope:.4f}"]
        lines += [f"offset = {statistics.verification.offset:.4f}"]
    return "\n".join(lines) + "\n"


def _measured(text: str) -> list[str]:
    # A JSON string is one of TOML, but for the one control character that JSON lets pass.
    quoted = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
    return [f"measured_on = {quoted}"]


def _rows(table: ImpostorStatistics | GenuineStatistics) -> list[str]:
    pairs = zip(table.template_photos, table.similarity, strict=True)
    return [f"similarity.{photos} = {_numbers(row)}" for photos, row in pairs]


def _numbers(values: Sequence[float]) -> str:
    return "[" + ", ".join(repr(value) for value in values) + "]"
