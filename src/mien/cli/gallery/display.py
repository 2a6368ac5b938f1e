"""Print a gallery, and a person in it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Column, Table

from mien.cli.console import note, out, print_json
from mien.cli.hints import worded
from mien.text import count
from mien.types import Policy

if TYPE_CHECKING:
    from mien.gallery import Gallery, Person

STILL_THERE = (
    "still in the file until the other reader of the gallery has ended; then it is wiped, at the "
    "latest when the gallery is next opened"
)


def how_to_enrol(folder: Path) -> str:
    """Return the sentence that says how to enrol a person in a gallery."""
    return f"Enrol a person: mien gallery add {shlex.quote(str(folder))} NAME PHOTOS"


def show_gallery(gallery: Gallery, *, as_json: bool) -> None:
    """Print the size of a gallery, what it stores, and when it gives a name."""
    warnings = [str(worded(notice)) for notice in gallery.warnings]
    facts = {**gallery.to_dict(), "warnings": warnings}
    if as_json:
        print_json(facts)
        return
    photos = count(facts["photos"], "photo")
    kept = "templates" + (" and thumbnails" if gallery.keeps_thumbnails else "")
    table = Table(show_header=False, box=None)
    for key, value in (
        ("gallery", str(gallery.path)),
        ("people", f"{facts['people']:,}, {photos} enrolled" if facts["people"] else "none yet"),
        ("stored per photo", kept + (", encrypted" if gallery.encrypted else ", not encrypted")),
        *_policy_rows(gallery.policy),
        ("embedder", gallery.origin.embedder),
        ("contract", gallery.contract),
    ):
        table.add_row(f"[bold]{key}[/bold]", escape(value))
    out.print(table)
    for warning in warnings:
        note(f"warning: {warning}")
    if not facts["wiped"]:
        note(f"warning: deleted data is {STILL_THERE}")
    if not facts["photos"]:
        note(how_to_enrol(gallery.path))


def _policy_rows(policy: Policy) -> tuple[tuple[str, str], ...]:
    if policy.threshold > 1:  # No cosine is so high: no name is given.
        return ("a name is given", "never yet"), ("why", policy.source)
    expected, asked = policy.expected, f"at most {policy.false_positive_rate:.2%} requested"
    rate = f"{expected.value:.2%} ({expected.low:.2%} to {expected.high:.2%})"
    return (
        ("a name is given from", f"similarity {policy.threshold:.3f}"),
        ("strangers given a name", f"{asked}; expected {rate}"),
        ("evidence", policy.source),
    )


def show_person(gallery: Gallery, person: Person, *, as_json: bool) -> None:
    """Print a person's photos and consent; as JSON also the person's audit trail."""
    pictures = gallery.pictures(person.id)
    events = gallery.audit_trail(person.id)
    if as_json:
        rows = {
            "pictures": [picture.to_dict() for picture in pictures],
            "audit": [event.to_dict() for event in events],
        }
        print_json({**person.to_dict(), **rows})
        return
    out.print(f"[bold]{escape(person.name)}[/bold]  {person.id}")
    out.print(f"added {person.created}, changed {person.changed}, from {escape(person.source)}")
    out.print(f"consent: {escape(person.consent) or 'nothing noted'}")
    table = Table("photo", Column("from", overflow="fold"), "quality", "added", "", box=None)
    for picture in pictures:
        forced = f"forced: {picture.forced}" if picture.forced else ""
        quality = f"{picture.quality:.2f}"
        table.add_row(picture.id, escape(picture.source), quality, picture.added, forced)
    out.print(table)
