"""Commands that store decisions: `mien dataset keep`, `drop`, `same` and `different`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from mien.cli.console import note, progress_bar
from mien.dataset.decide import current_name, decide, decide_people
from mien.text import count

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))


@click.command(
    epilog="\b\nExamples:\n  mien dataset keep people 3f2a9c01d4e7\n"
    "  mien dataset keep people Ada/portrait.jpg",
)
@_FOLDER
@click.argument("entries", metavar="ENTRY...", nargs=-1, required=True)
def keep(folder: Path, entries: tuple[str, ...]) -> None:
    """Use photos that were set aside, now and in every later build. ENTRY is an id or a path."""
    with progress_bar() as progress:
        result = decide(folder, "keep", entries, progress=progress)
    note(f"{len(entries)} kept; {count(result.card['used'], 'photo')} in use.")


@click.command(
    epilog="\b\nExamples:\n  mien dataset drop people 3f2a9c01d4e7 81b0c55e2f6a",
)
@_FOLDER
@click.argument("entries", metavar="ENTRY...", nargs=-1, required=True)
def drop(folder: Path, entries: tuple[str, ...]) -> None:
    """Set photos aside, now and in every later build. ENTRY is an id or a photo's path."""
    with progress_bar() as progress:
        result = decide(folder, "drop", entries, progress=progress)
    note(f"{len(entries)} dropped; {count(result.card['used'], 'photo')} in use.")


@click.command(epilog="\b\nExamples:\n  mien dataset same people 'Joseph Blatter' 'Sepp Blatter'")
@_FOLDER
@click.argument("first", metavar="NAME")
@click.argument("second", metavar="NAME")
def same(folder: Path, first: str, second: str) -> None:
    """Declare that two names are one person, and merge their photos.

    The name with more photos is used for both. `mien dataset different` undoes it.
    """
    with progress_bar() as progress:
        result = decide_people(folder, "same", (first, second), progress=progress)
    done, undo = f"{first} and {second} are one person", shlex.join((str(folder), first, second))
    if kept := current_name(result, first):
        people = count(result.card["people"], "person", "people")
        note(f"{done}, called {kept}; the dataset has {people} now.")
    else:
        note(f"{done} from the next build on.")
    note(f"To undo:  mien dataset different {undo}")


@click.command(
    epilog="\b\nExamples:\n  mien dataset different people 'Serena Williams' 'Venus Williams'"
)
@_FOLDER
@click.argument("first", metavar="NAME")
@click.argument("second", metavar="NAME")
def different(folder: Path, first: str, second: str) -> None:
    """Declare that two names are two people, even if they look alike."""
    with progress_bar() as progress:
        decide_people(folder, "different", (first, second), progress=progress)
    note(f"{first} and {second} are two people.")
