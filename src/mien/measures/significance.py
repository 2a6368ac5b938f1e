"""Significance test for two recognizers on the same probes."""

from __future__ import annotations

from math import lgamma, log

import numpy as np
from numpy.typing import NDArray


def mcnemar(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the two-sided p-value of McNemar's exact test of equal accuracy.

    Only probes on which exactly one recognizer is right are informative; under the hypothesis each
    of them is a fair coin toss.

    Args:
        a: (N,) bool, whether the first recognizer is right on each probe.
        b: (N,) bool, whether the second is right on the same probes.

    Raises:
        ValueError: the lengths differ.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated
    proportions or percentages", Psychometrika 12 (1947); exact binomial form.
    """
    if a.shape != b.shape:
        raise ValueError(f"the probes differ: {a.shape} and {b.shape}")
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    n, least = only_a + only_b, min(only_a, only_b)
    logs = np.array([lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) for k in range(least + 1)])
    return min(1.0, 2 * float(np.exp(logs - n * log(2)).sum()))
