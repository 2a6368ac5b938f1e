"""Report on identification by a recognizer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.evaluation.identification.breakdown import PersonResult
from mien.evaluation.identification.held_out import PeopleResult
from mien.evaluation.identification.probes import best_crops
from mien.evaluation.open_set.metrics import OpenSetResult
from mien.evaluation.report.charts import parts_bar
from mien.evaluation.report.frame import Facts, card, facts_list, key, made_by, number, page
from mien.evaluation.report.identification_charts import panels
from mien.evaluation.report.photo_lists import confusable_card, photo_cards
from mien.html import Html, join, picture, tag
from mien.text import count, percent, span

FACES_IN_TABLE = 150
"""With more people than this the table shows no faces, to limit the size of the file."""


def people_report(result: PeopleResult, facts: Facts) -> Html:
    """Return the report as one self-contained HTML document."""
    known = len(result.head.people)
    title = f"Evaluation of a recognizer of {count(known, 'person', 'people')}"
    return page(
        title,
        facts,
        tag("h1", title),
        _summary(result),
        _numbers(result),
        panels(result),
        *photo_cards(result),
        confusable_card(result),
        _people_card(result),
        _about(result, facts),
    )


def rounded(counts: Sequence[int], of: int) -> list[int]:
    """Return counts scaled to add up to `of`, by the largest remainder method."""
    exact = np.asarray(counts, np.float64) * of / max(sum(counts), 1)
    whole = np.floor(exact).astype(int)
    for index in np.argsort(whole - exact, kind="stable")[: of - int(whole.sum())]:
        whole[index] += 1
    return [int(value) for value in whole]


def _summary(result: PeopleResult) -> Html:
    did = result.decisions
    counts = (did.right, did.unknown, did.wrong)
    total = sum(counts)
    # Not scaled up: 26 of 26 is not reported as 100 of 100.
    of = next((size for size in (1000, 100) if total >= size), total)
    right, unknown, wrong = rounded(counts, of)
    sentences = join(
        f"Of {count(of, 'held-out photo')} of people it knows, ",
        tag("b", f"{_some(right)} got the right name"),
        f", {_some(unknown)} were called unknown and ",
        tag("b", f"{_some(wrong)} got a wrong name"),
        ". ",
        _strangers_sentence(result.open_set),
    )
    parts = [
        (class_, name, value / total)
        for (class_, name), value in zip(
            (("good", "right name"), ("unknown", "unknown"), ("bad", "wrong name")),
            counts,
            strict=True,
        )
    ]
    bars = [tag("div", tag("p", "People it knows", class_="label"), parts_bar(parts))]
    if result.open_set:
        share = result.open_set.policy.fpir.value
        bars.append(
            tag(
                "div",
                tag("p", "Strangers", class_="label"),
                parts_bar([("unknown", "unknown", 1 - share), ("bad", "a name", share)]),
            )
        )
    legend = key(("good", "right name"), ("unknown", "unknown"), ("bad", "wrong name"))
    caveats = [tag("p", str(caveat), class_="warn") for caveat in result.caveats]
    return tag(
        "section",
        tag("p", sentences, class_="say"),
        tag("div", bars, class_="bars"),
        legend,
        caveats,
        class_="card",
    )


def _some(number_: int) -> str:
    return f"{number_:,}" if number_ else "none"


def _strangers_sentence(open_set: OpenSetResult | None) -> Html:
    if open_set is None:
        return Html("There are no strangers: their rate was not measured.")
    fpir = open_set.policy.fpir
    named, low, high = (round(1000 * v) for v in (fpir.value, fpir.low, fpir.high))
    return join(
        "Of 1,000 strangers, ",
        tag("b", f"{_some(named)} would be given a name"),
        f" (between {low:,} and {high:,}, measured on"
        f" {count(open_set.stranger_people, 'person', 'people')};"
        f" {round(1000 * open_set.target):,} were requested).",
    )


def _numbers(result: PeopleResult) -> Html:
    every, usable = result.all_probes, result.usable_probes
    boxes = [
        number(
            percent(every.rank1.value),
            "rank-1: most similar to the right person",
            f"95 %: {span(every.rank1)}",
        ),
        number(
            percent(every.rank5.value),
            "rank-5: among five",
            f"95 %: {span(every.rank5)}",
        ),
    ]
    if open_set := result.open_set:
        at = open_set.policy
        boxes.append(
            number(percent(at.dir.value), "known people named right (DIR)", f"95 %: {span(at.dir)}")
        )
        boxes.append(
            number(percent(at.fpir.value), "strangers named (FPIR)", f"95 %: {span(at.fpir)}")
        )
    boxes.append(
        number(
            f"{every.probes:,}",
            "held-out photos",
            f"{every.probes - usable.probes:,} of them set aside by the dataset",
        )
    )
    return tag("div", boxes, class_="numbers")


def _people_card(result: PeopleResult) -> Html:
    people = {row.person for row in result.people}
    faces = best_crops(result.probes.source, people) if len(people) <= FACES_IN_TABLE else None
    columns = ("person", "training photos", "held out", "right", "named", "similarity", "taken for")
    heads = [
        tag(
            "th",
            tag("button", name, type="button"),
            class_="words" if name == "taken for" else None,
        )
        for name in columns
    ]
    tools = tag(
        "div",
        tag("input", type="search", id="find", placeholder="Find a person", aria_label="Find"),
        tag("label", tag("input", type="checkbox", id="missed"), " only with mistakes"),
        class_="tools",
        hidden=True,
    )
    rows = []
    for row in result.people:
        face = picture(faces.get(row.person), "", class_="face tiny") if faces is not None else None
        rows.append(_person_row(row, face))
    unlisted = len(result.head.people) - len(result.people)
    note = (
        f"{count(unlisted, 'person', 'people')} of the gallery had no photo held out and"
        f" {'is' if unlisted == 1 else 'are'} not listed."
    )
    table = tag(
        "table", tag("thead", tag("tr", heads)), tag("tbody", rows), class_="sortable", id="people"
    )
    return card(
        "Results per person",
        tools,
        tag("div", table, class_="scroll", tabindex=0),
        tag("p", note, class_="soft") if unlisted else Html(),
        lead="Held-out photos of each person, lowest rate first. Right: most similar to the right"
        " person. Named: also given the name.",
        id_="everyone",
    )


def _person_row(row: PersonResult, face: Html | None) -> Html:
    name = tag("div", face, row.person, class_="who") if face is not None else row.person
    return tag(
        "tr",
        tag("td", name, data_value=row.person),
        tag("td", str(row.photos)),
        tag("td", str(row.probes)),
        tag("td", str(row.right)),
        tag("td", str(row.named)),
        tag("td", f"{row.similarity:.3f}"),
        tag("td", ", ".join(row.taken_for), class_="words"),
        class_="missed" if row.right < row.probes else None,
    )


def _about(result: PeopleResult, facts: Facts) -> Html:
    head, policy = result.head, result.head.policy
    every, usable, expected = result.all_probes, result.usable_probes, policy.expected
    learned = (
        f"{head.kind}, {count(len(head.people), 'person', 'people')},"
        f" {count(int(head.photos.sum()), 'photo')}"
    )
    asked = (
        f"threshold {policy.threshold:.4f}; requested FPIR"
        f" {percent(policy.false_positive_rate)}, expected {percent(expected.value)}"
        f" ({span(expected)}), {policy.support}. {policy.source}"
    )
    rank1 = (
        f"{percent(every.rank1.value)} ({span(every.rank1)}) of {every.probes:,};"
        f" {span(result.rank1_people)} with people resampled"
    )
    rank5 = (
        f"{percent(every.rank5.value)} ({span(every.rank5)});"
        f" {percent(usable.rank5.value)} without those set aside"
    )
    rest = f"{percent(usable.rank1.value)} ({span(usable.rank1)}) of {usable.probes:,}"
    intervals = "95 %: Wilson's score interval for rates, the bootstrap where people are resampled"
    rows = [
        ("Recognizer", facts.recognizer),
        ("Head", learned),
        ("Policy", asked),
        ("Dataset", facts.source),
        ("Dataset digest", tag("code", result.dataset_digest)),
        ("Contract", tag("code", head.contract)),
        ("Rank-1, every held-out photo", rank1),
        ("Rank-1, without those set aside", rest),
        ("Rank-5", rank5),
        (
            "No face found in",
            f"{count(result.faceless, 'photo')} of the dataset; no probes",
        ),
        ("Intervals", intervals),
        *made_by(facts),
    ]
    return card("What was measured", facts_list(rows), id_="about")
