"""Two recognizers on the same probes: whether one is better or was only luckier."""

from __future__ import annotations

from math import lgamma, log

import numpy as np
from numpy.typing import NDArray


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the two-sided p-value of "both are right equally often", exactly.

    Only probes on which one is right and the other wrong say anything: of n such, each is a
    fair coin under the hypothesis.

    Args:
        a: (N,) bool, whether the first was right on each probe.
        b: (N,) bool, the second on the same probes.

    Raises:
        ValueError: they are not of one length.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12 (1947); exact binomial form.
    """
    if a.shape != b.shape:
        raise ValueError(f"the probes differ: {a.shape} and {b.shape}")
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    n, least = only_a + only_b, min(only_a, only_b)
    logs = np.array([lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in range(least + 1)])
    return min(1.0, 2 * float(np.exp(logs - n * log(2)).sum()))
