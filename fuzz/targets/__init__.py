"""The targets: what reads bytes from outside, each called as the program calls it.

A target ends in an answer or in a `MienError`. Anything else is a finding.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

NAMES = ("photos", "archives", "recognizers", "exports", "forms", "bodies")


@dataclass(frozen=True, slots=True)
class Target:
    """What a module of this folder states.

    Attributes:
        run: reads one input, and raises nothing but a MienError.
        instrumented: packages and modules whose branches steer the search.
        tokens: pieces of text that inputs of this kind are made of.
        longest: bytes of an input.
        seconds: of processor time that an input may take.
    """

    run: Callable[[bytes], object]
    instrumented: Sequence[str]
    tokens: Sequence[bytes]
    longest: int
    seconds: float = 2.0


def load(name: str) -> Target:
    """Return a target; the modules that it tests are imported now."""
    return _module(name).target()


def instrumented(name: str) -> tuple[str, ...]:
    """Return the modules that a target wants instrumented, before they are imported."""
    return tuple(_module(name).INSTRUMENTED)


def mutation(name: str) -> Callable[[bytes, random.Random], bytes] | None:
    """Return what changes an input of a target in its own form; None where nothing does."""
    found: Callable[[bytes, random.Random], bytes] | None
    found = getattr(_module(name), "changed", None)
    return found


def seeds(name: str) -> Mapping[str, bytes]:
    """Return the first inputs of a target, by file name; made from nothing."""
    found: Mapping[str, bytes] = import_module(f"fuzz.seeds.{name}").seeds()
    return found


def _module(name: str) -> Any:
    if name not in NAMES:
        raise ValueError(f"no target {name!r}: there are {', '.join(NAMES)}")
    return import_module(f"fuzz.targets.{name}")
