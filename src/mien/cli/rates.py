"""Numbers between 0 and 1 on the command line."""

from __future__ import annotations

import math
from typing import Any

import click

LEAST_RATE = 1e-9
"""The smallest rate that an option takes: one in a billion."""


class Share(click.FloatRange):
    """Option type: a number between 0 and 1, both excluded; NaN is refused.

    Args:
        least: the smallest number allowed; 0 for any above 0.
    """

    def __init__(self, least: float = 0.0) -> None:
        super().__init__(least, 1, min_open=least == 0, max_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the number; fail with a usage error if it is out of range."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number between 0 and 1.", param, ctx)
        return number
