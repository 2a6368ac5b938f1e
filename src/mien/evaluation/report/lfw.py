"""Report on verification on Labeled Faces in the Wild."""

from __future__ import annotations

import numpy as np

from mien.evaluation.report.charts import Axis, Plot, histogram, log_axis, rate_axis, step_points
from mien.evaluation.report.frame import Facts, card, facts_list, key, made_by, more, number, page
from mien.evaluation.verification.lfw import LfwResult
from mien.evaluation.verification.score_pairs import FARS, MISSED
from mien.html import Html, join, picture, tag
from mien.text import count, percent, span

SHOWN = 80
"""Maximum number of wrong pairs shown."""


def lfw_report(result: LfwResult, facts: Facts) -> Html:
    """Return the report as one self-contained HTML document."""
    title = "Verification on Labeled Faces in the Wild"
    cards = [_scores_card(result), _roc_card(result)]
    if len(result.scored.folds) > 1:
        cards.append(_folds_card(result))
    return page(
        title,
        facts,
        tag("h1", title),
        _summary(result),
        _numbers(result),
        tag("div", cards, class_="duo"),
        _wrong_card(result),
        _about(result, facts),
    )


def _summary(result: LfwResult) -> Html:
    scored = result.scored
    right = round(1000 * scored.accuracy.value)
    point, tar = scored.at_far[-1]
    text = join(
        "Of 1,000 pairs of photos from Labeled Faces in the Wild, ",
        tag("b", f"{right:,} are decided right"),
        ". At a false accept rate of one in a thousand pairs of two people, ",
        tag("b", f"{percent(tar.value, 1)} of the pairs of one person"),
        f" are accepted (threshold {point.threshold:.3f}).",
    )
    return tag("section", tag("p", text, class_="say"), class_="card")


def _numbers(result: LfwResult) -> Html:
    scored = result.scored
    accuracy = scored.accuracy
    error = f"± {100 * scored.standard_error:.2f} (standard error over {len(scored.folds)} folds)"
    boxes = [
        number(
            percent(accuracy.value),
            "accuracy",
            error if len(scored.folds) > 1 else f"95 %: {span(accuracy)}",
        )
    ]
    boxes += [
        number(percent(tar.value), f"TAR at FAR {far:g}", f"95 %: {span(tar)}")
        for far, (_, tar) in list(zip(FARS, scored.at_far, strict=True))[1:]
    ]
    boxes.append(number(percent(scored.equal_error), "equal error rate"))
    boxes.append(
        number(
            f"{len(scored.scores):,}",
            "pairs",
            f"{count(len(result.missed), 'photo')} missed",
        )
    )
    return tag("div", boxes, class_="numbers")


def _scores_card(result: LfwResult) -> Html:
    scored = result.scored
    found = scored.scores > MISSED
    groups = [
        ("good", "pairs of one person", scored.scores[scored.same & found]),
        ("strange", "pairs of two people", scored.scores[~scored.same & found]),
    ]
    threshold = float(np.median(scored.thresholds))
    return card(
        "Similarities",
        key(*((class_, name) for class_, name, _ in groups)),
        histogram(groups, threshold, title="cosine similarity"),
        lead="Pairs right of the dashed threshold are accepted as one person.",
    )


def _roc_card(result: LfwResult) -> Html:
    scored = result.scored
    impostors = int(np.sum(~scored.same))
    x = log_axis(min(1e-3, 1 / impostors), "pairs of two people accepted (FAR)")
    # Points left of the chart are moved to its edge, so that the curve starts there.
    xs, ys = step_points(np.maximum(scored.curve.fmr, x.low), scored.curve.tmr, place=x.at)
    lowest = min([*ys, *(tar.low for _, tar in scored.at_far)])
    plot = Plot(x, rate_axis(lowest, 1.0, ""))
    marks = [plot.line(xs, ys, "good")]
    for far, (point, tar) in zip(FARS, scored.at_far, strict=True):
        label = f"FAR {far:g}: TAR {percent(point.tar)} at similarity {point.threshold:.3f}"
        marks.append(plot.whisker(far, tar.low, tar.high, ""))
        marks.append(plot.dot(far, point.tar, "", label))
    rows = [
        tag(
            "tr",
            tag("td", f"{far:g}"),
            tag("td", percent(tar.value)),
            tag("td", span(tar)),
            tag("td", f"{point.threshold:.3f}"),
        )
        for far, (point, tar) in zip(FARS, scored.at_far, strict=True)
    ]
    heads = [tag("th", name) for name in ("FAR", "TAR", "95 %", "threshold")]
    table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows))
    return card(
        "ROC curve",
        key(("good", "pairs of one person accepted (TAR), 95 % intervals")),
        plot.draw("True accept rate against false accept rate", *marks),
        tag("details", tag("summary", "table"), table),
        lead="The receiver operating characteristic over all pairs.",
    )


def _folds_card(result: LfwResult) -> Html:
    scored = result.scored
    ticks = tuple((i + 0.5, str(i + 1)) for i in range(len(scored.folds)))
    plot = Plot(
        Axis(0.0, float(len(ticks)), ticks, "fold"),
        rate_axis(min(scored.folds) - 0.002, 1.0, ""),
    )
    mean = scored.accuracy.value
    marks = [plot.segment((0, mean), (len(ticks), mean), "threshold")]
    for i, accuracy in enumerate(scored.folds):
        marks.append(plot.dot(i + 0.5, accuracy, "", f"fold {i + 1}: {percent(accuracy)}"))
    return card(
        "Accuracy per fold",
        key(("good", "accuracy of a fold; dashed: the mean")),
        plot.draw("Accuracy of each fold", *marks),
        lead="The threshold of each fold is the best one of the other folds.",
    )


def _wrong_card(result: LfwResult) -> Html:
    scored = result.scored
    rows = np.flatnonzero(scored.wrong)
    rows = rows[np.argsort(-np.abs(scored.scores - scored.thresholds)[rows], kind="stable")]
    tiles = []
    for row in rows[:SHOWN]:
        pair = result.pairs.pairs[row]
        verdict = "taken for two people" if pair.same else "taken for one person"
        if scored.scores[row] == MISSED:
            verdict = "no face found in one of them"
        names = [pair.first] if pair.same else [pair.first, pair.second]
        tiles.append(
            tag(
                "div",
                tag(
                    "div",
                    [picture(result.crops.get(p), p.person) for p in (pair.first, pair.second)],
                    class_="two",
                ),
                tag("p", tag("b", " and ".join(n.person.replace("_", " ") for n in names))),
                tag("p", tag("span", verdict, class_="isnt"), f" · {scored.scores[row]:.3f}"),
                tag("div", f"{pair.first.file_name}, {pair.second.file_name}", class_="file"),
                class_="pair",
            )
        )
    body = tag("div", tiles, class_="faces") if tiles else tag("p", "None.", class_="empty")
    return card(
        f"Wrong decisions · {len(rows):,}",
        body,
        more(min(len(rows), SHOWN), len(rows), "pair"),
        lead="Largest distance from the threshold first. Some labels of this set are known to be"
        " wrong; they are not corrected here.",
    )


def _about(result: LfwResult, facts: Facts) -> Html:
    scored = result.scored
    missed = (
        f"{count(len(result.missed), 'photo')} without a usable face; their pairs have"
        f" similarity {MISSED:g}. {', '.join(result.missed[:20])}"
    )
    pairs = (
        f"{len(scored.scores):,} of {count(result.photos, 'photo')},"
        f" {count(result.pairs.folds, 'fold')}"
    )
    fitness = "LFW is a research benchmark: no result on it shows fitness for a commercial purpose."
    rows = [
        ("Photos", facts.source),
        ("Pairs", pairs),
        ("Rule", f"{scored.rule}; the person of a photo is the face nearest its centre"),
        ("Missed", missed),
        ("Contract", tag("code", result.contract)),
        *made_by(facts),
        ("Fitness", fitness),
    ]
    return card("What was measured", facts_list(rows), id_="about")
