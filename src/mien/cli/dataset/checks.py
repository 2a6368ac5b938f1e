"""Commands that check a dataset: `mien dataset check` and `leaks`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np
from rich.markup import escape
from rich.table import Table

from mien.cli.console import note, out, print_json, progress_bar
from mien.dataset import Dataset
from mien.dataset.audit.evidence_page import write_evidence
from mien.dataset.audit.leaks import KINDS as LEAKS
from mien.dataset.audit.leaks import Leak, LeakAudit, audit
from mien.dataset.audit.suspects import KINDS, Suspect, find_suspects
from mien.errors import NotADataset
from mien.policy import NOT_CALIBRATED, CleaningLimits
from mien.types import Interval

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_MAX_LISTED = 10
_UNCALIBRATED = f"warning: only photos of the same bytes are compared: {NOT_CALIBRATED}."


@click.command(
    epilog="\b\nExamples:\n"
    "  mien dataset check people\n"
    "  mien dataset check people -o check.html\n"
    "  mien dataset check people --json --limit 1000"
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="HTML",
    help="Write a page with the pictures to this file.",
)
@click.option(
    "--limit",
    default=_MAX_LISTED,
    show_default=True,
    type=click.IntRange(0),
    help="Maximum number of labels listed.",
)
@_JSON
def check(folder: Path, output: Path | None, limit: int, *, as_json: bool) -> None:
    """Check that a dataset is complete, and list labels that are likely wrong.

    Complete: its files match and no crop is missing. Likely wrong, most likely first: photos of
    another person, one person under two names, the same picture twice.
    """
    result = Dataset.open(folder)
    lost = [entry for entry in result.entries if entry.crop and result.crop(entry) is None]
    if lost:
        raise NotADataset(
            f"{folder}: {len(lost)} crops are missing or damaged, the first {lost[0].crop}",
            hint="Run the same `mien dataset build` again: finished work is kept.",
        )
    note(f"{folder}: complete, {len(result.entries):,} entries, digest {result.digest[:16]}")
    _say_uncalibrated(result)
    with progress_bar() as progress:
        suspects = find_suspects(result, progress=progress)
    if output:
        write_evidence(output, result, suspects)
        note(f"evidence: {output}")
    if as_json:
        print_json([_suspect_json(suspect) for suspect in suspects[:limit]])
    else:
        _print_suspects(suspects, limit)


def _say_uncalibrated(dataset: Dataset) -> None:
    if CleaningLimits.of(dataset.statistics) is None:
        note(_UNCALIBRATED)


def _print_suspects(suspects: Sequence[Suspect], limit: int) -> None:
    for number, suspect in enumerate(suspects[:limit], 1):
        photo = suspect.entries[0].photo
        line = f"{number:>3}  {KINDS[suspect.kind]}: {' / '.join(suspect.people)}"
        out.print(escape(f"{line}  {photo}  ({suspect.evidence})"), soft_wrap=True)
    if len(suspects) > limit:
        note(f"and {len(suspects) - limit:,} more, less likely: -o check.html shows them.")


def _suspect_json(suspect: Suspect) -> dict[str, Any]:
    return {
        "kind": suspect.kind,
        "score": suspect.score,
        "people": list(suspect.people),
        "photos": [entry.photo for entry in suspect.entries],
        "entries": [entry.id for entry in suspect.entries],
        "compared": [entry.photo for entry in suspect.compared],
        "evidence": suspect.evidence,
    }


@click.command(
    epilog="\b\nExamples:\n"
    "  mien dataset leaks people\n"
    "  mien dataset leaks train/ validation/\n"
    "  mien dataset leaks train/ validation/ -o both --json",
)
@click.argument("first", metavar="DATASET|TRAIN", type=click.Path(path_type=Path))
@click.argument("second", metavar="[VALIDATION]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep the dataset made of TRAIN and VALIDATION here, so that the next run is quick.",
)
@_JSON
def leaks(first: Path, second: Path | None, output: Path | None, *, as_json: bool) -> None:
    """List validation photos that are copies of training photos: mirrored, cut or resized too.

    Give a dataset with its own split, or the folders of both sides, each with a folder per person.
    """
    with progress_bar() as progress:
        if second is None:
            found = audit(Dataset.open(first), progress=progress)
        elif output is not None:
            found = _audit_folders(first, second, output)
        else:
            with TemporaryDirectory(prefix="mien-leaks-") as folder:
                found = _audit_folders(first, second, Path(folder) / "both")
    if not found.by_similarity:
        note(_UNCALIBRATED)
    if as_json:
        print_json(_as_json(found))
    else:
        _print_audit(found)


def _audit_folders(train: Path, validation: Path, folder: Path) -> LeakAudit:
    from mien.dataset.build import build  # noqa: PLC0415
    from mien.engine import Engine  # noqa: PLC0415

    with progress_bar() as progress:
        engine = Engine.open(threads=1, progress=progress)
        both = build((str(train), str(validation)), folder, engine, progress=progress)
        label = both.card["sources"][0]["label"]
        sides = np.array([entry.source == label for entry in both.rows], np.bool_)
        return audit(both, sides, progress=progress)


def _print_audit(found: LeakAudit) -> None:
    leaking = len(found.leaks)
    out.print(
        f"{leaking:,} of {found.validation:,} validation photos are copies of training photos"
        + (":" if leaking else f" ({found.train:,} training photos)."),
        soft_wrap=True,
    )
    for kind, words in LEAKS.items():
        if found.counts.get(kind):
            out.print(f"  {found.counts[kind]:,} {words}")
    table = Table(box=None, pad_edge=False)
    for name in ("photos each", "validation", "leaking", "rank-1", "without", "95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in found.people:
        last = f" to {row.last}" if row.last < 10**6 else " or more"
        name = f"{row.first}" + (last if row.last > row.first else "")
        table.add_row(name, *_cells(row.validation, row.leaking, row.rank1, row.rank1_clean))
    table.add_row("all", *_cells(found.validation, leaking, found.rank1, found.rank1_clean))
    out.print(table)
    for leak in found.leaks[:_MAX_LISTED]:
        note(
            f"{LEAKS[leak.kind]}: {leak.validation.photo} and {leak.train.photo} ({leak.evidence})"
        )
    if leaking > _MAX_LISTED:
        note(f"and {leaking - _MAX_LISTED:,} more: see --json")


def _cells(validation: int, leaking: int, every: Interval, clean: Interval) -> tuple[str, ...]:
    known = leaking < validation
    return (
        f"{validation:,}",
        f"{leaking:,}",
        f"{100 * every.value:.2f} %",
        f"{100 * clean.value:.2f} %" if known else "-",
        f"{100 * clean.low:.2f} to {100 * clean.high:.2f}" if known else "",
    )


def _as_json(found: LeakAudit) -> dict[str, Any]:
    return {
        "train": found.train,
        "validation": found.validation,
        "leaking": len(found.leaks),
        "by_similarity": found.by_similarity,
        "kinds": found.counts,
        "rank1": found.rank1.value,
        "rank1_without_leaks": _rate(found.rank1_clean),
        "people": [
            {
                **asdict(row),
                "rank1": row.rank1.value,
                "rank1_clean": _rate(row.rank1_clean),
                "rank1_clean_interval": [row.rank1_clean.low, row.rank1_clean.high],
            }
            for row in found.people
        ],
        "leaks": [_leak_json(leak) for leak in found.leaks],
    }


def _leak_json(leak: Leak) -> dict[str, str]:
    return {
        "kind": leak.kind,
        "evidence": leak.evidence,
        "validation": leak.validation.photo,
        "validation_person": leak.validation.person,
        "train": leak.train.photo,
        "train_person": leak.train.person,
    }


def _rate(interval: Interval) -> float | None:
    return interval.value if isfinite(interval.value) else None
