"""What `mien gallery` shows of a gallery and of a person in it, and how somebody gets in."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Column, Table

from mien.cli.console import note, out, print_json
from mien.text import count
from mien.types import Policy

if TYPE_CHECKING:
    from mien.gallery import Gallery, Person


def how_to_enrol(folder: Path) -> str:
    """Return what to do where nobody is in a gallery."""
    return f"Enrol somebody: mien gallery add {shlex.quote(str(folder))} NAME PHOTOS"


def show_gallery(made: Gallery, *, as_json: bool) -> None:
    """Show who is in a gallery, what is kept, and when a name is given."""
    people, policy = made.people(), made.policy
    facts: dict[str, Any] = {
        "people": len(people),
        "photos": sum(person.photos for person in people),
        "encrypted": made.encrypted,
        "thumbnails": made.keeps_thumbnails,
        "embedder": made.origin.embedder,
        "contract": made.contract,
        "policy": asdict(policy),
        "warnings": list(made.warnings),
    }
    if as_json:
        print_json(facts)
        return
    photos = count(facts["photos"], "photo")
    kept = "templates" + (" and thumbnails" if made.keeps_thumbnails else "")
    table = Table(show_header=False, box=None)
    for key, value in (
        ("gallery", str(made.path)),
        ("people", f"{len(people):,}, {photos} enrolled" if people else "nobody yet"),
        ("kept of a photo", kept + (", encrypted" if made.encrypted else ", not encrypted")),
        *_when_named(policy),
        ("embedder", made.origin.embedder),
        ("contract", made.contract),
    ):
        table.add_row(f"[bold]{key}[/bold]", escape(value))
    out.print(table)
    for warning in made.warnings:
        note(f"warning: {warning}")
    if not facts["photos"]:
        note(how_to_enrol(made.path))


def _when_named(policy: Policy) -> tuple[tuple[str, str], ...]:
    if policy.threshold > 1:  # No cosine is so high: nothing is known that a name could rest on.
        return ("a name is given", "to nobody yet"), ("why", policy.source)
    expected, asked = policy.expected, f"at most {policy.false_positive_rate:.2%} asked for"
    rate = f"{expected.value:.2%} ({expected.low:.2%} to {expected.high:.2%})"
    return (
        ("a name is given from", f"similarity {policy.threshold:.3f}"),
        ("strangers given a name", f"{asked}; expected {rate}"),
        ("how that is known", policy.source),
    )


def show_person(made: Gallery, person: Person, *, as_json: bool) -> None:
    """Show a person's photos and consent, and with JSON what was done to them."""
    pictures = made.pictures(person.id)
    events = made.audit_trail(person.id)
    if as_json:
        rows = {"pictures": [asdict(picture) for picture in pictures]}
        print_json({**asdict(person), **rows, "audit": [asdict(event) for event in events]})
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
