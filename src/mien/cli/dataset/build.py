"""`mien dataset`: from photos of people to a clean, split dataset."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from mien.cli.console import note, out, print_json, progress_bar
from mien.cli.dataset.checks import check, leaks
from mien.cli.rates import Share
from mien.dataset import Dataset, Entry, MarginCrop, build_dataset
from mien.dataset.audit.review_page import write_review
from mien.dataset.decide import decide, decide_people, goes_by, who_is_meant
from mien.dataset.storage.dataset_card import REASONS, sides
from mien.graph.settings import DetectionSettings
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER
from mien.names import name_key
from mien.text import count

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
_NAMED = 10


@click.group(
    epilog="\b\nExamples:\n"
    "  mien dataset build photos/ -o people\n"
    "  mien dataset review people\n"
    "  mien dataset show people",
)
def dataset() -> None:
    """Turn photos of people into a clean, split dataset."""


@dataset.command(
    epilog="\b\n"
    "A SOURCE is one of\n"
    "  a folder of folders, one a person      a .zip, .tar or .tgz of that\n"
    "  a .csv with the columns path,person    lfw, or lfw:PATH\n"
    "\b\nExamples:\n"
    "  mien dataset build photos/ -o people\n"
    "  mien dataset build lfw:lfw-deepfunneled.tgz friends.zip -o lfw-plus\n"
    "  mien dataset build list.csv -o people --train-share 0.8 --seed 7\n"
    "  mien dataset build photos/ -o people --crop margin:32 --size 160",
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="The dataset's folder. A build there that was interrupted goes on.",
)
@click.option(
    "--train-share",
    default=0.7,
    show_default=True,
    type=Share(),
    help="Share of each person's photos to train on; the rest is for validation.",
)
@click.option("--seed", default=0, show_default=True, help="Of the split.")
@click.option(
    "--keep-apart", is_flag=True, help="The same name in two sources is two people, not one."
)
@click.option(
    "--crop",
    metavar="margin:N",
    callback=lambda _ctx, _param, value: _margin(value),
    help="Also write unaligned crops: the face's box and N more pixels, as a square.",
)
@click.option("--size", default=160, show_default=True, help="Side of the --crop crops in pixels.")
@click.option(
    "--flip-singletons",
    is_flag=True,
    help="A LEAK, to reproduce an old figure: hold out the mirrored copy of a person's only photo.",
)
@click.option("--jobs", default=0, type=click.IntRange(0, 256), help="Threads [default: all cores]")
@click.option(
    "--embedder", metavar="ID", default=DEFAULT_EMBEDDER, show_default=True, help="Of a model."
)
@click.option(
    "--detector", metavar="ID", default=DEFAULT_DETECTOR, show_default=True, help="Of a model."
)
@click.option(
    "--detection-size",
    default=DetectionSettings().max_side,
    show_default=True,
    type=click.IntRange(DetectionSettings().min_side, 4096),
    help="Long side in pixels that photos are looked at: larger finds smaller faces, slower.",
)
@_JSON
def build(
    sources: tuple[str, ...],
    folder: Path,
    *,
    train_share: float,
    seed: int,
    keep_apart: bool,
    crop: int | None,
    size: int,
    flip_singletons: bool,
    jobs: int,
    embedder: str,
    detector: str,
    detection_size: int,
    as_json: bool,
) -> None:
    """Find the person in each photo, set doubtful ones aside, split, and write a dataset.

    Nothing is deleted: what is set aside stays in the manifest with its reason, and `mien dataset
    review` shows it. Photos that have not changed are not looked at again.
    """
    with progress_bar() as progress:
        result = build_dataset(
            sources,
            folder,
            train_share=train_share,
            seed=seed,
            keep_apart=keep_apart,
            flip_singletons=flip_singletons,
            margin=_margin_crop(crop, size),
            jobs=jobs,
            embedder=embedder,
            detector=detector,
            detection_size=detection_size,
            progress=progress,
        )
    _say_unreadable(result)
    if as_json:
        print_json(result.card)
        _say_warnings(result)
    else:
        _summary(result)


@dataset.command(epilog="\b\nExamples:\n  mien dataset review people")
@_FOLDER
def review(folder: Path) -> None:
    """Write a page of the doubtful photos, each with its evidence and what to do about it."""
    click.echo(write_review(Dataset.open(folder)))


@dataset.command(
    epilog="\b\nExamples:\n  mien dataset keep people 3f2a9c01d4e7\n"
    "  mien dataset keep people Ada/portrait.jpg",
)
@_FOLDER
@click.argument("entries", metavar="ENTRY...", nargs=-1, required=True)
def keep(folder: Path, entries: tuple[str, ...]) -> None:
    """Use photos that were set aside, now and in every rebuild. ENTRY is an id or a path."""
    with progress_bar() as progress:
        result = decide(folder, "keep", entries, progress=progress)
    note(f"{len(entries)} kept; {count(result.card['used'], 'photo')} in use.")


@dataset.command(
    epilog="\b\nExamples:\n  mien dataset drop people 3f2a9c01d4e7 81b0c55e2f6a",
)
@_FOLDER
@click.argument("entries", metavar="ENTRY...", nargs=-1, required=True)
def drop(folder: Path, entries: tuple[str, ...]) -> None:
    """Set photos aside, now and in every rebuild. ENTRY is an id or a photo's path."""
    with progress_bar() as progress:
        result = decide(folder, "drop", entries, progress=progress)
    note(f"{len(entries)} dropped; {count(result.card['used'], 'photo')} in use.")


@dataset.command(epilog="\b\nExamples:\n  mien dataset same people 'Joseph Blatter' 'Sepp Blatter'")
@_FOLDER
@click.argument("first", metavar="NAME")
@click.argument("second", metavar="NAME")
def same(folder: Path, first: str, second: str) -> None:
    """Say that two names are one person: their photos go together.

    The name with more photos is the one that stays. `mien dataset different` undoes it.
    """
    with progress_bar() as progress:
        result = decide_people(folder, "same", (first, second), progress=progress)
    told, undo = f"{first} and {second} are one person", shlex.join((str(folder), first, second))
    if kept := goes_by(result, first):
        people = count(result.card["people"], "person", "people")
        note(f"{told}, called {kept}; the dataset has {people} now.")
    else:
        note(f"{told} from the next build on.")
    note(f"To undo:  mien dataset different {undo}")


@dataset.command(
    epilog="\b\nExamples:\n  mien dataset different people 'Serena Williams' 'Venus Williams'"
)
@_FOLDER
@click.argument("first", metavar="NAME")
@click.argument("second", metavar="NAME")
def different(folder: Path, first: str, second: str) -> None:
    """Say that two names are two people, however alike they look."""
    with progress_bar() as progress:
        decide_people(folder, "different", (first, second), progress=progress)
    note(f"{first} and {second} are two people.")


@dataset.command(
    epilog="\b\nExamples:\n  mien dataset show people\n"
    "  mien dataset show people --person 'Ada Lovelace'\n  mien dataset show people --json",
)
@_FOLDER
@click.option("--person", metavar="NAME", help="List this person's photos instead.")
@_JSON
def show(folder: Path, person: str | None, *, as_json: bool) -> None:
    """Show what a dataset holds."""
    result = Dataset.open(folder)
    if not person:
        if as_json:
            print_json(result.card)
        else:
            _summary(result)
        return
    key = name_key(goes_by(result, person) or person)
    own = [e for e in result.entries if name_key(e.person) == key]
    if not own:
        hint = who_is_meant(folder, person, {e.person for e in result.entries})
        raise click.BadParameter(f"nobody is called {person}. {hint}", param_hint="--person")
    if as_json:
        print_json([_as_json(entry) for entry in own])
    else:
        _photos(own)


for _command in (check, leaks):
    dataset.add_command(_command)


def _margin(value: str | None) -> int | None:
    if value is None:
        return None
    found = re.fullmatch(r"margin:(\d{1,4})", value)
    if not found:
        raise click.BadParameter("write margin:N with N pixels, such as margin:32")
    return int(found.group(1))


def _margin_crop(margin: int | None, size: int) -> MarginCrop | None:

    if margin is None:
        return None
    try:
        return MarginCrop(margin, size)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--crop, --size") from error


def _say_unreadable(result: Dataset) -> None:
    bad = [entry for entry in result.entries if entry.reason == "unreadable"]
    for entry in bad[:_NAMED]:
        note(f"not used: {entry.evidence}")
    if len(bad) > _NAMED:
        note(f"and {len(bad) - _NAMED} more that could not be read: see manifest.csv")


def _summary(result: Dataset) -> None:
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
            f"  {escape(source['label'])}: {count(source['photos'], 'photo')}"
            + (f"; passed over: {escape(passed)}" if passed else ""),
            soft_wrap=True,
        )
    if card["merged_names"]:
        names = ", ".join(card["merged_names"][:_NAMED])
        more = ", …" if len(card["merged_names"]) > _NAMED else ""
        out.print(f"  in several sources, one person each: {escape(names)}{more}", soft_wrap=True)
    if card["split"]["leaked"]:
        out.print(
            f"[bold red]LEAK[/bold red]: {card['split']['leaked']:,} validation entries are "
            "mirrored training photos; a rate measured with them says nothing.",
            soft_wrap=True,
        )
    _say_warnings(result)
    _next_steps(result)


def _say_warnings(result: Dataset) -> None:
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


def _photos(own: list[Entry]) -> None:
    table = Table("entry", "photo", "split", "quality", "status", box=None, padding=(0, 2, 0, 0))
    for entry in own:
        status = "used" if entry.used and not entry.leak else entry.reason
        quality = f"{entry.quality:.2f}" if entry.face >= 0 else ""
        detail = f"{status}: {entry.evidence}" if entry.evidence else status
        table.add_row(entry.id, escape(entry.photo), entry.split, quality, escape(detail))
    out.print(table)


def _as_json(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}
