"""Charts of the report on identification."""

from __future__ import annotations

import numpy as np

from mien.evaluation.identification.breakdown import IdentificationRates
from mien.evaluation.identification.held_out import PeopleResult
from mien.evaluation.open_set.metrics import OpenSetResult
from mien.evaluation.report.charts import Axis, Plot, histogram, log_axis, rate_axis, step_points
from mien.evaluation.report.frame import card, key
from mien.html import Html, tag
from mien.measures import wilson
from mien.text import count, percent, span


def panels(result: PeopleResult) -> Html:
    """Return the cards with charts."""
    cards = [_similarities_card(result)]
    if result.open_set:
        cards.append(_open_set_card(result.open_set))
    cards += [_reliability_card(result), _photos_card(result)]
    return tag("div", cards, class_="duo")


def _similarities_card(result: PeopleResult) -> Html:
    groups = [("good", "own person", result.found.own)]
    legend = [("good", "known people, to their own person")]
    if result.open_set:
        groups.append(("strange", "strangers", result.open_set.scores))
        legend.append(("strange", "strangers, to the nearest person"))
    return card(
        "Similarities",
        key(*legend),
        histogram(groups, result.head.policy.threshold, title="cosine similarity"),
        lead="A face with a similarity right of the dashed threshold is given a name. The less the"
        " two distributions overlap, the fewer errors any threshold makes.",
    )


def _open_set_card(open_set: OpenSetResult) -> Html:
    x = log_axis(max(1e-6, min(0.01, open_set.target / 10)), "strangers given a name (FPIR)")
    # Points left of the chart are moved to its edge, so that the curve starts there.
    fpir = np.maximum(open_set.curve.fpir, x.low)
    xs, ys = step_points(fpir, open_set.curve.dir, place=x.at)
    bounds = [wilson(round(y * open_set.probes), open_set.probes) for y in ys]
    lowest = min([b.low for b in bounds] + [open_set.policy.dir.low])
    plot = Plot(x, rate_axis(max(0.0, lowest), 1.0, ""))
    at = open_set.policy
    here = max(at.fpir.value, x.low)
    label = f"policy: FPIR {percent(at.fpir.value)}, DIR {percent(at.dir.value)}"
    chart = plot.draw(
        f"Share of known people named right against share of strangers given a name; {label}",
        plot.segment((open_set.target, plot.y.low), (open_set.target, plot.y.high), "threshold"),
        plot.band(xs, [b.low for b in bounds], [b.high for b in bounds], "good"),
        plot.line(xs, ys, "good"),
        plot.segment(
            (max(at.fpir.low, x.low), at.dir.value), (at.fpir.high, at.dir.value), "whisker bad"
        ),
        plot.whisker(here, at.dir.low, at.dir.high, "bad"),
        plot.dot(here, at.dir.value, "bad", label),
    )
    return card(
        "Open-set identification",
        key(("good", "named right (DIR), 95 % band"), ("bad", "this recognizer's policy")),
        chart,
        tag("p", _protocol(open_set), class_="soft"),
        _halves(open_set),
        lead="A lower rate of strangers given a name (FPIR) lowers the rate of known people named"
        " right (DIR). The dashed line is the requested FPIR.",
    )


def _protocol(open_set: OpenSetResult) -> str:
    if open_set.protocol == "left-out":
        text = (
            f"{count(open_set.stranger_people, 'person', 'people')} left out in turn:"
            f" {count(open_set.strangers, 'held-out photo')} searched among the other"
            f" {count(open_set.gallery, 'person', 'people')}."
        )
        if not open_set.policy.fpir.value:
            return text
        return f"{text} With people resampled, the interval is {span(open_set.fpir_people)}."
    return (
        f"{count(open_set.strangers, 'photo')} of"
        f" {count(open_set.stranger_people, 'stranger')} searched among"
        f" {count(open_set.gallery, 'person', 'people')}; {count(open_set.probes, 'photo')} of"
        " known people."
    )


def _halves(open_set: OpenSetResult) -> Html:
    if not open_set.halves:
        return Html()
    rows = [
        f"FPIR {percent(half.fpir.value)} ({span(half.fpir)}), DIR {percent(half.dir.value)},"
        f" threshold {half.threshold:.3f}"
        for half in open_set.halves
    ]
    return tag(
        "div",
        tag(
            "p",
            f"Threshold chosen for {percent(open_set.target, 1)} on one half of the strangers"
            " (split by name) and measured on the other half:",
            class_="soft",
        ),
        tag("ul", [tag("li", row) for row in rows], class_="evidence"),
    )


def _reliability_card(result: PeopleResult) -> Html:
    x = Axis(0.0, 1.0, tuple((i / 5, f"{20 * i} %") for i in range(6)), "stated probability")
    plot = Plot(x, Axis(0.0, 1.0, x.ticks, ""))
    marks = [plot.segment((0, 0), (1, 1), "ideal")]
    for each in result.bins:
        label = (
            f"{count(each.count, 'answer')} between {percent(each.low, 0)} and"
            f" {percent(each.high, 0)}: stated {percent(each.confidence, 1)}, right"
            f" {percent(each.accuracy, 1)}"
        )
        marks.append(
            plot.bar(each.low + 0.008, each.high - 0.008, each.accuracy, "good pale", label)
        )
    marks += [
        plot.dot(b.confidence, b.accuracy, "good", f"{b.count:,} answers") for b in result.bins
    ]
    weights = "Known people and strangers have equal total weight." if result.open_set else ""
    return card(
        "Calibration",
        key(("good", "share of right answers")),
        plot.draw("Share of answers that are right against their stated probability", *marks),
        tag("p", f"Calibration error (ECE) {percent(result.ece)}. {weights}", class_="soft"),
        lead="On the dotted line the probability equals the share of right answers.",
    )


def _photos_card(result: PeopleResult) -> Html:
    groups = result.by_photos
    ticks = tuple((i + 0.5, _range_name(first, last)) for i, (first, last, _) in enumerate(groups))
    x = Axis(0.0, float(len(groups)), ticks, "training photos per person")
    lowest = min(rates.rank1.low for _, _, rates in groups)
    plot = Plot(x, rate_axis(lowest, 1.0, ""))
    marks = []
    for i, (_, _, rates) in enumerate(groups):
        label = f"{percent(rates.rank1.value)} of {count(rates.probes, 'photo')}"
        marks.append(plot.whisker(i + 0.5, rates.rank1.low, rates.rank1.high, ""))
        marks.append(plot.dot(i + 0.5, rates.rank1.value, "", label))
    rows = [
        tag("tr", tag("td", _range_name(first, last)), *_rate_cells(rates))
        for first, last, rates in groups
    ]
    table = tag(
        "table",
        tag("thead", tag("tr", [tag("th", t) for t in ("photos", "probes", "rank-1", "95 %")])),
        tag("tbody", rows),
    )
    return card(
        "Rank-1 by number of training photos",
        key(("good", "rank-1 rate, 95 % interval")),
        plot.draw("Rank-1 rate against the number of training photos per person", *marks),
        tag("details", tag("summary", "table"), table),
        lead="People with more training photos are identified more reliably.",
    )


def _rate_cells(rates: IdentificationRates) -> tuple[Html, ...]:
    return (
        tag("td", f"{rates.probes:,}"),
        tag("td", percent(rates.rank1.value)),
        tag("td", span(rates.rank1)),
    )


def _range_name(first: int, last: int) -> str:
    if last > 10**6:
        return f"{first}+"
    return str(first) if first == last else f"{first} to {last}"
