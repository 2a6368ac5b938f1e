"""`mien train`: train a recognizer from a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from mien.cli.console import note, out, print_json, progress_bar
from mien.cli.hints import TRAINING_HINTS, notice_text
from mien.cli.rates import LEAST_RATE, Share
from mien.text import count

if TYPE_CHECKING:
    from mien.recognizer import Recognizer, Weights
    from mien.training import LeaveOneOut


@click.command(
    epilog="\b\nExamples:\n"
    "  mien train people -o people.onnx\n"
    "  mien train friends -o friends.onnx --strangers lfw-dataset --false-positive-rate 0.001\n"
    "  mien train friends -o friends.onnx --confidence 0.95\n"
    "  mien train friends --leave-one-out"
)
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Recognizer file to write.")
@click.option(
    "--head",
    type=click.Choice(("auto", "prototype", "softmax", "margin")),
    default="auto",
    show_default=True,
    help="Kind of head; auto chooses by cross-validation.",
)
@click.option(
    "--false-positive-rate",
    "rate",
    type=Share(LEAST_RATE),
    default=0.01,
    show_default=True,
    help="Share of strangers who may be given any name.",
)
@click.option(
    "--confidence",
    type=Share(),
    help="Hold the rate with this confidence, such as 0.95, for the very gallery at hand. Without "
    "it the rate holds on average over galleries, some of which are above it.",
)
@click.option(
    "--strangers",
    type=click.Path(path_type=Path),
    metavar="DATASET",
    help="A dataset of other people, such as LFW; people with a name of yours are left out.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Random seed.",
)
@click.option(
    "--leave-one-out", "one_out", is_flag=True, help="Only identify each photo by all others."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(
    *,
    dataset: Path,
    output: Path | None,
    head: Any,
    rate: float,
    confidence: float | None,
    strangers: Path | None,
    seed: int,
    one_out: bool,
    as_json: bool,
) -> None:
    """Train a recognizer of the people in DATASET, a folder made by `mien dataset build`.

    Only the training side of the dataset's split is used.
    """
    if output is None and not one_out:
        raise click.UsageError("give the recognizer file to write: -o people.onnx")
    # Heavy, and not needed for --help.
    from mien.training import leave_one_out  # noqa: PLC0415
    from mien.training import train as fit  # noqa: PLC0415

    if one_out:
        with progress_bar() as progress:
            result = leave_one_out(dataset, progress=progress)
        _show_left_out(result, as_json=as_json)
    if output is None:
        return
    with progress_bar() as progress:
        recognizer = fit(
            dataset,
            head=head,
            false_positive_rate=rate,
            confidence=confidence,
            strangers=strangers,
            seed=seed,
            progress=progress,
        )
    recognizer.save(output)
    report = _worded(recognizer.training)
    if as_json:
        if not one_out:
            licences = [licence_of(weights) for weights in recognizer.weights]
            print_json({"recognizer": str(output), "weights": licences, **report})
    else:
        _show(recognizer, report, output)
    for warning in report["warnings"]:
        note(f"warning: {warning}")


def licence_of(weights: Weights) -> dict[str, str]:
    """Return id, licence and publisher of the weights in a file."""
    return {"id": weights.id, "licence": weights.licence, "publisher": weights.publisher}


def _worded(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a training report with the options that its texts are about."""
    skipped = [
        {**row, "why": f"{row['why']}: ask for it with --head {row['head']}"}
        for row in report["skipped"]
    ]
    warnings = [
        notice_text(code, text, TRAINING_HINTS)
        for code, text in zip(report["warning_codes"], report["warnings"], strict=True)
    ]
    return {**report, "skipped": skipped, "warnings": warnings}


def _show(recognizer: Recognizer, report: Mapping[str, Any], output: Path) -> None:
    policy = recognizer.policy
    if report["cross_validation"]:
        out.print(_tried(report))
        for skipped in report["skipped"]:
            out.print(f"{skipped['head']} was not tried: {escape(skipped['why'])}")
    if losses := report["loss"]:
        shown = losses[:: -(-len(losses) // 12)]
        if len(shown) < len(losses):
            shown = [*shown, losses[-1]]
        curve = " ".join(f"{loss:.3g}" for loss in shown)
        out.print(f"loss over {len(losses)} epochs: {curve}")
    out.print(
        f"unknown below similarity {policy.threshold:.3f}: {policy.expected.value:.2%} of "
        f"strangers given a name, {100 * policy.false_positive_rate:.3g}% requested, "
        f"{policy.support}"
    )
    low, high = policy.expected.low, policy.expected.high
    searched = count(report["policy"]["stranger_people"], "stranger")
    out.print(f"  95 % interval {low:.2%} to {high:.2%}; {searched} searched in this gallery")
    out.print("  " + escape(policy.source))
    ece = report["probability"]["ece"]
    if ece is not None:
        out.print(f"probabilities: expected calibration error {ece:.2%} (cross-fitted)")
    for weights in recognizer.weights:
        out.print(f"weights inside: {weights.id}, {weights.licence}, {escape(weights.publisher)}")
    out.print(
        f"[bold]{escape(str(output))}[/bold] knows "
        f"{count(report['people'], 'person', 'people')} from {count(report['photos'], 'photo')}"
    )


def _tried(report: Mapping[str, Any]) -> Table:
    table = Table("", "head", "discount", "rank-1", "95 % interval", box=None)
    table.caption = f"of {report['held_out']:,} training photos held out in turn"
    table.caption_justify = "left"
    for row in report["cross_validation"]:
        low, high = row["rank1_interval"]
        table.add_row(
            "chosen" if row["chosen"] else "",
            row["head"],
            f"{row['discount']:g}",
            f"{row['rank1']:.2%}",
            f"{low:.2%} to {high:.2%}",
        )
    return table


def _show_left_out(result: LeaveOneOut, *, as_json: bool) -> None:
    if as_json:
        print_json(result.to_dict())
        return
    rate = result.rate
    out.print(
        f"[bold]{result.correct:,} of {result.total:,}[/bold] photos named right by the others "
        f"(95 % interval {rate.low:.2%} to {rate.high:.2%})"
    )
    for photo, name in result.wrong:
        out.print(f"  {escape(photo)}: taken for {escape(name)}", soft_wrap=True)
