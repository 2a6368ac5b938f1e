"""Builds that are interrupted, read while written, and limited in memory."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from squares import SquareEngine, people_folder, person, photo_bytes, write

from mien.dataset import Dataset
from mien.dataset.build import build
from mien.dataset.extract import extract
from mien.dataset.sources.layout import Item
from mien.dataset.storage.ledger import LEDGER, Ledger
from mien.dataset.storage.opened_dataset import NEXT
from mien.errors import NotADataset

BUILDER = Path(__file__).parent / "slow_builder.py"


@pytest.fixture
def photos(tmp_path):
    return people_folder(tmp_path / "photos")


@pytest.fixture
def made(tmp_path, photos):
    return build([str(photos)], tmp_path / "out", SquareEngine())


class Interrupted(BaseException):
    """Simulated interruption of the process."""


@pytest.mark.usefixtures("made")
def test_a_reader_sees_the_old_result_or_the_new(tmp_path, photos, monkeypatch):
    """The writer is interrupted before each of its renames in turn."""
    write(photos / "Person_00" / "new.png", person(0, 9))
    out, real = tmp_path / "out", Path.replace
    seen = set()
    for stop in range(40):
        shutil.rmtree(out)
        (photos / "Person_00" / "new.png").rename(tmp_path / "moved.png")
        old = build([str(photos)], out, SquareEngine()).digest
        (tmp_path / "moved.png").rename(photos / "Person_00" / "new.png")
        left = stop

        def replace(path, target):
            nonlocal left
            if path.suffix != ".part" or "crops" not in path.parts:
                if left == 0:
                    raise Interrupted
                left -= 1
            return real(path, target)

        monkeypatch.setattr(Path, "replace", replace)
        try:
            new = build([str(photos)], out, SquareEngine()).digest
        except Interrupted:
            monkeypatch.setattr(Path, "replace", real)
            digest = Dataset.open(out).digest
            seen.add("old" if digest == old else digest)
            final = build([str(photos)], out, SquareEngine())
            assert digest in (old, final.digest)
            assert not (out / NEXT).exists()
            assert Dataset.open(out).digest == final.digest
        else:
            assert new != old
            break
    else:
        pytest.fail("the writer did not finish")
    assert len(seen) == 2


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
def test_a_killed_build_continues(tmp_path):
    source = people_folder(tmp_path / "photos", people=12, photos=10)
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in source.rglob("*.png"):
            file.write(path, path.relative_to(tmp_path))
    out = tmp_path / "out"
    command = [sys.executable, str(BUILDER), str(archive), str(out), "0.01"]
    done = []
    for wanted in (15, 40, 70):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                if line.strip().isdigit() and int(line) >= wanted:
                    process.send_signal(signal.SIGKILL)
                    break
        with pytest.raises(NotADataset):
            Dataset.open(out)
        base = sqlite3.connect(out / LEDGER)
        done.append(base.execute("SELECT count(*) FROM photos").fetchone()[0])
        faces = base.execute("SELECT count(*) FROM faces").fetchone()[0]
        base.close()
        assert faces == done[-1]
        time.sleep(0.05)
    assert done == sorted(done)
    assert done[-1] > 0
    engine = SquareEngine()
    made = build([str(archive)], out, engine)
    assert engine.photos_read == 120 - done[-1]
    fresh = build([str(archive)], tmp_path / "fresh", SquareEngine())
    assert made.digest == fresh.digest


def test_few_photos_are_in_memory_at_a_time(tmp_path):
    """Photos are loaded only a few at a time, however many there are."""
    held, most = 0, 0

    class Counting(SquareEngine):
        def detect(self, photo):
            nonlocal held, most
            held += 1
            most = max(most, held)
            found = super().detect(photo)
            held -= 1
            return found

    loaded = 0

    def photos():
        nonlocal loaded
        for i in range(200):
            loaded += 1
            data = photo_bytes(person(i % 200))
            yield Item("s", "Ada", f"{i}.png"), lambda data=data: data

    (tmp_path / "out").mkdir()
    ledger = Ledger(tmp_path / "out", "stamp")
    for done, _ in enumerate(extract(photos(), Counting(seconds=0.001), ledger, jobs=2), 1):
        assert loaded - done <= 8
    ledger.close()
    assert most <= 2
