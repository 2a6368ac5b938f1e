"""What a notebook shows of a recognizer."""

from __future__ import annotations

from collections.abc import Sequence

from mien.html import Html, facts_table, tag
from mien.recognizer.metadata import About
from mien.text import count, percent, span
from mien.types import Policy

_LISTED = 20


def recognizer_html(people: Sequence[str], policy: Policy, about: About) -> Html:
    """Return who a recognizer knows, when it says "unknown", its licences and warnings."""
    more = f" and {len(people) - _LISTED:,} more" if len(people) > _LISTED else ""
    expected = f"{percent(policy.expected.value)} ({span(policy.expected)})"
    licences = ((w.id, f"{w.licence}, {w.publisher}") for w in (about.detector, about.embedder))
    warnings = [tag("li", text) for text in about.measured.get("warnings", ())]
    return facts_table(
        f"Recognizer of {count(len(people), 'person', 'people')}",
        (
            ("people", ", ".join(people[:_LISTED]) + more),
            ("unknown below similarity", f"{policy.threshold:.3f}"),
            ("strangers given a name, at most", percent(policy.false_positive_rate)),
            ("expected", f"{expected}, {policy.support}"),
            *licences,
            ("made", about.created),
        ),
        tag("ul", warnings) if warnings else "",
    )
