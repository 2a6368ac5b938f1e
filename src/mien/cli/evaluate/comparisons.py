"""`mien evaluate compare` and `differential`: differences between recognizers, between people."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from mien.cli.console import note, out, print_json, progress_bar
from mien.text import count

if TYPE_CHECKING:
    from mien.evaluation.identification.comparison import Comparison
    from mien.evaluation.verification.differential import Differential, GroupRate

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
    help="The same photos, built with B's embedder where that is another.",
)
@_JSON
def compare(
    first: Path, second: Path, dataset: Path, second_dataset: Path | None, *, as_json: bool
) -> None:
    """Say whether recognizer B is better than A, or only luckier, on the same held-out photos.

    A difference counts when McNemar's exact test and an interval from resampling whole people
    both show it.
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
        print_json(_comparison_json(found))
    else:
        _show_comparison(found)


@click.command(
    short_help="For whom is it worse?",
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
    help="False accept rate over everybody that the one threshold gives.",
)
@_JSON
def differential(dataset: Path, attributes: Path, *, far: float, as_json: bool) -> None:
    """Say for whom it is worse: error rates by any columns of a table person,attribute….

    A group is compared with everybody else at one threshold. Where it has too few people for a
    doubled rate to be noticed the answer is "insufficient data", with the number needed where an
    error was seen that tells it.
    """
    from mien.dataset import Dataset  # noqa: PLC0415
    from mien.evaluation.verification.differential import (  # noqa: PLC0415
        evaluate_differential,
        read_attributes,
    )

    table = read_attributes(attributes)
    with progress_bar() as progress:
        found = evaluate_differential(Dataset.open(dataset), table, far=far, progress=progress)
    if found.unknown:
        note(f"note: not in the table: {count(found.unknown, 'person', 'people')} of the dataset.")
    if as_json:
        print_json(_differential_json(found))
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


def _comparison_json(found: Comparison) -> dict[str, Any]:
    return {
        "probes": found.probes,
        "people": found.people,
        "strangers": found.strangers,
        "measures": [
            {
                "what": row.what,
                "first": row.first,
                "second": row.second,
                "difference": row.difference.value,
                "difference_interval": [row.difference.low, row.difference.high],
                "only_first": row.only_first,
                "only_second": row.only_second,
                "p": row.p,
                "better": row.verdict,
            }
            for row in found.rows
        ],
    }


def _show_differential(found: Differential) -> None:
    out.print(
        f"threshold {found.threshold:.4f}: over everybody FMR {found.far:.2g},"
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
                *_cells(rate),
            )
    out.print(table)


def _cells(rate: GroupRate) -> tuple[str, str, str, str]:
    """Return rate, interval, the others' rate and conclusion; "-" where nothing was compared."""
    value, low, high = rate.rate.value, rate.rate.low, rate.rate.high
    own = (f"{value:.2g}", f"{low:.2g} to {high:.2g}") if isfinite(value) else ("-", "-")
    others = f"{rate.others:.2g}" if isfinite(rate.others) else "-"
    return *own, others, _conclusion(rate)


def _conclusion(rate: GroupRate) -> str:
    if rate.verdict != "insufficient data":
        return rate.verdict
    if not rate.error_seen:
        return "insufficient data: no error seen"
    return f"insufficient data: {rate.people:,} of {rate.needed:,} people"


def _differential_json(found: Differential) -> dict[str, Any]:
    return {
        "threshold": found.threshold,
        "far": found.far,
        "fnmr": found.fnmr,
        "people_not_in_table": found.unknown,
        "groups": [
            {
                "attribute": group.attribute,
                "value": group.value,
                "people": group.people,
                "fnmr": _rate_json(group.fnmr),
                "fmr": _rate_json(group.fmr),
            }
            for group in found.groups
        ],
    }


def _rate_json(rate: GroupRate) -> dict[str, Any]:
    known = isfinite(rate.rate.value)
    return {
        "rate": rate.rate.value if known else None,
        "interval": [rate.rate.low, rate.rate.high],
        "level": rate.rate.level,
        "others": rate.others if isfinite(rate.others) else None,
        "people": rate.people,
        "people_needed": rate.needed if rate.error_seen else None,
        "conclusion": rate.verdict,
    }
