"""What a notebook shows of a recognizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.html import Html, facts_table, tag
from mien.text import count, percent, span

if TYPE_CHECKING:
    from mien.recognizer.file import Recognizer

_LISTED = 20


def recognizer_html(recognizer: Recognizer) -> Html:
    """Return who a recognizer knows, when it says "unknown", its licences and warnings."""
    policy, people = recognizer.policy, recognizer.people
    more = f" and {len(people) - _LISTED:,} more" if len(people) > _LISTED else ""
    expected = f"{percent(policy.expected.value)} ({span(policy.expected)})"
    licences = ((w.id, f"{w.licence}, {w.publisher}") for w in recognizer.weights)
    warnings = [tag("li", text) for text in recognizer.training.get("warnings", ())]
    return facts_table(
        f"Recognizer of {count(len(people), 'person', 'people')}",
        (
            ("people", ", ".join(people[:_LISTED]) + more),
            ("unknown below similarity", f"{policy.threshold:.3f}"),
            ("strangers given a name, at most", percent(policy.false_positive_rate)),
            ("expected", f"{expected}, {policy.support}"),
            *(
                (weights.id, f"{weights.licence}, {weights.publisher}")
                for weights in recognizer.weights
            ),
            ("made", recognizer.about.created),
        ),
        tag("ul", warnings) if warnings else "",
    )
