"""`mien evaluate`: measure a recognizer on a dataset, or the road to embeddings on LFW."""

from __future__ import annotations

import shlex
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from mien.cli.console import note, out, print_json, progress_bar

if TYPE_CHECKING:
    from mien.evaluation import LfwResult, PeopleResult
    from mien.models.cards import ModelCard
    from mien.recognizer import Weights

_COMMAND = "mien.command"


class _Evaluate(click.Group):
    """`evaluate lfw …` is a command of its own, anything else measures a recognizer."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_COMMAND] = shlex.join(["mien", "evaluate", *args])
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = ["people", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Evaluate,
    options_metavar="",
    subcommand_metavar="RECOGNIZER DATASET [OPTIONS] | lfw [OPTIONS]",
    no_args_is_help=True,
    epilog="\b\nExamples:\n"
    "  mien evaluate people.onnx dataset -o report.html\n"
    "  mien evaluate people.onnx dataset --strangers others --json\n"
    "  mien evaluate people --help\n"
    "  mien evaluate lfw --root lfw-deepfunneled.tgz --pairs pairs.txt",
)
def evaluate() -> None:
    """Measure how good a recognizer is, on photos it was not trained on."""


@evaluate.command(
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
    help="A dataset of other people. Without it each person is made a stranger in turn.",
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
    """Name a dataset's held-out photos and search strangers with RECOGNIZER.

    The report is one HTML file that needs nothing else.
    """
    # Heavy, and not needed for --help.
    from mien.dataset import Dataset  # noqa: PLC0415
    from mien.evaluation import (  # noqa: PLC0415
        Facts,
        evaluate_people,
        people_json,
        people_report,
        write_report,
    )
    from mien.recognizer import Recognizer  # noqa: PLC0415

    loaded = Recognizer.load(recognizer)
    about = loaded.about
    with progress_bar() as progress:
        result = evaluate_people(
            loaded.head,
            Dataset.open(dataset),
            trained_on=about.dataset,
            strangers=Dataset.open(strangers) if strangers else None,
            progress=progress,
        )
    facts = Facts(
        made=_now(),
        command=ctx.meta[_COMMAND],
        source=str(dataset) + (f", strangers from {strangers}" if strangers else ""),
        recognizer=f"{recognizer}, made {about.created} by mien {about.version}",
        licences=(_licence(about.detector), _licence(about.embedder)),
    )
    for line in result.notes:
        note(f"note: {line}")
    if as_json:
        print_json(people_json(result))
    else:
        _show_people(result)
    if output:
        write_report(output, people_report(result, facts))
        note(f"report: {output}")


@evaluate.command(
    epilog="\b\nExamples:\n"
    "  mien evaluate lfw --root lfw-deepfunneled.tgz --pairs pairs.txt --report lfw.html\n"
    "  mien evaluate lfw --root lfw-deepfunneled.tgz --pairs pairsDevTest.txt"
    " --choose-on pairsDevTrain.txt",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    required=True,
    help="LFW's archive (.tgz) or the folder it unpacks to.",
)
@click.option(
    "--pairs",
    "pairs_file",
    type=click.Path(path_type=Path),
    required=True,
    help="pairs.txt (View 2), or pairsDevTrain.txt or pairsDevTest.txt (View 1).",
)
@click.option(
    "--choose-on",
    type=click.Path(path_type=Path),
    metavar="PAIRS",
    help="Choose one threshold on these pairs instead of fold by fold.",
)
@click.option(
    "--detection-size",
    type=click.IntRange(32, 4096),
    metavar="N",
    help="Look for faces with the photo's long side at N pixels at most.",
)
@click.option("--embedder", metavar="ID", help="Another embedder, see `mien models list`.")
@click.option("--report", type=click.Path(path_type=Path), help="Write an HTML report here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def lfw(
    ctx: click.Context,
    *,
    root: Path,
    pairs_file: Path,
    choose_on: Path | None,
    detection_size: int | None,
    embedder: str | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Compare the pairs of Labeled Faces in the Wild through the one-file graph.

    View 2 is judged by its ten-fold rule. The person of a photo is the face nearest its centre; a
    photo without a face is counted as missed, and its pairs with similarity -1.
    """
    from mien.engine import DetectionSettings, Engine, Pipeline  # noqa: PLC0415
    from mien.evaluation import (  # noqa: PLC0415
        Facts,
        evaluate_lfw,
        lfw_json,
        lfw_report,
        read_pairs,
        write_report,
    )

    pairs = read_pairs(pairs_file)
    chosen = read_pairs(choose_on) if choose_on else None
    settings = DetectionSettings()
    if detection_size:
        least = min(settings.least_side, detection_size)
        settings = replace(settings, side=detection_size, least_side=least)
    choices: dict[str, Any] = {"embedder": embedder} if embedder else {}
    with progress_bar() as progress:
        engine = Engine.open(settings=settings, threads=1, progress=progress, **choices)
        result = evaluate_lfw(
            Pipeline(engine, threads=1).faces,
            root,
            pairs,
            choose_on=chosen,
            keep_crops=report is not None,
            progress=progress,
        )
    if as_json:
        print_json(lfw_json(result))
    else:
        _show_lfw(result)
    if report:
        facts = Facts(
            made=_now(),
            command=ctx.meta[_COMMAND],
            source=f"{root}, pairs of {pairs_file}",
            licences=(_licence(engine.detector_card), _licence(engine.embedder_card)),
        )
        write_report(report, lfw_report(result, facts))
        note(f"report: {report}")


def _show_people(result: PeopleResult) -> None:
    every, clean, did = result.every, result.clean, result.decisions
    table = Table(box=None, pad_edge=False)
    for name in ("", "rate", "95 % interval", "measured on"):
        table.add_column(
            name, justify="left" if name in {"", "measured on"} else "right", no_wrap=True
        )
    rows = [
        ("rank-1, all held out", every.rank1, f"{every.probes:,} photos"),
        ("rank-1, none set aside", clean.rank1, f"{clean.probes:,} photos"),
        ("rank-5, all held out", every.rank5, f"{every.probes:,} photos"),
    ]
    if (open_set := result.open_set) is not None:
        strangers = f"{open_set.stranger_people:,} strangers, {open_set.strangers:,} photos"
        rows += [
            ("named right (DIR)", open_set.policy.dir, f"{open_set.probes:,} photos"),
            ("strangers named (FPIR)", open_set.policy.fpir, strangers),
        ]
    for name, rate, measured_on in rows:
        ends = f"{100 * rate.low:.2f} to {100 * rate.high:.2f} %"
        table.add_row(name, f"{100 * rate.value:.2f} %", ends, measured_on)
    out.print(table)
    out.print(
        f"of {every.probes:,} photos {did.right:,} named right, {did.unknown:,} called unknown,"
        f" {did.wrong:,} named wrong; calibration error {100 * result.ece:.2f} %",
        soft_wrap=True,
    )


def _show_lfw(result: LfwResult) -> None:
    out.print(
        f"accuracy {result.accuracy.value:.4f} ± {result.standard_error:.4f}"
        f" on {len(result.scores):,} pairs ({result.rule})",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False)
    for name in ("FAR", "TAR", "95 % interval", "threshold"):
        table.add_column(name, justify="right")
    for exponent, (point, tar) in enumerate(result.at_far, 1):
        table.add_row(
            f"1e-{exponent}",
            f"{tar.value:.4f}",
            f"{tar.low:.4f} to {tar.high:.4f}",
            f"{point.threshold:.4f}",
        )
    out.print(table)
    out.print(f"equal error rate {result.equal_error:.4f}")
    if result.missed:
        out.print(f"{len(result.missed):,} photos missed; their pairs count with similarity -1")


def _licence(weights: ModelCard | Weights) -> str:
    return (
        f"{weights.id}: {weights.licence}, {weights.publisher}."
        f" Training photos: {weights.trained_on}"
    )


def _now() -> datetime:
    return datetime.now().astimezone()
