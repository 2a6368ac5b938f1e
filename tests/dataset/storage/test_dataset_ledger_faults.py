"""The ledger of a build while each of SQLite's operations on files fails, or the process ends."""

from __future__ import annotations

import shutil
from contextlib import closing

import numpy as np
import pytest

from faults import no_waiting  # noqa: F401
from mien.dataset.storage.ledger import Ledger
from mien.dataset.storage.records import THUMB_SIDE, FaceRecord, Occurrence, PhotoRecord
from mien.quality import Quality
from sqlite_faults import check_recovery

pytestmark = pytest.mark.usefixtures("no_waiting")

STAMP = "models|2|settings"
THUMB = np.zeros((THUMB_SIDE, THUMB_SIDE), np.uint8)
FACES = 3
SAMPLE = 29
LARGE_SAMPLE = 211


def record(number: int, *, size: int = 9000) -> PhotoRecord:
    embedding = np.eye(8, dtype=np.float32)[0]
    face = FaceRecord(
        box=(0.0, 0.0, 9.0, 9.0), points=((1.0, 1.0),) * 5, score=0.9,
        quality=Quality(0.5, 0.5, 0.5, 0.5), embedding=embedding, mirrored=embedding,
        crop=b"j" * size, thumb=THUMB,
    )  # fmt: skip
    return PhotoRecord(f"{number:064x}", 90, 90, THUMB, (face,) * FACES)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "old"
    path.mkdir()
    with closing(Ledger(path, STAMP)) as ledger:
        ledger.add(record(1))
        ledger.finish([occurrence(1)], {"build": 1})
    return path


def occurrence(number: int) -> Occurrence:
    return Occurrence("source", "Ada", f"{number}.jpg", f"{number:064x}", "")


def recover(folder, step) -> int:
    path = folder.parent / "now"

    def prepare():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(folder, path)

    def work():
        with closing(Ledger(path, STAMP)) as ledger:
            ledger.add(record(2))
            ledger.commit()
            ledger.add(record(3))
            ledger.finish([occurrence(2), occurrence(3)], {"build": 2})

    def state():
        with closing(Ledger(path, STAMP)) as ledger:
            photos = {each.sha256: len(each.faces) for each in ledger.photos()}
            listed = [each.photo for each in ledger.occurrences()]
            return photos, listed, (ledger.settings() or {})["build"]

    first, second, third = (f"{n:064x}" for n in (1, 2, 3))
    more = ({first: FACES, second: FACES}, ["1.jpg"], 1)
    all_three = ({first: FACES, second: FACES, third: FACES}, ["1.jpg"], 1)
    return check_recovery(work, prepare, state, allowed=[more, all_three], step=step)


@pytest.mark.faults
def test_a_photo_larger_than_the_cache_is_stored_whole_or_not_at_all(folder):
    """SQLite writes parts of it before the commit, and the disk may fill at each."""
    path = folder.parent / "now"

    def prepare():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(folder, path)

    def work():
        with closing(Ledger(path, STAMP)) as ledger:
            ledger.add(record(2, size=1_100_000))

    def state():
        with closing(Ledger(path, STAMP)) as ledger:
            return {each.sha256: len(each.faces) for each in ledger.photos()}

    assert check_recovery(work, prepare, state, step=LARGE_SAMPLE) >= 10


def test_a_sample_of_the_faults_of_a_build(folder):
    assert recover(folder, SAMPLE) >= 4


@pytest.mark.faults
def test_every_fault_of_a_build(folder):
    assert recover(folder, 1) >= 100
