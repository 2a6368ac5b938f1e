"""A dataset that is published while system calls fail is the old one or the new one, whole."""

from __future__ import annotations

import json
import shutil

import pytest
from squares import SquareEngine, people_folder

from faults import every_fault, no_waiting  # noqa: F401
from mien.dataset import Dataset
from mien.dataset.build import build
from mien.dataset.storage.dataset_folder import finish_move, publish
from mien.dataset.storage.decisions import append_decisions, read_decisions
from mien.dataset.storage.opened_dataset import CARD, resolve

pytestmark = pytest.mark.usefixtures("no_waiting")

FILES = ("manifest.csv", "embeddings.npy")


def write(folder, text):
    publish(folder, {"text": text}, {name: text.encode() for name in FILES})


def text_of(folder):
    text = json.loads(resolve(folder, CARD).read_text())["text"]
    assert {resolve(folder, name).read_text() for name in FILES} == {text}
    return text


@pytest.mark.parametrize("unfinished", [False, True])
def test_publish(tmp_path, unfinished):
    out = tmp_path / "out"

    def restart():
        shutil.rmtree(out, ignore_errors=True)
        write(out, "old")
        if unfinished:  # a writer was killed when it had moved one file
            write(out, "older")
            write(tmp_path / "other", "old")
            (out / ".next").mkdir()
            for name in (*FILES[1:], CARD):
                shutil.copy(tmp_path / "other" / name, out / ".next" / name)
            shutil.copy(tmp_path / "other" / FILES[0], out / FILES[0])
            assert text_of(out) == "old"

    restart()
    points = 0
    for fault in every_fault(lambda: write(out, "new")):
        restart()
        fault.run(lambda: write(out, "new"))
        assert text_of(out) in {"old", "new"}, fault
        finish_move(out)  # the next writer begins so
        assert text_of(out) in {"old", "new"}, fault
        write(out, "newest")
        assert text_of(out) == "newest"
        points += 1
    assert points >= 120


def test_build_again(tmp_path):
    """A whole build, with its crops, is done again."""
    photos = people_folder(tmp_path / "photos", people=2, photos=2)
    out = tmp_path / "out"
    old = build([str(photos)], out, SquareEngine()).digest
    people_folder(photos, people=3, photos=2)
    shutil.copytree(out, tmp_path / "old")
    new = build([str(photos)], out, SquareEngine()).digest
    assert new != old
    points = 0

    def restart():
        shutil.rmtree(out)
        shutil.copytree(tmp_path / "old", out)

    restart()
    for fault in every_fault(lambda: build([str(photos)], out, SquareEngine())):
        if fault.number % 3 or fault.persists or fault.error == 4:
            continue  # each takes a build
        restart()
        fault.run(lambda: build([str(photos)], out, SquareEngine()))
        assert Dataset.open(out).digest in {old, new}, fault
        points += 1
    assert build([str(photos)], out, SquareEngine()).digest == new
    assert points >= 50


def test_append_decisions(tmp_path):
    def write_again():
        append_decisions(tmp_path, "drop", [("second", "", "")])

    def restart():
        (tmp_path / "decisions.csv").unlink(missing_ok=True)
        append_decisions(tmp_path, "keep", [("first", "", "")])

    restart()
    for fault in every_fault(write_again):
        if fault.persists:
            continue
        restart()
        fault.run(write_again)
        assert read_decisions(tmp_path).entries["first"] == "keep"
