"""`mien evaluate lfw`, `pairs` and `all-pairs`: verification."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from mien.cli.console import note, out, print_json, progress_bar
from mien.text import count

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.evaluation import AllPairsResult, ScoredPairs
    from mien.models.cards import ModelCard
    from mien.recognizer import Weights
    from mien.types import Progress

COMMAND = "mien.command"
"""Key of the click context under which the command line is kept, for reports."""

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_REPORT = click.option(
    "--report", type=click.Path(path_type=Path), help="Write an HTML report here."
)
_SIZE = click.option(
    "--detection-size",
    type=click.IntRange(32, 4096),
    metavar="N",
    help="Search for faces with the photo's long side reduced to N pixels.",
)
_EMBEDDER = click.option(
    "--embedder", metavar="ID", help="Another embedder, see `mien models list`."
)


@click.command(
    short_help="Pairs of Labeled Faces in the Wild.",
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
@_SIZE
@_EMBEDDER
@_REPORT
@_JSON
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

    View 2 follows its ten-fold protocol. The person of a photo is the face nearest its centre. A
    photo without a face is counted as missed; its pairs have similarity -1.
    """
    from mien.engine import Pipeline  # noqa: PLC0415
    from mien.evaluation import (  # noqa: PLC0415
        Facts,
        evaluate_lfw,
        lfw_report,
        read_pairs,
        write_report,
    )

    compared = read_pairs(pairs_file)
    chosen = read_pairs(choose_on) if choose_on else None
    with progress_bar() as progress:
        engine = _engine(detection_size, embedder, progress)
        result = evaluate_lfw(
            Pipeline(engine, threads=1),
            root,
            compared,
            choose_on=chosen,
            keep_crops=report is not None,
            progress=progress,
        )
    if as_json:
        print_json(result.to_dict())
    else:
        _show(result.scored, result.missed)
    if report:
        facts = Facts(
            made=now(),
            command=ctx.meta[COMMAND],
            source=f"{root}, pairs of {pairs_file}",
            licences=(licence_of(engine.detector_card), licence_of(engine.embedder_card)),
        )
        write_report(report, lfw_report(result, facts))
        note(f"report: {report}")


@click.command(
    short_help="Your own pairs of photos.",
    epilog="\b\nExamples:\n"
    "  mien evaluate pairs pairs.csv\n"
    "  mien evaluate pairs test.csv --choose-on validation.csv --root photos/ --json",
)
@click.argument("listed", metavar="PAIRS.CSV", type=click.Path(path_type=Path))
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder that the paths are relative to [default: that of PAIRS.CSV].",
)
@click.option(
    "--choose-on",
    type=click.Path(path_type=Path),
    metavar="PAIRS.CSV",
    help="Choose the threshold on these pairs.",
)
@click.option(
    "--face",
    type=click.Choice(["largest", "centre"]),
    default="largest",
    show_default=True,
    help="Which face of a photo is compared.",
)
@_SIZE
@_EMBEDDER
@_JSON
def pairs(
    *,
    listed: Path,
    root: Path | None,
    choose_on: Path | None,
    face: str,
    detection_size: int | None,
    embedder: str | None,
    as_json: bool,
) -> None:
    """Compare your own pairs of photos, listed as lines of path,path,same.

    `same` is 1 or 0. A fourth column may number folds: the threshold of each is then the best one
    of the others. A photo without a face is counted as missed.
    """
    from mien.engine import Pipeline  # noqa: PLC0415
    from mien.evaluation import evaluate_pair_list, read_pair_list  # noqa: PLC0415
    from mien.evaluation.verification.embed_photos import centre_face, largest_face  # noqa: PLC0415

    compared = read_pair_list(listed)
    chosen = read_pair_list(choose_on) if choose_on else ()
    with progress_bar() as progress:
        engine = _engine(detection_size, embedder, progress)
        result = evaluate_pair_list(
            Pipeline(engine, threads=1),
            root or listed.parent,
            compared,
            which=largest_face if face == "largest" else centre_face,
            choose_on=chosen,
            progress=progress,
        )
    if as_json:
        print_json(result.to_dict())
    else:
        _show(result.scored, result.missed)


@click.command(
    "all-pairs",
    short_help="Every photo of a dataset against every other.",
    epilog="\b\nExamples:\n"
    "  mien evaluate all-pairs people\n"
    "  mien evaluate all-pairs people --report pairs.html --json",
)
@click.argument("dataset", metavar="DATASET", type=click.Path(path_type=Path))
@click.option("--every", is_flag=True, help="Also use photos that were set aside.")
@_REPORT
@_JSON
@click.pass_context
def all_pairs(
    ctx: click.Context, *, dataset: Path, every: bool, report: Path | None, as_json: bool
) -> None:
    """Compare every photo of DATASET with every other: 87 million pairs for LFW.

    Similarities are counted, not kept: memory does not grow with the number of pairs. Intervals
    come from resampling people.
    """
    from mien.dataset import Dataset  # noqa: PLC0415
    from mien.evaluation import (  # noqa: PLC0415
        Facts,
        all_pairs_report,
        evaluate_all_pairs,
        write_report,
    )

    opened = Dataset.open(dataset)
    with progress_bar() as progress:
        result = evaluate_all_pairs(opened, include_set_aside=every, progress=progress)
    if as_json:
        print_json(result.to_dict())
    else:
        _show_all(result)
    if report:
        weights = opened.card.get("weights", ())
        facts = Facts(
            made=now(),
            command=ctx.meta[COMMAND],
            source=str(dataset),
            licences=tuple(f"{w['id']}: {w['licence']}, {w['publisher']}" for w in weights),
        )
        write_report(report, all_pairs_report(result, facts))
        note(f"report: {report}")


def _engine(detection_size: int | None, embedder: str | None, progress: Progress) -> Engine:
    from mien.engine import DetectionSettings, Engine  # noqa: PLC0415

    settings = DetectionSettings()
    if detection_size:
        min_side = min(settings.min_side, detection_size)
        settings = replace(settings, max_side=detection_size, min_side=min_side)
    choices: dict[str, Any] = {"embedder": embedder} if embedder else {}
    return Engine.open(settings=settings, threads=1, progress=progress, **choices)


def _show(scored: ScoredPairs, missed: Sequence[str]) -> None:
    folded = f" ± {scored.standard_error:.4f}" if len(scored.folds) > 1 else ""
    out.print(
        f"accuracy {scored.accuracy.value:.4f}{folded}"
        f" on {len(scored.scores):,} pairs ({scored.rule})",
        soft_wrap=True,
    )
    rows = [
        (f"1e-{exponent}", f"{tar.value:.4f}", f"{tar.low:.4f} to {tar.high:.4f}", point.threshold)
        for exponent, ((point, _), tar) in enumerate(
            zip(scored.at_far, scored.tar_people, strict=True), 1
        )
    ]
    _rates(rows)
    out.print(f"equal error rate {scored.equal_error:.4f}")
    if missed:
        out.print(f"{count(len(missed), 'photo')} missed; their pairs have similarity -1")


def _show_all(result: AllPairsResult) -> None:
    out.print(
        f"{result.genuine.total:,} pairs of one person, {result.impostor.total:,} of two;"
        f" {count(result.photos, 'photo')} of {count(result.people, 'person', 'people')}",
        soft_wrap=True,
    )
    rows = []
    for at in result.at_far:
        found = at.interval
        ends = f"{found.low:.4f} to {found.high:.4f}" if found else ""
        rows.append((f"{at.far:.0e}", f"{at.point.tar:.4f}", ends, at.point.threshold))
    _rates(rows)
    out.print(f"equal error rate {result.equal_error:.4f}")


def _rates(rows: Sequence[tuple[str, str, str, float]]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("FAR", "TAR", "95 % interval, over people", "threshold"):
        table.add_column(name, justify="right", no_wrap=True)
    for far, tar, ends, threshold in rows:
        table.add_row(far, tar, ends, f"{threshold:.4f}")
    out.print(table)


def licence_of(weights: ModelCard | Weights) -> str:
    """Return a line on the licence of weights, for a report."""
    return (
        f"{weights.id}: {weights.licence}, {weights.publisher}."
        f" Training photos: {weights.trained_on}"
    )


def now() -> datetime:
    """Return the local time with its zone."""
    return datetime.now().astimezone()
