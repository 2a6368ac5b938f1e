"""Numbers between 0 and 1 on the command line."""

from __future__ import annotations

import math
from typing import Any

import click

LEAST_RATE = 1e-9
"""No rate below one in a billion can be measured or meant."""


class Share(click.FloatRange):
    """A number between 0 and 1, neither of them; what is not a number is refused, too.

    Args:
        least: the smallest that makes sense.
    """

    def __init__(self, least: float = 0.0) -> None:
        super().__init__(least, 1, min_open=least == 0, max_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; a usage error where it lies outside."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number between 0 and 1.", param, ctx)
        return number
