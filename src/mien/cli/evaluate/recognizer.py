"""`mien evaluate`: measure a recognizer on a dataset, or the face pipeline on LFW."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

from mien.cli.console import note, out, print_json, progress_bar
from mien.cli.evaluate.differences import compare, differential
from mien.cli.evaluate.open_set import open_set
from mien.cli.evaluate.pairs import COMMAND, all_pairs, lfw, licence_of, now, pairs
from mien.cli.hints import worded
from mien.text import count

if TYPE_CHECKING:
    from mien.evaluation import PeopleResult


class _Evaluate(click.Group):
    """The default command is `people`: a first word that is no command is a recognizer."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[COMMAND] = shlex.join(["mien", "evaluate", *args])
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = ["people", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Evaluate,
    options_metavar="",
    subcommand_metavar="RECOGNIZER DATASET [OPTIONS] | COMMAND …",
    no_args_is_help=True,
    epilog="\b\nExamples:\n"
    "  mien evaluate people.onnx dataset -o report.html\n"
    "  mien evaluate people.onnx dataset --strangers others --json\n"
    "  mien evaluate people --help\n"
    "  mien evaluate lfw --root lfw-deepfunneled.tgz --pairs pairs.txt\n"
    "  mien evaluate pairs pairs.csv\n"
    "  mien evaluate all-pairs dataset\n"
    "  mien evaluate open-set dataset",
)
def evaluate() -> None:
    """Measure how good a recognizer is, on photos it was not trained on."""


@evaluate.command(
    short_help="A recognizer on held-out photos; the word people may be omitted.",
    epilog="\b\nExamples:\n"
    "  mien evaluate people.onnx dataset -o report.html\n"
    "  mien evaluate people.onnx dataset --strangers others --json",
)
@click.argument("recognizer", type=click.Path(path_type=Path))
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the report here.")
@click.option(
    "--strangers",
    type=click.Path(path_type=Path),
    metavar="DATASET",
    help="A dataset of other people. Without it each person is left out in turn.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def people(
    ctx: click.Context,
    *,
    recognizer: Path,
    dataset: Path,
    output: Path | None,
    strangers: Path | None,
    as_json: bool,
) -> None:
    """Measure RECOGNIZER on the held-out photos of DATASET, and on strangers.

    The report is one self-contained HTML file.
    """
    # Heavy, and not needed for --help.
    from mien.evaluation import (  # noqa: PLC0415
        Facts,
        evaluate_people,
        people_report,
        write_report,
    )
    from mien.recognizer import Recognizer  # noqa: PLC0415

    loaded = Recognizer.load(recognizer)
    about = loaded.about
    with progress_bar() as progress:
        result = evaluate_people(loaded, dataset, strangers=strangers, progress=progress)
    facts = Facts(
        made=now(),
        command=ctx.meta[COMMAND],
        source=str(dataset) + (f", strangers from {strangers}" if strangers else ""),
        recognizer=f"{recognizer}, made {about.created} by mien {about.version}",
        licences=(licence_of(about.detector), licence_of(about.embedder)),
    )
    result = replace(result, caveats=tuple(map(worded, result.caveats)))
    for line in result.caveats:
        note(f"note: {line}")
    if as_json:
        print_json(result.to_dict())
    else:
        _show_people(result)
    if output:
        write_report(output, people_report(result, facts))
        note(f"report: {output}")


def _show_people(result: PeopleResult) -> None:
    decisions = result.decisions
    table = Table(box=None, pad_edge=False)
    for name in ("", "rate", "95 % interval", "measured on"):
        table.add_column(
            name, justify="left" if name in {"", "measured on"} else "right", no_wrap=True
        )
    for name, rate, measured_on in result.rate_rows():
        interval = f"{100 * rate.low:.2f} to {100 * rate.high:.2f} %"
        table.add_row(name, f"{100 * rate.value:.2f} %", interval, measured_on)
    out.print(table)
    out.print(
        f"of {count(result.all_probes.probes, 'photo')} {decisions.right:,} named right,"
        f" {decisions.unknown:,} called unknown, {decisions.wrong:,} named wrong;"
        f" calibration error {100 * result.ece:.2f} %",
        soft_wrap=True,
    )


for _command in (lfw, pairs, all_pairs, open_set, compare, differential):
    evaluate.add_command(_command)
