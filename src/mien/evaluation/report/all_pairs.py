"""Report on verification over all pairs of a dataset."""

from __future__ import annotations

import numpy as np

from mien.evaluation.report.charts import Axis, Plot, histogram, log_axis, rate_axis, step_points
from mien.evaluation.report.frame import Facts, card, facts_list, key, made_by, number, page
from mien.evaluation.verification.all_pairs import AllPairsResult, RateAtFar
from mien.html import Html, join, tag
from mien.measures.histogram import edges
from mien.text import percent, span

_QUANTILES = 20_000
"""Number of quantiles that the outlines of a histogram are drawn from."""


def all_pairs_report(result: AllPairsResult, facts: Facts) -> Html:
    """Return the report as one self-contained HTML document."""
    title = "Verification over all pairs"
    return page(
        title,
        facts,
        tag("h1", title),
        _numbers(result),
        tag("div", [_scores_card(result), _roc_card(result), _det_card(result)], class_="duo"),
        _table_card(result),
        _about(result, facts),
    )


def _numbers(result: AllPairsResult) -> Html:
    boxes = [
        number(f"{result.impostor.total:,}", "pairs of two people"),
        number(f"{result.genuine.total:,}", "pairs of one person"),
        number(percent(result.equal_error), "equal error rate"),
    ]
    boxes += [
        number(
            percent(at.point.tar),
            f"TAR at FAR {at.far:g}",
            f"95 %: {span(at.interval)}" if at.interval else "",
        )
        for at in result.at_far
        if at.far <= 1e-3
    ]
    return tag("div", boxes, class_="numbers")


def _scores_card(result: AllPairsResult) -> Html:
    places = edges()
    groups = []
    for class_, name, counted in (
        ("good", "pairs of one person", result.genuine),
        ("strange", "pairs of two people", result.impostor),
    ):
        # Evenly spaced quantiles give the same outline as all similarities.
        steps = (np.arange(_QUANTILES) + 0.5) / _QUANTILES * counted.total
        groups.append((class_, name, places[np.searchsorted(np.cumsum(counted.counts), steps)]))
    strict = [at for at in result.at_far if at.far >= 1e-3][-1]
    return card(
        "Similarities",
        key(*((class_, name) for class_, name, _ in groups)),
        histogram(groups, strict.point.threshold, title="cosine similarity"),
        lead=f"Dashed: threshold at a FAR of {strict.far:g}.",
    )


def _roc_card(result: AllPairsResult) -> Html:
    x = log_axis(result.at_far[-1].far, "pairs of two people accepted (FAR)")
    xs, ys = step_points(np.maximum(result.curve.fmr, x.low), result.curve.tmr, place=x.at)
    lows = [at.interval.low for at in result.at_far if at.interval]
    plot = Plot(x, rate_axis(min([*ys, *lows]), 1.0, ""))
    return card(
        "ROC curve",
        key(("good", "pairs of one person accepted (TAR), 95 % intervals over people")),
        plot.draw(
            "True accept rate against false accept rate",
            plot.line(xs, ys, "good"),
            *(mark for at in result.at_far for mark in _marks(plot, at)),
        ),
        lead="The receiver operating characteristic over all pairs.",
    )


def _marks(plot: Plot, at: RateAtFar) -> list[Html]:
    label = f"FAR {at.far:g}: TAR {percent(at.point.tar)} at similarity {at.point.threshold:.3f}"
    dot = plot.dot(at.far, at.point.tar, "", label)
    if at.interval is None:
        return [dot]
    return [plot.whisker(at.far, at.interval.low, at.interval.high, ""), dot]


def _det_card(result: AllPairsResult) -> Html:
    x = log_axis(result.at_far[-1].far, "pairs of two people accepted (FMR)")
    lowest = 1 / result.genuine.total
    lower = log_axis(max(lowest, 1e-5), "")
    inside = result.curve.fmr >= x.low
    xs, ys = step_points(
        result.curve.fmr[inside], np.maximum(result.curve.fnmr[inside], lower.low), place=x.at
    )
    top = max(10 * lower.low, 10 ** np.ceil(np.log10(max(ys))))
    y = Axis(lower.low, float(top), tuple(t for t in lower.ticks if t[0] <= top), "", log=True)
    plot = Plot(x, y)
    return card(
        "DET curve",
        key(("strange", "pairs of one person rejected (FNMR)")),
        plot.draw("False non-match rate against false match rate", plot.line(xs, ys, "strange")),
        lead="The detection error tradeoff, both axes logarithmic.",
    )


def _table_card(result: AllPairsResult) -> Html:
    rows = [
        tag(
            "tr",
            tag("td", f"{at.far:g}"),
            tag("td", percent(at.point.tar)),
            tag("td", span(at.interval) if at.interval else ""),
            tag("td", f"{at.point.threshold:.4f}"),
        )
        for at in result.at_far
    ]
    heads = [tag("th", name) for name in ("FAR", "TAR", "95 % over people", "threshold")]
    return card("Table", tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows)))


def _about(result: AllPairsResult, facts: Facts) -> Html:
    rule = join(
        "Each pair of photos is compared once. Intervals: people are drawn with replacement, the"
        " weight of a pair is how often its people were drawn, and the threshold is chosen again in"
        " each of 200 resamples."
    )
    rows = [
        ("Photos", f"{result.photos:,} of {result.people:,} people: {facts.source}"),
        ("Rule", rule),
        ("Dataset", tag("code", result.dataset_digest)),
        ("Contract", tag("code", result.contract)),
        *made_by(facts),
    ]
    return card("What was measured", facts_list(rows), id_="about")
