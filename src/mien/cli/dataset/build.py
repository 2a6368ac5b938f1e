"""Command `mien dataset build`."""

from __future__ import annotations

import re
from pathlib import Path

import click

from mien.cli.console import note, print_json, progress_bar
from mien.cli.dataset.show import print_summary, print_warnings
from mien.cli.rates import Share
from mien.dataset import Dataset, MarginCrop, build_dataset
from mien.graph.settings import DetectionSettings
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER

_MAX_LISTED = 10


@click.command(
    epilog="\b\n"
    "A SOURCE is one of\n"
    "  a folder with a folder per person      a .zip, .tar or .tgz of that\n"
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
    help="The dataset's folder. An interrupted build there continues.",
)
@click.option(
    "--train-share",
    default=0.7,
    show_default=True,
    type=Share(),
    help="Share of each person's photos to train on; the rest is for validation.",
)
@click.option("--seed", default=0, show_default=True, help="Random seed of the split.")
@click.option(
    "--keep-apart", is_flag=True, help="The same name in two sources is two people, not one."
)
@click.option(
    "--crop",
    metavar="margin:N",
    callback=lambda _ctx, _param, value: _margin_pixels(value),
    help="Also write unaligned crops: the face's box and N more pixels, as a square.",
)
@click.option("--size", default=160, show_default=True, help="Side of the --crop crops in pixels.")
@click.option(
    "--flip-singletons",
    is_flag=True,
    help="A LEAK, to reproduce an old figure: hold out the mirrored copy of a person's only photo.",
)
@click.option(
    "--max-members",
    metavar="N",
    type=click.IntRange(1),
    help="Refuse an archive with more than N members [default: 2000000]",
)
@click.option("--jobs", default=0, type=click.IntRange(0, 256), help="Threads [default: all cores]")
@click.option(
    "--embedder", metavar="ID", default=DEFAULT_EMBEDDER, show_default=True, help="Model id."
)
@click.option(
    "--detector", metavar="ID", default=DEFAULT_DETECTOR, show_default=True, help="Model id."
)
@click.option(
    "--detection-size",
    default=DetectionSettings().max_side,
    show_default=True,
    type=click.IntRange(DetectionSettings().min_side, 4096),
    help="Long side in pixels at which faces are detected: larger finds smaller faces, slower.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
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
    max_members: int | None,
    jobs: int,
    embedder: str,
    detector: str,
    detection_size: int,
    as_json: bool,
) -> None:
    """Find the person in each photo, set doubtful photos aside, split, and write a dataset.

    Nothing is deleted: photos that are set aside stay in the manifest with the reason, and `mien
    dataset review` shows them. Unchanged photos are not processed again.
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
            max_members=max_members,
            embedder=embedder,
            detector=detector,
            detection_size=detection_size,
            progress=progress,
        )
    _report_unreadable(result)
    if as_json:
        print_json(result.card)
        print_warnings(result)
    else:
        print_summary(result)


def _margin_pixels(value: str | None) -> int | None:
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


def _report_unreadable(result: Dataset) -> None:
    bad = [entry for entry in result.entries if entry.reason == "unreadable"]
    for entry in bad[:_MAX_LISTED]:
        note(f"not used: {entry.evidence}")
    if len(bad) > _MAX_LISTED:
        note(f"and {len(bad) - _MAX_LISTED} more that could not be read: see manifest.csv")
