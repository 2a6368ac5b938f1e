"""Command group `mien dataset`."""

from __future__ import annotations

import click

from mien.cli.dataset.build import build
from mien.cli.dataset.checks import check, leaks
from mien.cli.dataset.decision_commands import different, drop, keep, same
from mien.cli.dataset.show import review, show


@click.group(
    epilog="\b\nExamples:\n"
    "  mien dataset build photos/ -o people\n"
    "  mien dataset review people\n"
    "  mien dataset show people",
)
def dataset() -> None:
    """Turn photos of people into a clean, split dataset."""


for _command in (build, review, keep, drop, same, different, show, check, leaks):
    dataset.add_command(_command)
