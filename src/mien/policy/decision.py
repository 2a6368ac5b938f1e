"""A threshold and the probabilities that go with it: no name is less likely than not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mien.models.statistics import ImpostorStatistics
from mien.policy.evidence import PolicyChoice
from mien.policy.own_people import OwnPeople
from mien.policy.probability import CalibrationFit
from mien.policy.strangers import Strangers
from mien.policy.threshold import choose_policy
from mien.text import Notice

_NOTICEABLE = 0.005
"""A threshold raised by less, in cosine, is not worth a word."""


def decide(
    strangers: Sequence[Strangers],
    counts: NDArray[np.int64],
    rate: float,
    fit: Callable[[float], CalibrationFit],
    *,
    own: OwnPeople | None = None,
    statistics: ImpostorStatistics | None = None,
    plain: bool = True,
    confidence: float | None = None,
) -> tuple[PolicyChoice, CalibrationFit]:
    """Choose the threshold of a rate, and raise it to where a name has even odds.

    Args:
        strangers: as for `choose_policy`, like all the others.
        counts: number of photos of each prototype.
        rate: FPIR requested.
        fit: from the threshold of the rate to the calibration.
        own: the gallery's own people.
        statistics: impostor statistics of the embedder.
        plain: whether the prototypes are plain means.
        confidence: that the rate holds.

    Raises:
        ValueError: as `choose_policy`.
        TooFewPeople: as `choose_policy`.
    """

    def choose(least: float) -> PolicyChoice:
        return choose_policy(
            strangers, counts, rate,
            own=own, statistics=statistics, plain=plain, confidence=confidence, least=least,
        )  # fmt: skip

    choice = choose(-1.0)
    calibration = fit(choice.policy.threshold)
    even = -calibration.calibration.offset / calibration.calibration.slope
    asked = choice.policy.threshold
    if even <= asked or even > 1:
        return choice, calibration
    choice = choose(even)
    if even > asked + _NOTICEABLE:
        notice = Notice(
            "threshold-of-even-odds",
            f"The rate would have allowed names from a similarity of {asked:.3f}; below "
            f"{even:.3f} a name would be less likely than not, so that none is given.",
            {"threshold_of_rate": asked, "threshold": even},
        )
        choice = replace(choice, warnings=(*choice.warnings, notice))
    return choice, calibration
