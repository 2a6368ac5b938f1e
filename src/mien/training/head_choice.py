"""Choice of the head by cross-validation on the training side."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mien.measures import mcnemar, wilson
from mien.measures.templates import FEW, nearest_few
from mien.training.heads import Kind, Recipe
from mien.training.samples import Samples
from mien.types import Interval, Progress, silent

DISCOUNTS = (0.0, 0.5, 2.0)

SIGNIFICANT = 0.05
"""Significance level at which a recipe replaces a simpler one."""

_MOST_WORK = 2.0e11
"""Multiply-adds allowed for cross-validating one recipe in `auto`: about 15 s on two cores."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutScores:
    """Search results of held-out photos, each in a head trained without it.

    Attributes:
        similarities: (H, K) float32, to the most similar people, best first.
        correct: (H,) bool, whether that is the right person.
    """

    similarities: NDArray[np.float32]
    correct: NDArray[np.bool_]

    @property
    def rank1(self) -> Interval:
        """Rank-1 rate, with Wilson's interval."""
        return wilson(int(self.correct.sum()), len(self.correct))


@dataclass(frozen=True, slots=True, eq=False)
class HeadChoice:
    """The chosen recipe, and the cross-validation.

    Attributes:
        recipe: the chosen recipe.
        held_out: its cross-validation results; None if no person has two photos.
        tried: each recipe that was tried and its rank-1 rate, simplest first.
        skipped: recipes that were not tried, and the reason.
    """

    recipe: Recipe
    held_out: HeldOutScores | None
    tried: tuple[tuple[Recipe, Interval], ...] = ()
    skipped: tuple[tuple[Recipe, str], ...] = field(default=())


def choose_head(
    samples: Samples, kind: Kind | None = None, *, seed: int = 0, progress: Progress = silent
) -> HeadChoice:
    """Choose a recipe by the rank-1 rate in cross-validation.

    Photos of people with two or more photos are held out in turn; people with one photo stay in
    the gallery. A recipe replaces a simpler one only if it is significantly better on the same
    photos (McNemar's exact test). A learned head starts from the prototypes chosen this way.

    Args:
        samples: photos of the training side.
        kind: kind of head; None to choose it too.
        seed: random seed of the folds and of the fits.
        progress: called after each recipe.
    """
    folds = photo_folds(samples, seed)
    if not np.any(folds >= 0):
        return HeadChoice(Recipe(kind or "prototype"), None)
    work = len(samples) * samples.people * samples.faces.shape[1] * (folds.max() + 1)
    learned: tuple[Kind, ...] = ("margin", "softmax") if kind is None else (kind,)
    found: list[tuple[Recipe, HeldOutScores]] = []
    skipped: list[tuple[Recipe, str]] = []
    total = len(DISCOUNTS) + sum(name != "prototype" for name in learned)

    def attempt(recipe: Recipe) -> None:
        found.append((recipe, cross_validate(recipe, samples, folds, seed=seed)))
        progress(len(found), total, "choosing a head")

    for discount in DISCOUNTS:
        attempt(Recipe("prototype", discount))
    best = _simplest_as_good(found)[0]
    for name in learned:
        recipe = Recipe(name, best.discount)
        if kind is None and 2 * recipe.epochs * work > _MOST_WORK * _views(name):
            skipped.append((recipe, "too much work for auto"))
        elif name != "prototype":
            attempt(recipe)
    tried = tuple((recipe, shown.rank1) for recipe, shown in found)
    allowed = [pair for pair in found if kind in {None, pair[0].kind}]
    recipe, shown = _simplest_as_good(allowed)
    return HeadChoice(recipe, shown, tried, tuple(skipped))


def _simplest_as_good(found: list[tuple[Recipe, HeldOutScores]]) -> tuple[Recipe, HeldOutScores]:
    """Return the first recipe, unless a later one is significantly better."""
    chosen = found[0]
    for other in found[1:]:
        better = int(other[1].correct.sum()) > int(chosen[1].correct.sum())
        if better and mcnemar(other[1].correct, chosen[1].correct) < SIGNIFICANT:
            chosen = other
    return chosen


def _views(kind: Kind) -> float:
    """Return the share of the work budget: the softmax head uses two views of each photo."""
    return 0.5 if kind == "softmax" else 1.0


def photo_folds(samples: Samples, seed: int) -> NDArray[np.int64]:
    """Return each photo's fold, or -1 for the only photo of a person.

    Whichever fold is held out, each person keeps a photo. There are ten folds for up to 2,000
    photos, else three.
    """
    count = 10 if len(samples) <= 2000 else 3
    generator = np.random.default_rng(seed)
    folds = np.full(len(samples), -1, np.int64)
    order = np.argsort(samples.labels, kind="stable")
    for rows in np.split(order, np.cumsum(samples.counts)[:-1]):
        if len(rows) > 1:
            first = generator.integers(count)
            folds[generator.permutation(rows)] = (first + np.arange(len(rows))) % count
    return folds


def cross_validate(
    recipe: Recipe, samples: Samples, folds: NDArray[np.int64], *, seed: int = 0
) -> HeldOutScores:
    """Return the search results of each fold in a head trained on the other folds."""
    similarities = np.zeros((len(samples), min(FEW, samples.people)), np.float32)
    correct = np.zeros(len(samples), np.bool_)
    for fold in range(int(folds.max()) + 1):
        probes = folds == fold
        if not probes.any():
            continue
        rows = recipe.fit(samples.take(~probes), seed=seed).rows
        similarities[probes], who = nearest_few(samples.faces[probes], rows)
        correct[probes] = who == samples.labels[probes]
    shown = folds >= 0
    return HeldOutScores(similarities[shown], correct[shown])
