"""`mien evaluate open-set`: galleries of a dataset's people, and strangers searched in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from mien.cli.console import out, print_json, progress_bar

if TYPE_CHECKING:
    from mien.evaluation import OpenSetRow

_PROTOCOLS = ("sizes", "galleries", "blufr", "best-rowden")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise click.BadParameter("write whole numbers with commas, such as 1,3,5") from error
    if not all(0 < number < 10**6 for number in found):
        raise click.BadParameter("the numbers are 1 or more")
    return tuple(sorted(set(found)))


@click.command(
    "open-set",
    short_help="Galleries of a dataset's people, and strangers.",
    epilog="\b\nExamples:\n"
    "  mien evaluate open-set people\n"
    "  mien evaluate open-set people --sizes 1,2 --json\n"
    "  mien evaluate open-set people --protocol galleries --galleries 100,1000\n"
    "  mien evaluate open-set lfw --protocol blufr --people-list people.txt",
)
@click.argument("dataset", metavar="DATASET", type=click.Path(path_type=Path))
@click.option(
    "--protocol",
    type=click.Choice(_PROTOCOLS),
    default="sizes",
    show_default=True,
    help="Template sizes, gallery sizes, or a protocol published for LFW.",
)
@click.option(
    "--sizes",
    default="1,3,5",
    show_default=True,
    callback=lambda _ctx, _param, value: _numbers(value),
    help="Photos per template.",
)
@click.option(
    "--galleries",
    default="100,200,400,800,1600",
    show_default=True,
    callback=lambda _ctx, _param, value: _numbers(value),
    help="Numbers of people enrolled.",
)
@click.option(
    "--people-list",
    type=click.Path(path_type=Path),
    metavar="PEOPLE.TXT",
    help="LFW's list of people, for the protocols of LFW.",
)
@click.option(
    "--draws",
    default=10,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Number of random draws of people and photos.",
)
@click.option("--seed", default=0, show_default=True, help="Random seed of the draws.")
@click.option("--every", is_flag=True, help="Also use photos that were set aside.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def open_set(
    *,
    dataset: Path,
    protocol: str,
    sizes: tuple[int, ...],
    galleries: tuple[int, ...],
    people_list: Path | None,
    draws: int,
    seed: int,
    every: bool,
    as_json: bool,
) -> None:
    """Enrol some people of DATASET, search their other photos and those of all other people.

    A threshold is chosen on one half of the strangers and measured on the other, both ways.
    Intervals come from resampling people; each resample chooses its thresholds again.
    """
    from mien.evaluation import evaluate_open_set, read_lfw_people  # noqa: PLC0415

    published = protocol in {"blufr", "best-rowden"}
    if published and people_list is None:
        raise click.UsageError(f"--protocol {protocol} needs LFW's list: --people-list people.txt")
    people = read_lfw_people(people_list) if people_list else ()
    with progress_bar() as progress:
        result = evaluate_open_set(
            dataset,
            protocol,  # type: ignore[arg-type]
            sizes=sizes,
            galleries=galleries,
            people=people,
            draws=draws,
            seed=seed,
            include_set_aside=every,
            progress=progress,
        )
    if as_json:
        print_json(result.to_dict())
    else:
        _show(result.rows)


def _show(rows: Sequence[OpenSetRow]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("templates", "people", "rank-1", "FPIR requested", "DIR", "95 % interval", "FPIR"):
        table.add_column(name, justify="left" if name == "templates" else "right", no_wrap=True)
    for row in rows:
        for i, rate in enumerate(row.rates):
            table.add_row(
                "" if i else row.name,
                "" if i else f"{row.people:,}",
                "" if i else f"{100 * row.rank1.value:.2f} %",
                f"{100 * rate.target:g} %",
                f"{100 * rate.dir.value:.2f} %",
                f"{100 * rate.dir.low:.2f} to {100 * rate.dir.high:.2f} %",
                f"{100 * rate.fpir.value:.2f} %",
            )
    out.print(table)
    first = rows[0]
    out.print(
        f"{first.draws} draws; about {first.probes:,.0f} probes and"
        f" {first.strangers:,.0f} photos of strangers in each",
        soft_wrap=True,
    )
