"""Charts as inline SVG; colours come from the style sheet of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10

import numpy as np
from numpy.typing import ArrayLike

from mien.html import Html, join, tag

WIDTH, HEIGHT = 420.0, 270.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 12.0, 12.0, 40.0

Tick = tuple[float, str]


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale from values to positions on the chart.

    Attributes:
        low: value at the start.
        high: value at the end.
        ticks: values and their labels.
        title: title of the axis.
        log: whether the scale is logarithmic.
    """

    low: float
    high: float
    ticks: tuple[Tick, ...]
    title: str
    log: bool = False

    def at(self, value: float) -> float:
        """Return the position of a value, 0 at the start and 1 at the end; clipped."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = log10(max(value, low)), log10(low), log10(high)
        return min(1.0, max(0.0, (value - low) / (high - low)))


def rate_axis(low: float, high: float, title: str) -> Axis:
    """Return a linear axis of a share, with ticks in percent at round steps.

    Args:
        low: lowest value to show, in [0, 1].
        high: highest value to show.
        title: title of the axis.
    """
    # A range below 0.2 % would show noise only.
    low = max(0.0, min(low, high - 0.002))
    high = max(high, low + 0.002)
    reach = high - low
    power = 10.0 ** floor(log10(reach / 4))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if reach / (m * power) <= 5)
    start, end = floor(low / step + 1e-9) * step, high
    places = np.arange(start, end + step / 2, step)
    digits = next(d for d in range(9) if abs(round(100 * step, d) - 100 * step) < 1e-9)
    ticks = tuple((float(p), f"{100 * p:.{digits}f} %") for p in places)
    return Axis(float(start), max(float(end), float(places[-1])), ticks, title)


def log_axis(low: float, title: str) -> Axis:
    """Return a logarithmic axis of a rate, from the power of ten at or below `low` to 1."""
    first = floor(log10(low) + 1e-9)
    ticks = tuple((10.0**e, f"{100 * 10.0**e:g} %") for e in range(first, 1))
    return Axis(10.0**first, 1.0, ticks, title, log=True)


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart area with two axes."""

    x: Axis
    y: Axis

    def px(self, value: float) -> float:
        """Return the horizontal position of a value."""
        return _LEFT + self.x.at(value) * (WIDTH - _LEFT - _RIGHT)

    def py(self, value: float) -> float:
        """Return the vertical position of a value."""
        return HEIGHT - _BOTTOM - self.y.at(value) * (HEIGHT - _TOP - _BOTTOM)

    def draw(self, description: str, *marks: Html) -> Html:
        """Return the chart: axes and marks.

        Args:
            description: the chart in one sentence, for screen readers.
            marks: results of the other methods.
        """
        return tag(
            "svg",
            tag("title", description),
            self._grid(),
            *marks,
            viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
            role="img",
            class_="chart",
        )

    def line(self, xs: ArrayLike, ys: ArrayLike, class_: str) -> Html:
        """Return a curve through points."""
        return tag("polyline", points=self._points(xs, ys), class_=f"line {class_}")

    def band(self, xs: ArrayLike, low: ArrayLike, high: ArrayLike, class_: str) -> Html:
        """Return the area between two curves."""
        places = np.asarray(xs, np.float64)
        around = np.concatenate([places, places[::-1]])
        edge = np.concatenate([np.asarray(high, np.float64), np.asarray(low, np.float64)[::-1]])
        return tag("polygon", points=self._points(around, edge), class_=f"band {class_}")

    def dot(self, x: float, y: float, class_: str, label: str) -> Html:
        """Return a point with a tooltip `label`."""
        place = {"cx": self.px(x), "cy": self.py(y), "r": 4.5}
        return tag("circle", tag("title", label), class_=f"dot {class_}", **place)

    def whisker(self, x: float, low: float, high: float, class_: str) -> Html:
        """Return a vertical interval."""
        return self.segment((x, low), (x, high), f"whisker {class_}")

    def segment(self, start: tuple[float, float], end: tuple[float, float], class_: str) -> Html:
        """Return a straight line between two points, given as values."""
        return tag(
            "line",
            x1=self.px(start[0]),
            y1=self.py(start[1]),
            x2=self.px(end[0]),
            y2=self.py(end[1]),
            class_=class_,
        )

    def bar(self, left: float, right: float, value: float, class_: str, label: str) -> Html:
        """Return a bar from the bottom of the chart to a value."""
        top = self.py(value)
        return tag(
            "rect",
            tag("title", label),
            x=self.px(left),
            y=top,
            width=max(0.0, self.px(right) - self.px(left)),
            height=max(0.0, self.py(self.y.low) - top),
            class_=f"bar {class_}",
        )

    def text(self, x: float, y: float, words: str, anchor: str = "start") -> Html:
        """Return text at a position given as values."""
        place = {"x": self.px(x), "y": self.py(y)}
        return tag("text", words, text_anchor=anchor, class_="note", **place)

    def _points(self, xs: ArrayLike, ys: ArrayLike) -> str:
        pairs = zip(np.asarray(xs, np.float64), np.asarray(ys, np.float64), strict=True)
        written = [f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in pairs]
        # A curve of thousands of steps has many points on one pixel.
        return " ".join(p for i, p in enumerate(written) if i == 0 or p != written[i - 1])

    def _grid(self) -> Html:
        foot, end = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        parts = []
        for value, label in self.y.ticks:
            y = self.py(value)
            parts.append(tag("line", x1=_LEFT, x2=end, y1=y, y2=y, class_="grid"))
            parts.append(tag("text", label, x=_LEFT - 6, y=y + 4, text_anchor="end"))
        for value, label in self.x.ticks:
            x = self.px(value)
            parts.append(tag("line", x1=x, x2=x, y1=foot, y2=foot + 4, class_="axis"))
            parts.append(tag("text", label, x=x, y=foot + 17, text_anchor="middle"))
        parts.append(tag("line", x1=_LEFT, x2=end, y1=foot, y2=foot, class_="axis"))
        middle = (_LEFT + end) / 2
        parts.append(
            tag("text", self.x.title, x=middle, y=HEIGHT - 5, text_anchor="middle", class_="name")
        )
        return join(parts)


def step_points(
    xs: ArrayLike, ys: ArrayLike, *, limit: int = 400, place: Callable[[float], float] = float
) -> tuple[list[float], list[float]]:
    """Return the corners of a monotone curve, thinned to the resolution of a chart.

    Args:
        xs: (T,) ascending.
        ys: (T,) ascending.
        limit: number of columns; each keeps one point.
        place: position of an x on the chart, 0 to 1.
    """
    kept: dict[int, tuple[float, float]] = {}
    for x, y in zip(np.asarray(xs, np.float64), np.asarray(ys, np.float64), strict=True):
        kept[int(place(float(x)) * limit)] = (float(x), float(y))
    points = list(kept.values())
    return [x for x, _ in points], [y for _, y in points]


def histogram(
    groups: Sequence[tuple[str, str, ArrayLike]],
    threshold: float,
    *,
    title: str,
    bins: int = 44,
) -> Html:
    """Return a histogram with the outlines of two or more groups of similarities.

    Args:
        groups: CSS class, name and similarities of each group; drawn as shares of the group.
        threshold: similarity threshold, drawn as a line.
        title: title of the horizontal axis.
        bins: number of bins.
    """
    arrays = [(c, name, np.asarray(v, np.float64)) for c, name, v in groups]
    arrays = [(c, name, v[np.isfinite(v)]) for c, name, v in arrays]
    everything = np.concatenate([v for _, _, v in arrays] + [np.array([threshold])])
    low, high = floor(everything.min() * 10) / 10, min(1.0, floor(everything.max() * 10 + 1) / 10)
    edges = np.linspace(low, high, bins + 1)
    shares = [(c, n, np.histogram(v, edges)[0] / max(len(v), 1)) for c, n, v in arrays]
    peak = max(float(s.max()) for _, _, s in shares) or 1.0
    step = 0.1 if high - low < 0.85 else 0.2
    places = np.arange(low, high + 1e-9, step)
    x = Axis(low, high, tuple((float(p), f"{p:.1f}") for p in places), title)
    plot = Plot(x, Axis(0.0, peak * 1.12, (), ""))
    marks = []
    for class_, _, share in shares:
        xs = np.repeat(edges, 2)
        ys = np.concatenate([[0.0], np.repeat(share, 2), [0.0]])
        marks.append(plot.band(xs, np.zeros_like(xs), ys, class_))
        marks.append(plot.line(xs, ys, class_))
    marks.append(plot.segment((threshold, 0.0), (threshold, peak * 1.12), "threshold"))
    right = x.at(threshold) < 0.6
    words = f"threshold {threshold:.3f}"
    nudge = (high - low) * (0.012 if right else -0.012)
    marks.append(plot.text(threshold + nudge, peak * 1.06, words, "start" if right else "end"))
    named = " and ".join(name for _, name, _ in shares)
    return plot.draw(f"Similarities of {named}; the threshold is {threshold:.3f}", *marks)


def parts_bar(parts: Sequence[tuple[str, str, float]]) -> Html:
    """Return a stacked bar.

    Args:
        parts: CSS class, name and share of each part; the shares add up to 1.
    """
    pieces, start = [], 0.0
    for class_, name, share in parts:
        piece = tag(
            "rect",
            tag("title", f"{name}: {100 * share:.2f} %"),
            x=start,
            y=0,
            # A share above 0 is always visible.
            width=max(1.5, 400 * share) if share > 0 else 0.0,
            height=18,
            class_=f"part {class_}",
        )
        pieces.append(piece)
        start += 400 * share
    words = ", ".join(f"{name} {100 * share:.2f} %" for _, name, share in parts)
    return tag(
        "svg",
        tag("title", words),
        pieces,
        viewBox="0 0 400 18",
        preserveAspectRatio="none",
        role="img",
        class_="parts",
    )
