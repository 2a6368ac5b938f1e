"""Cards of a report that show photos: error cases, and pairs of similar people."""

from __future__ import annotations

from collections.abc import Sequence

from mien.evaluation.identification.breakdown import Confusable
from mien.evaluation.identification.error_cases import (
    ErrorCase,
    borderline_cases,
    stranger_cases,
    wrong_cases,
)
from mien.evaluation.identification.held_out import PeopleResult
from mien.evaluation.identification.probes import best_crops
from mien.evaluation.report.frame import card, more
from mien.html import Html, join, picture, tag
from mien.text import count, percent

SHOWN = {"wrong": 60, "borderline": 36, "strangers": 24}
"""Maximum number of photos of each kind, to keep the report small enough to mail."""


def photo_cards(result: PeopleResult) -> list[Html]:
    """Return the cards of photos named wrongly, borderline photos, and strangers named."""
    cards = [
        _photos_card(
            "Wrong person",
            "Held-out photos most similar to another person, highest similarity first. A label may"
            " also be wrong.",
            wrong_cases(result),
            SHOWN["wrong"],
            result,
            none="None: every held-out photo is most similar to the right person.",
        ),
        _photos_card(
            "Borderline",
            "Most similar to the right person, but unknown, or close to the threshold or to"
            " another person.",
            borderline_cases(result),
            SHOWN["borderline"],
            result,
            none="None: every other photo is named right by a clear margin.",
        ),
    ]
    if result.stranger_probes is not None:
        cards.append(
            _photos_card(
                "Strangers given a name",
                "People who are not in the gallery and were given the name of a person who is.",
                stranger_cases(result),
                SHOWN["strangers"],
                result,
                none="None.",
            )
        )
    return cards


def confusable_card(result: PeopleResult) -> Html:
    """Return the card of pairs of similar people."""
    names = {name for pair in result.confusable for name in (pair.first, pair.second)}
    faces = best_crops(result.probes.source, names)
    threshold = result.head.policy.threshold
    tiles = [
        tag(
            "div",
            tag(
                "div",
                picture(faces.get(pair.first), pair.first),
                picture(faces.get(pair.second), pair.second),
                class_="two",
            ),
            tag("p", tag("b", pair.first), " and ", tag("b", pair.second)),
            tag("p", _pair_facts(pair, threshold), class_="soft"),
            class_="pair",
        )
        for pair in result.confusable
    ]
    return card(
        "Most similar people",
        tag("div", tiles, class_="faces") if tiles else tag("p", "None.", class_="empty"),
        lead="Pairs of people with mistakes between them, then those with the most similar"
        " prototypes.",
        id_="confused",
    )


def _pair_facts(pair: Confusable, threshold: float) -> Html:
    parts = [f"similarity {pair.similarity:.3f}"]
    if pair.mistakes:
        parts.append(f"{count(pair.mistakes, 'photo')} taken for the other")
    if pair.similarity >= threshold:
        parts.append("perhaps one person under two names")
    return join(" · ".join(parts))


def _photos_card(
    title: str,
    lead: str,
    cases: Sequence[ErrorCase],
    limit: int,
    result: PeopleResult,
    *,
    none: str,
) -> Html:
    shown = cases[:limit]
    names = {s.true for s in shown if s.own is not None} | {s.nearest for s in shown}
    faces = {
        name: picture(crop, name, class_="face small")
        for name, crop in best_crops(result.probes.source, names).items()
    }
    if not shown:
        return card(title, tag("p", none, class_="empty"))
    tiles = [_tile(case, faces) for case in shown]
    return card(
        f"{title} · {len(cases):,}",
        tag("div", tiles, class_="faces"),
        more(len(shown), len(cases), "photo"),
        lead=lead,
    )


def _tile(case: ErrorCase, faces: dict[str, Html]) -> Html:
    stranger = case.own is None
    wrong = stranger or case.rank > 1
    own = Html() if stranger else faces.get(case.true, Html())
    other = faces.get(case.nearest, Html()) if wrong else Html()
    lines = [
        tag("p", tag("span", case.true, class_="strange-name" if stranger else "is")),
        tag("p", _answer(case, wrong=wrong)),
        tag("p", _figures(case), class_="soft"),
    ]
    if case.evidence:
        lines.append(tag("ul", [tag("li", e) for e in case.evidence], class_="evidence"))
    lines.append(tag("div", case.record.photo, class_="file"))
    return tag(
        "div",
        tag(
            "div",
            picture(case.source.crop(case.record), case.true),
            tag("div", own, other, class_="two"),
            class_="shots",
        ),
        tag("div", lines, class_="about"),
        class_="error-case",
    )


def _answer(case: ErrorCase, *, wrong: bool) -> Html:
    if wrong and case.named:
        return join("named ", tag("span", case.nearest, class_="isnt"))
    if wrong:
        return join("unknown, most similar to ", tag("span", case.nearest, class_="isnt"))
    return join("named right, narrowly" if case.named else "unknown")


def _figures(case: ErrorCase) -> str:
    figures = f"similarity {case.similarity:.3f}, probability {percent(case.probability, 1)}"
    if case.own is not None and case.rank > 1:
        figures += f"; to the right person {case.own:.3f}, rank {case.rank:,}"
    return figures
