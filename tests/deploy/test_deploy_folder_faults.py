"""A deployment's folder that is written while system calls fail is the old one or the new one."""

from __future__ import annotations

import shutil

import pytest

from faults import every_fault, no_waiting  # noqa: F401
from mien.deploy.packaging import folder as folders
from mien.deploy.packaging.folder import replacing

pytestmark = pytest.mark.usefixtures("no_waiting")

MARKER = "ship.json"


def write(folder, text):
    with replacing(folder, MARKER) as new:
        (new / MARKER).write_text(text)
        (new / "deep").mkdir()
        (new / "deep" / "file").write_text(text)


def text_of(folder):
    text = (folder / MARKER).read_text()
    assert (folder / "deep" / "file").read_text() == text
    return text


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("swaps", [True, False])
def test_replacing(tmp_path, monkeypatch, swaps, old):
    if not swaps:
        monkeypatch.setattr(folders, "_exchanged", lambda *_: False)
    out = tmp_path / "out"

    def restart():
        for path in tmp_path.iterdir():
            shutil.rmtree(path)
        if old:
            write(out, "old")

    restart()
    points = 0
    for fault in every_fault(lambda: write(out, "new")):
        restart()
        fault.run(lambda: write(out, "new"))
        if swaps:
            assert text_of(out) in {"old", "new"} if old else not out.exists() or text_of(out)
        with pytest.raises(RuntimeError), replacing(out, MARKER):  # the next opening to write
            raise RuntimeError
        assert text_of(out) in {"old", "new"} if old else not out.exists() or text_of(out)
        write(out, "newest")
        assert text_of(out) == "newest"
        points += 1
    assert points >= 70
