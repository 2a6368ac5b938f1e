"""Page frame of a report: head, header, cards; style and script are inline."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from mien.files import write_atomically
from mien.html import Child, Html, join, tag
from mien.text import count
from mien.version import __version__


@dataclass(frozen=True, slots=True)
class Facts:
    """Provenance of a report.

    Attributes:
        made: time of the evaluation, with a time zone.
        command: command that makes the report again; empty if it was not made by a command.
        source: data that was measured on: a path or a name.
        recognizer: file name of the recognizer.
        licences: one line per set of weights: title, licence, training photos.
    """

    made: datetime
    command: str = ""
    source: str = ""
    recognizer: str = ""
    licences: tuple[str, ...] = ()


def page(title: str, facts: Facts, *body: Child) -> Html:
    """Return an HTML document; its content security policy forbids loading anything."""
    here = files("mien.evaluation.report")
    style = here.joinpath("style.css").read_text("utf-8")
    script = here.joinpath("page.js").read_text("utf-8")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_source(style)};"
        f" script-src {_source(script)}; base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="generator", content=f"mien {__version__}"),
        tag("title", title),
        # Files of the package without "</": they need no escaping.
        tag("style", Html(style)),
    )
    top = tag(
        "div",
        tag("span", "mien", class_="brand"),
        tag("span", f"{facts.made.day} {facts.made:%B %Y, %H:%M}"),
        tag("button", "light / dark", class_="theme", type="button", hidden=True),
        class_="top",
    )
    content = tag("main", top, *body)
    document = tag("html", head, tag("body", content, tag("script", Html(script))), lang="en")
    return Html("<!doctype html>\n" + document)


def card(title: str, *body: Child, lead: str = "", id_: str | None = None) -> Html:
    """Return a section with a heading."""
    opening = tag("p", lead, class_="lead") if lead else Html()
    return tag("section", tag("h2", title), opening, *body, class_="card", id=id_)


def number(value: str, *below: str) -> Html:
    """Return a key figure, with its meaning below."""
    return tag("div", tag("b", value), [tag("span", line) for line in below], class_="number")


def key(*items: tuple[str, str]) -> Html:
    """Return the legend of a chart: CSS class and name of each item."""
    return tag("ul", [tag("li", name, class_=class_) for class_, name in items], class_="key")


def facts_list(rows: Sequence[tuple[str, Child]]) -> Html:
    """Return a list of names and values; empty values are left out."""
    return tag("dl", [join(tag("dt", name), tag("dd", value)) for name, value in rows if value])


def made_by(facts: Facts) -> list[tuple[str, Child]]:
    """Return the last rows of `facts_list` in every report: licences, version, command."""
    return [
        ("Licences", [tag("div", line) for line in facts.licences]),
        ("Made by", f"mien {__version__}, {facts.made.isoformat(timespec='seconds')}"),
        ("Command", tag("code", facts.command) if facts.command else ""),
    ]


def more(shown: int, total: int, what: str) -> Html:
    """Return a line with the number of items not shown; empty if all are."""
    if total <= shown:
        return Html()
    return tag("p", f"… and {count(total - shown, what)} more like these.", class_="soft")


def write_report(path: Path | str, document: Html) -> None:
    """Write a report atomically.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(Path(path), document.encode("utf-8", "replace"))


def _source(text: str) -> str:
    """Return the content security policy source of an inline style or script: its digest."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode('ascii')}'"
