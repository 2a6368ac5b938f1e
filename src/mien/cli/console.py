"""What a person sees: progress and errors on standard error, results on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from mien.types import Progress

err = Console(stderr=True, highlight=False)
out = Console(highlight=False)


def report_error(message: str, hint: str = "") -> None:
    """Print an error and what to do about it on standard error."""
    err.print(f"[red]error:[/red] {escape(message)}", soft_wrap=True)
    if hint:
        err.print(f"  {escape(hint)}", soft_wrap=True)


def note(message: str) -> None:
    """Print a line for the person at the terminal on standard error; no markup."""
    err.print(escape(message), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON value on standard output, names as they are written."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False))


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a `Progress` that draws on standard error: a bar, or tenths where no terminal is."""
    if not sys.stderr.isatty():
        yield _Tenths()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=err, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(done: int, total: int | None, what: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(escape(what), total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield show


class _Tenths:
    """One line for each tenth of the work, for logs."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def __call__(self, done: int, total: int | None, what: str) -> None:
        tenth = 10 * done // total if total else done // 1000
        if self._last.get(what) != tenth:
            self._last[what] = tenth
            err.print(f"{escape(what)}: {done}" + (f" of {total}" if total else ""), soft_wrap=True)
