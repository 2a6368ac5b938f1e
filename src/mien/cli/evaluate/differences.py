"""`mien evaluate compare` and `differential`: two recognizers, and groups of people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape
from rich.table import Table

from mien.cli.console import note, out, print_json, progress_bar
from mien.text import count

if TYPE_CHECKING:
    from mien.evaluation.identification.comparison import Comparison
    from mien.evaluation.verification.differential import Differential

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command(
    short_help="Is recognizer B better than A?",
    epilog="\b\nExamples:\n"
    "  mien evaluate compare old.onnx new.onnx people\n"
    "  mien evaluate compare small.onnx large.onnx people --and people-large --json",
)
@click.argument("first", metavar="A.ONNX", type=click.Path(path_type=Path))
@click.argument("second", metavar="B.ONNX", type=click.Path(path_type=Path))
@click.argument("dataset", metavar="DATASET", type=click.Path(path_type=Path))
@click.option(
    "--and",
    "second_dataset",
    type=click.Path(path_type=Path),
    metavar="DATASET",
    help="The same photos, built with B's embedder if it differs from A's.",
)
@_JSON
def compare(
    first: Path, second: Path, dataset: Path, second_dataset: Path | None, *, as_json: bool
) -> None:
    """Compare recognizers A and B on the same held-out photos.

    A difference counts if McNemar's exact test and an interval from resampling people both show it.
    """
    from mien.dataset import Dataset  # noqa: PLC0415
    from mien.evaluation.identification.comparison import compare_recognizers  # noqa: PLC0415
    from mien.recognizer import Recognizer  # noqa: PLC0415

    found = compare_recognizers(
        Recognizer.load(first).head,
        Recognizer.load(second).head,
        Dataset.open(dataset),
        Dataset.open(second_dataset) if second_dataset else None,
    )
    if as_json:
        print_json(found.to_dict())
    else:
        _show_comparison(found)


@click.command(
    short_help="Error rates by group of people.",
    epilog="\b\nExamples:\n"
    "  mien evaluate differential people attributes.csv\n"
    "  mien evaluate differential people attributes.csv --far 0.0001 --json",
)
@click.argument("dataset", metavar="DATASET", type=click.Path(path_type=Path))
@click.argument("attributes", metavar="ATTRIBUTES.CSV", type=click.Path(path_type=Path))
@click.option(
    "--far",
    default=1e-3,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="False accept rate over all people that sets the threshold.",
)
@_JSON
def differential(dataset: Path, attributes: Path, *, far: float, as_json: bool) -> None:
    """Compare the error rates of groups of people, from a table with columns person,attribute….

    Each group is compared with all other people at one threshold. If it has too few people to
    detect a doubled rate, the result is "insufficient data", with the number of people needed.
    """
    from mien.evaluation.verification.differential import (  # noqa: PLC0415
        evaluate_differential,
        read_attributes,
    )

    table = read_attributes(attributes)
    with progress_bar() as progress:
        found = evaluate_differential(dataset, table, far=far, progress=progress)
    if found.unknown:
        note(f"note: not in the table: {count(found.unknown, 'person', 'people')} of the dataset.")
    if as_json:
        print_json(found.to_dict())
    else:
        _show_differential(found)


def _show_comparison(found: Comparison) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("", "A", "B", "B - A, 95 %", "only", "p", "better"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for row in found.rows:
        ends = f"{100 * row.difference.low:+.2f} to {100 * row.difference.high:+.2f}"
        better = {"first": "A", "second": "B", "none": "not shown"}[row.verdict]
        table.add_row(
            row.what,
            f"{100 * row.first:.2f} %",
            f"{100 * row.second:.2f} %",
            ends,
            f"{row.only_first}:{row.only_second}",
            f"{row.p:.3f}",
            better,
        )
    out.print(table)
    out.print(
        f"{count(found.probes, 'photo')} of {count(found.people, 'person', 'people')}"
        + (f", {found.strangers:,} of strangers" if found.strangers else ""),
        soft_wrap=True,
    )


def _show_differential(found: Differential) -> None:
    out.print(
        f"threshold {found.threshold:.4f}: over all people FMR {found.far:.2g},"
        f" FNMR {100 * found.fnmr:.2f} %",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False)
    for name in ("group", "people", "", "rate", "interval", "others", "conclusion"):
        table.add_column(name, justify="left" if name in {"group", ""} else "right")
    for group in found.groups:
        for name, rate in (("FNMR", group.fnmr), ("FMR", group.fmr)):
            first = name == "FNMR"
            table.add_row(
                escape(f"{group.attribute}: {group.value}") if first else "",
                f"{group.people:,}" if first else "",
                name,
                *rate.cells(),
            )
    out.print(table)
