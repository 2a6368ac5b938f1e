"""A file that is written while system calls fail holds the old bytes or the new ones."""

from __future__ import annotations

from contextlib import suppress

import pytest

from faults import KILLED, every_fault, no_waiting  # noqa: F401
from mien.files import publish, replace_file

pytestmark = pytest.mark.usefixtures("no_waiting")

OLD, NEW = b"old" * 100, b"new" * 3_000


def set_old(folder):
    for path in folder.iterdir():
        path.unlink()
    (folder / "file").write_bytes(OLD)


@pytest.mark.parametrize("sync", [True, False])
def test_replace_file(tmp_path, sync):
    points = 0

    def write():
        replace_file(tmp_path / "file", NEW, sync=sync)

    set_old(tmp_path)
    for fault in every_fault(write):
        set_old(tmp_path)
        fault.run(write)
        assert (tmp_path / "file").read_bytes() in {OLD, NEW}, fault
        if fault.error != KILLED and not fault.persists:
            assert [path.name for path in tmp_path.iterdir()] == ["file"], fault
        write()  # the next writer succeeds, whatever is left
        assert (tmp_path / "file").read_bytes() == NEW
        points += 1
    assert points == (36 if sync else 18)


def test_replace_file_in_a_folder_that_is_missing(tmp_path):
    path = tmp_path / "a" / "b" / "file"

    def write():
        replace_file(path, NEW)

    def remove():
        for each in (path, path.parent, path.parent.parent):
            with suppress(OSError):
                each.unlink() if each.is_file() else each.rmdir()
            if each.is_dir():
                for left in each.iterdir():
                    left.unlink()
                each.rmdir()

    points = 0
    for fault in every_fault(write):
        remove()
        fault.run(write)
        assert not path.exists() or path.read_bytes() == NEW, fault
        points += 1
    assert points >= 48


def test_publish(tmp_path):
    def write():
        (tmp_path / "part").write_bytes(NEW)
        publish(tmp_path / "part", tmp_path / "file")

    points = 0
    for fault in every_fault(write):
        set_old(tmp_path)
        fault.run(write)
        assert (tmp_path / "file").read_bytes() in {OLD, NEW}, fault
        points += 1
    assert points >= 30
