"""Progress of long work, as lines for a log."""

from __future__ import annotations

from mien.cli import console


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
