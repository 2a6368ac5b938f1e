"""Commands that show a dataset: `mien dataset show` and `review`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from mien.cli.console import note, out, print_json, print_line
from mien.dataset import Dataset, Entry
from mien.dataset.audit.review_page import write_review
from mien.dataset.decide import current_name, suggest_names
from mien.dataset.storage.dataset_card import REASONS, sides
from mien.names import name_key
from mien.text import count

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
_MAX_LISTED = 10


@click.command(epilog="\b\nExamples:\n  mien dataset review people")
@_FOLDER
def review(folder: Path) -> None:
    """Write a page of the doubtful photos, with evidence and the commands that decide."""
    print_line(str(write_review(Dataset.open(folder))))


@click.command(
    epilog="\b\nExamples:\n  mien dataset show people\n"
    "  mien dataset show people --person 'Ada Lovelace'\n  mien dataset show people --json",
)
@_FOLDER
@click.option("--person", metavar="NAME", help="List this person's photos instead.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
def show(folder: Path, person: str | None, *, as_json: bool) -> None:
    """Show the content of a dataset."""
    result = Dataset.open(folder)
    if not person:
        if as_json:
            print_json(result.card)
        else:
            print_summary(result)
        return
    key = name_key(current_name(result, person) or person)
    own = [e for e in result.entries if name_key(e.person) == key]
    if not own:
        hint = suggest_names(folder, person, {e.person for e in result.entries})
        raise click.BadParameter(f"no person is called {person}. {hint}", param_hint="--person")
    if as_json:
        print_json([_as_json(entry) for entry in own])
    else:
        _print_entries(own)


def print_summary(result: Dataset) -> None:
    """Print what a dataset holds, and the next steps."""
    card, side = result.card, sides(result.entries)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(justify="right", style="bold")
    table.add_column()
    aside = card["set_aside"].items()
    for line in (
        count(card["people"], "person", "people"),
        count(card["photos"], "photo"),
        f"{card['used']:,} used",
        *(f"{n:,} {REASONS[reason]} ([i]{reason}[/i])" for reason, n in aside),
        f"{side['train']:,} on the training side, {side['train_used']:,} of them used",
        f"{side['validation']:,} on the validation side, {side['validation_used']:,} of them used",
    ):
        table.add_row(*line.split(" ", 1))
    out.print(table)
    for source in card["sources"]:
        passed = ", ".join(f"{reason}: {n:,}" for reason, n in source["skipped"].items())
        out.print(
            f"  source {escape(source['label'])}: {count(source['photos'], 'photo')}"
            + (f"; skipped: {escape(passed)}" if passed else ""),
            soft_wrap=True,
        )
    if card["merged_names"]:
        names = ", ".join(card["merged_names"][:_MAX_LISTED])
        more = ", …" if len(card["merged_names"]) > _MAX_LISTED else ""
        out.print(
            f"  in several sources, each taken to be one person: {escape(names)}{more}",
            soft_wrap=True,
        )
    if card["split"]["leaked"]:
        out.print(
            f"[bold red]LEAK[/bold red]: {card['split']['leaked']:,} validation entries are "
            "mirrored training photos; a rate measured with them is meaningless.",
            soft_wrap=True,
        )
    print_warnings(result)
    _next_steps(result)


def print_warnings(result: Dataset) -> None:
    """Print the warnings on a dataset's card to stderr."""
    for warning in result.card.get("warnings", ()):
        note(f"warning: {warning}")
    if not result.card.get("cleaning", {"by_similarity": True})["by_similarity"]:
        (embedder,) = (w["id"] for w in result.card["weights"] if w["kind"] == "embedder")
        note(f"To calibrate it:  mien models measure {embedder} DATASET --write, then build again.")


def _next_steps(result: Dataset) -> None:
    folder = shlex.quote(str(result.path))
    doubtful = sum(n for reason, n in result.card["set_aside"].items() if reason != "dropped")
    pairs = len(result.card["same_person"])
    if pairs:
        what = "pair of names is" if pairs == 1 else "pairs of names are"
        note(f"{pairs} {what} likely one person.")
    if doubtful or pairs:
        note(f"See the doubtful ones:  mien dataset review {folder}")
    note(f"Train a recognizer:     mien train {folder} -o people.onnx")


def _print_entries(entries: list[Entry]) -> None:
    table = Table("entry", "photo", "split", "quality", "status", box=None, padding=(0, 2, 0, 0))
    for entry in entries:
        status = "used" if entry.used and not entry.leak else entry.reason
        quality = f"{entry.quality:.2f}" if entry.face >= 0 else ""
        detail = f"{status}: {entry.evidence}" if entry.evidence else status
        table.add_row(entry.id, escape(entry.photo), entry.split, quality, escape(detail))
    out.print(table)


def _as_json(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}
