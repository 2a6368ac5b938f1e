"""Terminal output: progress and errors on standard error, results on standard output.

Names, notes and paths come from others. A control character in one could move the cursor or rewrite
what was printed, so none reaches the terminal.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.segment import Segment

from mien.text import controls_escaped, without_controls
from mien.types import Progress


class _SafeConsole(Console):
    """A console that prints control characters only where they are its own."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(without_controls(segment.text), segment.style)


err = _SafeConsole(stderr=True, highlight=False)
out = _SafeConsole(highlight=False)

_SECONDS_BETWEEN_LINES = 5
_SECONDS_BETWEEN_OBJECTS = 0.1


def report_error(message: str, hint: str = "") -> None:
    """Print an error and what to do about it on standard error."""
    err.print(f"[red]error:[/red] {escape(message)}", soft_wrap=True)
    if hint:
        err.print(f"  {escape(hint)}", soft_wrap=True)


def note(message: str) -> None:
    """Print a line on standard error, without markup."""
    err.print(escape(message), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print one JSON value on standard output; characters outside ASCII are kept.

    Control characters that JSON allows as they are become escapes: the value stays the same.
    """
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    click.echo(controls_escaped(text))


def print_line(text: str) -> None:
    """Print one line on standard output; to a program it goes as it is."""
    click.echo(without_controls(text) if sys.stdout.isatty() else text)


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a `Progress` that draws on standard error: a bar on a terminal, else lines.

    With `MIEN_PROGRESS=json` the lines are JSON objects, to be read by a program.
    """
    if os.environ.get("MIEN_PROGRESS") == "json":
        yield _JsonLines()
        return
    if not sys.stderr.isatty():
        yield _Lines()
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


class _Lines:
    """A line every few seconds, for logs, and one at the end; short work prints nothing."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._printed = ""

    def __call__(self, done: int, total: int | None, what: str) -> None:
        now = time.monotonic()
        ended = done == total and what == self._printed
        if ended or now - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = now
            self._printed = "" if ended else what
            err.print(f"{escape(what)}: {done}" + (f" of {total}" if total else ""), soft_wrap=True)


class _JsonLines:
    """One JSON object per line: `done`, `total` (null if unknown), `what`; ten lines per second."""

    def __init__(self) -> None:
        self._last = 0.0
        self._what = ""

    def __call__(self, done: int, total: int | None, what: str) -> None:
        now = time.monotonic()
        if now - self._last >= _SECONDS_BETWEEN_OBJECTS or what != self._what or done == total:
            self._last, self._what = now, what
            text = json.dumps({"done": done, "total": total, "what": what}, ensure_ascii=True)
            sys.stderr.write(text + "\n")
            sys.stderr.flush()
