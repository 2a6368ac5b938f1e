"""`mien train`: a recognizer from a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.markup import escape
from rich.table import Table

from mien.cli.console import note, out, print_json, progress_bar
from mien.cli.rates import LEAST_RATE, Share
from mien.text import count

if TYPE_CHECKING:
    from mien.dataset import Dataset
    from mien.engine import Engine
    from mien.training import LeaveOneOut, Training
    from mien.types import Progress


@click.command(
    epilog="\b\nExamples:\n"
    "  mien train people -o people.onnx\n"
    "  mien train friends -o friends.onnx --strangers lfw --false-positive-rate 0.001\n"
    "  mien train friends --leave-one-out"
)
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The recognizer's file.")
@click.option(
    "--head",
    type=click.Choice(("auto", "prototype", "softmax", "margin")),
    default="auto",
    show_default=True,
    help="How people are told apart; auto takes what does best in cross-validation.",
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
    "--strangers",
    type=click.Path(path_type=Path),
    metavar="DATASET",
    help="A dataset of other people, such as LFW; whoever has a name of yours is not counted.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of everything drawn at random.",
)
@click.option(
    "--leave-one-out", "one_out", is_flag=True, help="Only name each photo by all the others."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(
    *,
    dataset: Path,
    output: Path | None,
    head: Any,
    rate: float,
    strangers: Path | None,
    seed: int,
    one_out: bool,
    as_json: bool,
) -> None:
    """Train a recognizer of the people in DATASET, a folder made by `mien dataset build`.

    Only the training side of the dataset's split is used.
    """
    if output is None and not one_out:
        raise click.UsageError("say where the recognizer goes: -o people.onnx")
    # Heavy, and not needed for --help.
    from mien.dataset import Dataset  # noqa: PLC0415
    from mien.training import leave_one_out  # noqa: PLC0415

    photos = Dataset.open(dataset)
    if one_out:
        with progress_bar() as progress:
            result = leave_one_out(photos, progress=progress)
        _show_left_out(result, as_json=as_json)
    if output is None:
        return
    with progress_bar() as progress:
        engine = _engine_of(photos, progress)
        training = _train(
            photos, engine, progress, head=head, rate=rate, strangers=strangers, seed=seed
        )
    licences = _save(training, engine, photos, output)
    if as_json:
        if not one_out:
            print_json({"recognizer": str(output), "weights": licences, **training.report})
    else:
        _show(training, licences, output)
    for warning in training.report["warnings"]:
        note(f"warning: {warning}")


def _train(
    photos: Dataset,
    engine: Engine,
    progress: Progress,
    *,
    head: Any,
    rate: float,
    strangers: Path | None,
    seed: int,
) -> Training:
    from mien.dataset import Dataset  # noqa: PLC0415
    from mien.training import outsiders  # noqa: PLC0415
    from mien.training import train as fit  # noqa: PLC0415

    others, people = None, None
    if strangers is not None:
        found = Dataset.open(strangers)
        engine.check(found.contract, str(strangers))
        rows = outsiders(found, photos.people)
        others, people = found.embeddings[rows], found.labels[rows]
    return fit(
        photos,
        head=head,
        false_positive_rate=rate,
        strangers=others,
        stranger_people=people,
        stranger_source=f"the people of {strangers}",
        statistics=engine.embedder_card.impostors,
        seed=seed,
        progress=progress,
    )


def _engine_of(dataset: Dataset, progress: Progress) -> Engine:
    """Return an engine over the models and settings that the dataset was made with.

    Raises:
        ContractMismatch: the model of that name makes other embeddings now.
    """
    from mien.engine import DetectionSettings, Engine  # noqa: PLC0415

    models = {weights["kind"]: weights["id"] for weights in dataset.card["weights"]}
    settings = DetectionSettings(**dataset.card["detection"])
    engine = Engine.open(**models, settings=settings, progress=progress)
    engine.check(dataset.contract, str(dataset.path))
    return engine


def _save(
    training: Training, engine: Engine, dataset: Dataset, output: Path
) -> list[dict[str, str]]:
    """Write the recognizer and return the licences of the weights inside it."""
    from mien.recognizer import Recognizer  # noqa: PLC0415

    recognizer = Recognizer.build(
        training.head, engine, dataset=dataset.digest, measured=training.report
    )
    recognizer.save(output)
    return [
        {"id": weights.id, "licence": weights.licence, "publisher": weights.publisher}
        for weights in (recognizer.about.detector, recognizer.about.embedder)
    ]


def _show(training: Training, licences: list[dict[str, str]], output: Path) -> None:
    report, head = training.report, training.head
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
    policy = head.policy
    out.print(
        f"unknown below similarity {policy.threshold:.3f}: {policy.expected.value:.2%} of "
        f"strangers given a name, {100 * policy.false_positive_rate:.3g}% asked for, "
        f"{policy.support}"
    )
    if searched := report["policy"]["stranger_people"]:
        low, high = policy.expected.low, policy.expected.high
        out.print(f"  {searched:,} searched here say {low:.2%} to {high:.2%} (95 % interval)")
    out.print("  " + escape(policy.source))
    ece = report["probability"]["ece"]
    if ece is not None:
        out.print(f"probabilities: expected calibration error {ece:.2%} (cross-fitted)")
    for weights in licences:
        out.print(
            f"weights inside: {weights['id']}, {weights['licence']}, {escape(weights['publisher'])}"
        )
    out.print(
        f"[bold]{escape(str(output))}[/bold] knows "
        f"{count(report['people'], 'person', 'people')} from {count(report['photos'], 'photo')}"
    )


def _tried(report: dict[str, Any]) -> Table:
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
        wrong = [photo for photo, _ in result.wrong]
        print_json({"correct": result.correct, "total": result.total, "wrong": wrong})
        return
    rate = result.rate
    out.print(
        f"[bold]{result.correct:,} of {result.total:,}[/bold] photos named right by the others "
        f"(95 % interval {rate.low:.2%} to {rate.high:.2%})"
    )
    for photo, name in result.wrong:
        out.print(f"  {escape(photo)}: taken for {escape(name)}", soft_wrap=True)
