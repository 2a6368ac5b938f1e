"""Atomic replacement of a deployment's folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from mien.deploy.packaging import folder as folders
from mien.deploy.packaging.folder import replacing
from mien.errors import NotADeployment, OutputError

MARKER = "ship.json"


def write(folder, text):
    with replacing(folder, MARKER) as new:
        (new / MARKER).write_text(text)
        (new / "deep").mkdir()
        (new / "deep" / "file").write_text(text)


def test_folder_is_written_and_replaced(tmp_path):
    out = tmp_path / "not" / "there" / "yet"
    write(out, "one")
    write(out, "two")
    assert (out / "deep" / "file").read_text() == "two"
    assert [path.name for path in out.parent.iterdir()] == ["yet"]
    assert out.stat().st_mode & 0o777 == 0o755


def test_systems_that_cannot_swap_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_exchanged", lambda *_: False)
    write(tmp_path / "out", "one")
    write(tmp_path / "out", "two")
    assert (tmp_path / "out" / MARKER).read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (tmp_path / "out").rename(tmp_path / ".out.old")  # killed between the two renames
    with pytest.raises(RuntimeError), replacing(tmp_path / "out", MARKER):
        raise RuntimeError
    assert (tmp_path / "out" / MARKER).read_text() == "two"


def test_other_folders_are_not_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("photos", "file"):
        with pytest.raises(NotADeployment):
            write(tmp_path / name, "new")
    assert (tmp_path / "photos" / "a.jpg").read_text() == "mine"
    with pytest.raises(OutputError):
        write(tmp_path / "file" / "below", "new")


@pytest.mark.parametrize("swaps", [True, False])
def test_a_symlink_to_a_folder_is_written_through(tmp_path, monkeypatch, swaps):
    if not swaps:
        monkeypatch.setattr(folders, "_exchanged", lambda *_: False)
    (tmp_path / "link").symlink_to("real")
    for text in ("one", "two"):
        write(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / MARKER).read_text() == text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_pipes_devices_and_loops_of_symlinks_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for name in ("pipe", "null", "a"):
        with pytest.raises(NotADeployment):
            write(tmp_path / name, "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "null", "pipe"]


@pytest.mark.parametrize("swaps", [True, False])
@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127])
def test_a_folder_with_a_name_of_255_bytes(tmp_path, monkeypatch, name, swaps):
    if not swaps:
        monkeypatch.setattr(folders, "_exchanged", lambda *_: False)
    for text in ("one", "two"):
        write(tmp_path / name, text)
        assert (tmp_path / name / MARKER).read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("swaps", [True, False])
def test_the_parent_folder_is_synced_after_the_rename(tmp_path, monkeypatch, swaps):
    if not swaps:
        monkeypatch.setattr(folders, "_exchanged", lambda *_: False)
    synced = []
    sync = folders.sync_folder
    monkeypatch.setattr(folders, "sync_folder", lambda path: (synced.append(path), sync(path)))
    for text in ("one", "two"):
        synced.clear()
        write(tmp_path / "out", text)
        assert [path.name for path in synced[:-1]] == ["deep", synced[1].name]
        assert synced[-1] == tmp_path


def test_a_second_rename_that_fails_restores_the_old_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_exchanged", lambda *_: False)
    write(tmp_path / "out", "one")
    rename = os.rename

    def fail_once(source, target):
        if str(source).endswith(".part"):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_once)
    with pytest.raises(OutputError, match="No space left"):
        write(tmp_path / "out", "two")
    assert (tmp_path / "out" / MARKER).read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def write_file_over_a_folder(out):
    with replacing(out, MARKER) as new:
        (new / MARKER).write_text("two")
        (new / ".").write_text("not a file")


def test_failure_leaves_the_old_folder(tmp_path):
    write(tmp_path / "out", "one")
    with pytest.raises(OutputError):
        write_file_over_a_folder(tmp_path / "out")
    assert (tmp_path / "out" / MARKER).read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


WRITER = """
import sys
from pathlib import Path
from mien.deploy.packaging.folder import replacing
print("ready", flush=True)
for turn in range(10_000):
    with replacing(Path(sys.argv[1]), "ship.json") as new:
        for name in ("ship.json", "other"):
            (new / name).write_text(str(turn))
"""


def test_killed_process_leaves_one_complete_folder(tmp_path):
    out = tmp_path / "out"
    for milliseconds in (20, 33, 51):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(out)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(milliseconds / 1000)
            os.kill(writer.pid, signal.SIGKILL)
        if out.exists():
            assert (out / MARKER).read_text() == (out / "other").read_text()
    write(out, "after")
    assert (out / MARKER).read_text() == "after"
