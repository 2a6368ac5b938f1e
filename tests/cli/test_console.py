"""Progress of long work, as lines for a log."""

from __future__ import annotations

import io
import json

import pytest
from rich.markup import escape
from rich.table import Table

from mien.cli import console, main

EVIL = "Ada\x1b[2J\x1b]0;title\x07\x9b31m\rBob\u202ebob\u2066 Zoë\u0301"
PLAIN = "Ada[2J]0;title31mBobbob Zoë\u0301"


def test_a_log_gets_a_line_every_few_seconds(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with console.progress_bar() as progress:
        for done in range(1, 25):
            now = float(done)
            progress(done, 24 if done < 20 else None, "photos [of LFW]")
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "photos [of LFW]: 5 of 24",
        "photos [of LFW]: 10 of 24",
        "photos [of LFW]: 15 of 24",
        "photos [of LFW]: 20",
    ]


def test_short_work_prints_no_line(capsys):
    with console.progress_bar() as progress:
        progress(1, 1, "photos")
    assert capsys.readouterr().err == ""


def test_work_with_a_line_has_one_at_its_end(monkeypatch, capsys):
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with console.progress_bar() as progress:
        for done in range(1, 8):
            now = float(done)
            progress(done, 7, "photos")
        progress(1, 1, "crops")
    assert capsys.readouterr().err.splitlines() == ["photos: 5 of 7", "photos: 7 of 7"]


def test_no_control_character_of_a_name_reaches_the_terminal(capsys):
    table = Table(EVIL)
    table.add_row(escape(EVIL))
    console.out.print(table)
    console.out.print(f"[bold]{escape(EVIL)}[/bold] has 2 photos", soft_wrap=True)
    console.note(EVIL)
    console.report_error(EVIL, hint=EVIL)
    said = capsys.readouterr()
    assert PLAIN in said.out
    assert said.err.count(PLAIN) == 3
    for text in (said.out, said.err):
        assert not [char for char in text if char in EVIL and char not in PLAIN and char != "\n"]


def test_a_terminal_still_gets_colours():
    screen = io.StringIO()
    shown = console._SafeConsole(
        file=screen, force_terminal=True, color_system="standard", highlight=False
    )
    shown.print(f"[red]fault:[/red] {escape(EVIL)}")
    assert screen.getvalue().startswith("\x1b[31mfault:\x1b[0m Ada[2J")


def test_json_keeps_the_value_and_escapes_its_controls(capsys):
    console.print_json({"name": EVIL})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"name": EVIL}
    assert "Zoë" in printed
    assert not {"\x1b", "\x9b", "\u202e", "\u2066"} & set(printed)


def test_a_wrong_argument_is_quoted_without_controls(capsys):
    with pytest.raises(SystemExit):
        main(["models", "verify", "\x1b[2J"])
    assert "\x1b" not in capsys.readouterr().err
