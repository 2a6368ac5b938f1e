"""Confidence intervals: Wilson's for rates, the bootstrap over people for other statistics."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, exp, floor, lgamma, log, log1p, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mien.types import Interval


def wilson(successes: int, total: int, level: float = 0.95) -> Interval:
    """Return the share `successes / total` with Wilson's score interval.

    Without any trial the value is nan and the interval [0, 1].

    Args:
        successes: number of successes, 0 to `total`.
        total: number of independent trials.
        level: confidence level of the two-sided interval, between 0 and 1.

    Raises:
        ValueError: the counts or the level are out of range.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927).
    """
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} of {total} is not a share")
    if not 0 < level < 1:
        raise ValueError(f"a confidence level must lie between 0 and 1, got {level}")
    if total == 0:
        return Interval(float("nan"), 0.0, 1.0, level)
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / total
    shrink = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    half = z / shrink * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == total else min(1.0, centre + half)
    return Interval(share, low, high, level)


def wilson_of_parts(successes: float, total: int, level: float = 0.95) -> Interval:
    """Return a share with Wilson's interval, where trials may be partial successes.

    A stranger with one photo of three given a name is a third of a success. Each end of the
    interval rounds the sum of successes outwards, so that the interval is not too narrow.

    Args:
        successes: sum of the successes, 0 to `total`.
        total: number of independent trials.
        level: confidence level.

    Raises:
        ValueError: as for `wilson`.
    """
    # The small addition absorbs rounding errors, such as of 1/3 + 1/3 + 1/3.
    low = wilson(floor(successes + 1e-9), total, level)
    if total == 0:
        return low
    high = wilson(min(total, ceil(successes - 1e-9)), total, level)
    return Interval(min(1.0, successes / total), low.low, high.high, level)


def binomial_quantile(trials: int, rate: float, share: float) -> int:
    """Return the least number of successes that a share of samples does not exceed.

    Args:
        trials: number of independent trials.
        rate: probability of a success, in [0, 1].
        share: of the samples, in (0, 1).
    """
    if rate in {0.0, 1.0}:
        return round(rate * trials)
    at_most, successes = 0.0, -1
    while at_most < share and successes < trials:
        successes += 1
        chance = lgamma(trials + 1) - lgamma(successes + 1) - lgamma(trials - successes + 1)
        at_most += exp(chance + successes * log(rate) + (trials - successes) * log1p(-rate))
    return successes


def bootstrap_mean(
    values: ArrayLike,
    people: ArrayLike,
    *,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the mean of `values` with a percentile interval from resampling people.

    Results on photos of one person are correlated: an interval that treats them as independent is
    too narrow. Here whole people are resampled.

    Args:
        values: (N,), one value per photo (0 or 1 for a rate).
        people: (N,) labels of any type: the person of each photo.
        rounds: number of resamples.
        level: confidence level of the two-sided interval.
        seed: random seed of the resampling.

    Raises:
        ValueError: the lengths differ, or there is no value.

    Source: B. Efron and R. Tibshirani, "An Introduction to the Bootstrap" (1993), ch. 13;
    resampling subjects: R. M. Bolle et al., "Error analysis of pattern recognition systems: the
    subsets bootstrap", CVIU 93 (2004).
    """
    array = np.asarray(values, np.float64)
    codes, count = _codes(people, len(array))
    # Sorted within a person, so that the order of the photos does not change the sums at all.
    order = np.lexsort((array, codes))
    sums = np.bincount(codes[order], weights=array[order], minlength=count)
    sizes = np.bincount(codes, minlength=count).astype(np.float64)
    # Sorted by results, so that the names of people do not change the resamples either.
    rank = np.lexsort((sizes, sums))
    sums, sizes = sums[rank], sizes[rank]
    generator = np.random.default_rng(seed)
    means = np.empty(rounds)
    for start in range(0, rounds, 100):
        size = min(100, rounds - start)
        drawn = generator.integers(0, count, (size, count))
        means[start : start + size] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(sums.sum() / sizes.sum()), float(low), float(high), level)


def rate_over_people(
    values: ArrayLike,
    people: ArrayLike,
    *,
    rounds: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return the mean of values in [0, 1], as `bootstrap_mean`, with an interval of some width.

    Where all people give the same, resampling them gives an interval without width, as if nothing
    else could come. The interval is therefore the wider of that one and Wilson's over people.

    Args:
        values: (N,) in [0, 1], one per photo.
        people: (N,) labels of any type: the person of each photo.
        rounds: number of resamples.
        level: confidence level of the two-sided interval.
        seed: random seed of the resampling.

    Raises:
        ValueError: the lengths differ, or there is no value.
    """
    found = bootstrap_mean(values, people, rounds=rounds, level=level, seed=seed)
    return at_least_wilson(found, len(np.unique(np.asarray(people))))


def at_least_wilson(found: Interval, people: int) -> Interval:
    """Return a rate whose interval is at least as wide as Wilson's over so many people."""
    plain = wilson_of_parts(found.value * people, people, found.level)
    return Interval(
        found.value, min(found.low, plain.low), max(found.high, plain.high), found.level
    )


def bootstrap_over_people(
    statistic: Callable[[NDArray[np.int64]], float],
    people: ArrayLike,
    *,
    rounds: int = 200,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Return any statistic with a percentile interval from resampling people.

    Args:
        statistic: takes the row numbers of one resample (with repeats) and returns a number.
        people: (N,) labels of any type: the person of each row.
        rounds: number of resamples; each calls `statistic` once.
        level: confidence level of the two-sided interval.
        seed: random seed of the resampling.

    Raises:
        ValueError: there is no row.

    Source: as for `bootstrap_mean`.
    """
    codes, count = _codes(people, None)
    order = np.argsort(codes, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(codes, minlength=count))[:-1])
    generator = np.random.default_rng(seed)
    found = np.empty(rounds)
    for index in range(rounds):
        drawn = generator.integers(0, count, count)
        found[index] = statistic(np.concatenate([rows[person] for person in drawn]))
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    whole = statistic(np.arange(len(codes), dtype=np.int64))
    return Interval(float(whole), float(low), float(high), level)


def _codes(people: ArrayLike, length: int | None) -> tuple[NDArray[np.int64], int]:
    """Return the number of each row's person, from 0, and the number of people."""
    labels = np.asarray(people)
    if length is not None and len(labels) != length:
        raise ValueError(f"{length} values and {len(labels)} labels")
    if not len(labels):
        raise ValueError("nothing to resample")
    names, codes = np.unique(labels, return_inverse=True)
    return codes.astype(np.int64), len(names)
