"""Change a value of a JSON text: bytes changed at random seldom leave JSON whole."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from typing import Any

_VALUES: tuple[Any, ...] = (
    None, True, False, "", "a", "\0", "\ud800", "Ada", "0123456789ab", "../", [], {}, [[]], 0, -1,
    0.5, 1, 2, 3, 1e308, float("inf"), float("nan"), 1 << 33, 1 << 70, ["Ada"], [1], {"a": 1},
)  # fmt: skip


def changed_json(text: str | bytes, rng: random.Random) -> str | None:
    """Return a JSON text with one or two values changed or dropped; None where it is none."""
    try:
        fields = json.loads(text)
        for _ in range(rng.randint(1, 2)):
            _change(fields, rng)
        return json.dumps(fields, separators=(",", ":"))
    except (ValueError, RecursionError):
        return None


def _change(fields: Any, rng: random.Random) -> None:
    holder, key = None, None
    inside = fields
    while isinstance(inside, dict | list) and inside:
        holder = inside
        key = rng.choice(list(inside)) if isinstance(inside, dict) else rng.randrange(len(inside))
        if rng.random() < 0.3:
            break
        inside = holder[key]
    if holder is None:
        return
    what = rng.random()
    if what < 0.2:
        del holder[key]
    elif what < 0.3 and isinstance(holder, list):
        holder.append(deepcopy(holder[key]))
    elif what < 0.4 and isinstance(holder, dict):
        holder[str(rng.choice(_VALUES))] = deepcopy(holder[key])
    else:
        holder[key] = deepcopy(rng.choice(_VALUES))
