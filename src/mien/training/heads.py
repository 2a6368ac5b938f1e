"""Heads: one unit row per person, from photos of the people."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.measures.templates import sums_by_person, unit_rows
from mien.training.samples import Samples
from mien.types import Progress, silent

Kind = Literal["prototype", "softmax", "margin"]

_BATCH = 512
_LEAST_STEPS = 60
_MARGIN_EPOCHS = 3
_SOFTMAX_EPOCHS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The rows of a trained head.

    Attributes:
        rows: (P, D) float32 unit rows.
        loss: mean loss of each epoch; empty for prototypes.
    """

    rows: NDArray[np.float32]
    loss: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """Kind and settings of a head.

    Attributes:
        kind: prototype, softmax or margin.
        discount: strength of within-class covariance normalisation of the prototypes that the
            head consists of or starts from; 0 for none. See `fit_prototype`.
    """

    kind: Kind
    discount: float = 0.0

    @property
    def epochs(self) -> int:
        """Number of training epochs; 0 for prototypes."""
        return {"prototype": 0, "margin": _MARGIN_EPOCHS, "softmax": _SOFTMAX_EPOCHS}[self.kind]

    def fit(self, samples: Samples, *, seed: int = 0, progress: Progress = silent) -> Fit:
        """Return the head trained on these photos."""
        start = fit_prototype(samples, discount=self.discount)
        if self.kind == "margin":
            return fit_margin(samples, start.rows, seed=seed, progress=progress)
        if self.kind == "softmax":
            return fit_softmax(samples, start.rows, seed=seed, progress=progress)
        return start

    def __str__(self) -> str:
        return self.kind + (f", discount {self.discount:g}" if self.discount else "")


def fit_prototype(samples: Samples, *, discount: float = 0.0) -> Fit:
    """Return the quality-weighted mean of crops and mirrored crops, per person.

    With a discount t > 0 the mean m becomes (I + t W)⁻¹ m, which shrinks the directions in which
    photos of one person differ (light, pose, age). W is the pooled within-person covariance,
    scaled to trace D.

    Args:
        samples: photos of P people.
        discount: t, at least 0. Ignored if no person has two photos.

    Source: within-class covariance normalisation, A. Hatch et al., Interspeech 2006; shrunk as in
    J. Friedman, "Regularized discriminant analysis", JASA 84 (1989).
    """
    sums = sums_by_person(samples.means, samples.weights, samples.labels, samples.people)
    rows = unit_rows(sums)
    within = _within(samples) if discount > 0 else None
    if within is not None:
        shrink = np.eye(rows.shape[1]) + discount * within
        rows = unit_rows(np.linalg.solve(shrink, rows.T).T.astype(np.float64))
    return Fit(rows.astype(np.float32))


def _within(samples: Samples) -> NDArray[np.float64] | None:
    """Return W of `fit_prototype`, or None if no person has two different photos."""
    counts = samples.counts
    several = counts[samples.labels] > 1
    ones = np.ones(len(samples), np.float32)
    sums = sums_by_person(samples.faces, ones, samples.labels, samples.people)
    means = sums / counts[:, None]
    deviations = (samples.faces - means[samples.labels])[several]
    if not len(deviations):
        return None
    # Bessel's correction: the mean of n photos contains 1/n of each photo.
    n = counts[samples.labels][several]
    deviations *= np.sqrt(n / (n - 1))[:, None]
    scatter = deviations.T @ deviations
    trace = float(np.trace(scatter))
    if trace <= 0:
        return None
    result: NDArray[np.float64] = scatter * (len(scatter) / trace)
    return result


def fit_margin(
    samples: Samples,
    start: NDArray[np.float32],
    *,
    scale: float = 16.0,
    margin: float = 0.3,
    rate: float = 0.02,
    seed: int = 0,
    progress: Progress = silent,
) -> Fit:
    """Return rows trained with a cosine margin between each person and all others (CosFace).

    Minimises the cross-entropy of softmax(scale · (cosine - margin · [own person])) over unit
    rows, by stochastic gradient descent with momentum 0.9. The embeddings are fixed.

    Args:
        samples: photos of P people.
        start: (P, D) float32 unit rows to start from.
        scale: s of the paper.
        margin: m of the paper, in cosine.
        rate: learning rate, for the sum over a batch.
        seed: random seed of the order of the photos.
        progress: called after each epoch.

    Source: H. Wang et al., "CosFace", CVPR 2018, on frozen embeddings.
    """
    rows, speed = start.copy(), np.zeros_like(start)
    faces, generator, loss = samples.means, np.random.default_rng(seed), []
    epochs = _epochs(_MARGIN_EPOCHS, len(samples))
    for epoch in range(epochs):
        total = 0.0
        for batch in _batches(len(samples), generator):
            logits = faces[batch] @ rows.T
            logits[np.arange(len(batch)), samples.labels[batch]] -= np.float32(margin)
            logits *= np.float32(scale)
            total += _softmax_residual(logits, samples.labels[batch])
            slope = logits.T @ faces[batch]
            slope -= np.sum(slope * rows, axis=1, keepdims=True) * rows
            speed *= np.float32(0.9)
            speed += slope
            rows -= np.float32(rate) * speed
            rows = unit_rows(rows)
        loss.append(total / len(samples))
        progress(epoch + 1, epochs, "margin head")
    return Fit(rows, tuple(loss))


def fit_softmax(
    samples: Samples,
    start: NDArray[np.float32],
    *,
    scale: float = 16.0,
    rate: float = 0.05,
    decay: float = 1e-4,
    seed: int = 0,
    progress: Progress = silent,
) -> Fit:
    """Return the rows, scaled to length 1, of a linear softmax classifier without offsets.

    Trained on crops and mirrored crops with AdamW, from `scale` times the start rows.

    Args:
        samples: photos of P people.
        start: (P, D) float32 unit rows to start from.
        scale: length of the rows at the start.
        rate: learning rate.
        decay: decoupled weight decay per step (AdamW).
        seed: random seed of the order of the photos.
        progress: called after each epoch.

    Source: D. Kingma and J. Ba, "Adam", ICLR 2015; I. Loshchilov and F. Hutter, ICLR 2019.
    """
    weights = start * np.float32(scale)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    faces = np.concatenate([samples.faces, samples.mirrored])
    labels = np.concatenate([samples.labels, samples.labels])
    generator, loss, step = np.random.default_rng(seed), [], 0
    epochs = _epochs(_SOFTMAX_EPOCHS, len(labels))
    for epoch in range(epochs):
        total = 0.0
        for batch in _batches(len(labels), generator):
            step += 1
            logits = faces[batch] @ weights.T
            total += _softmax_residual(logits, labels[batch])
            slope = (logits.T @ faces[batch]) / np.float32(len(batch))
            first += np.float32(0.1) * (slope - first)
            second += np.float32(0.001) * (slope * slope - second)
            size = np.sqrt(second / np.float32(1 - 0.999**step)) + np.float32(1e-8)
            weights -= np.float32(rate) * (first / np.float32(1 - 0.9**step)) / size
            weights *= np.float32(1 - rate * decay)
        loss.append(total / len(labels))
        progress(epoch + 1, epochs, "softmax head")
    return Fit(unit_rows(weights), tuple(loss))


def _epochs(wanted: int, photos: int) -> int:
    """Return the number of epochs; more for few photos, so that there are enough steps."""
    return max(wanted, ceil(_LEAST_STEPS / ceil(photos / _BATCH)))


def _batches(photos: int, generator: np.random.Generator) -> list[NDArray[np.int64]]:
    order = generator.permutation(photos)
    return [order[start : start + _BATCH] for start in range(0, photos, _BATCH)]


def _softmax_residual(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Replace logits by softmax minus target, in place; return the summed cross-entropy."""
    rows = np.arange(len(labels))
    logits -= logits.max(axis=1, keepdims=True)
    own = logits[rows, labels].astype(np.float64)
    np.exp(logits, out=logits)
    total = logits.sum(axis=1, keepdims=True)
    loss = float(np.sum(np.log(total[:, 0].astype(np.float64)) - own))
    logits /= total
    logits[rows, labels] -= 1
    return loss
