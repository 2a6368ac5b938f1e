"""Writing of outputs: symlinks, devices, permissions, long names, syncs."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from pathlib import Path

import pytest

from mien import files
from mien.errors import OutputError
from mien.files import (
    make_private_file,
    make_private_folder,
    publish,
    replace_file,
    write_atomically,
)


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_symlink_is_written_through(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "report.html"
    target.write_text("old")
    link = tmp_path / "link.html"
    link.symlink_to("second.html")
    (tmp_path / "second.html").symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert names_in(tmp_path / "real") == ["report.html"]
    target.unlink()  # the symlinks lead nowhere now
    write_atomically(link, b"again")
    assert link.is_symlink()
    assert target.read_text() == "again"


def test_symlinks_in_a_loop_are_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OutputError, match="symbolic links"):
        write_atomically(tmp_path / "a", b"new")
    assert names_in(tmp_path) == ["a", "b"]


def test_a_device_a_pipe_a_socket_and_a_folder_are_refused(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "null").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # the name of a socket is short
        listener.bind("socket")
        for name in ("pipe", "folder", "null", "socket"):
            kind = stat.S_IFMT((tmp_path / name).stat().st_mode)
            with pytest.raises(OutputError, match=r"not a file|directory"):
                write_atomically(tmp_path / name, b"new")
            assert stat.S_IFMT((tmp_path / name).stat().st_mode) == kind
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    part = tmp_path / "part"
    part.write_text("new")
    with pytest.raises(OSError, match="not a file"):
        publish(part, tmp_path / "pipe")


@pytest.mark.parametrize("name", ["n" * 255, "ü" * 127, "\U0001f642" * 63])
def test_a_name_of_255_bytes_can_be_written(tmp_path, name):
    for data in (b"one", b"two"):
        write_atomically(tmp_path / name, data)
        assert (tmp_path / name).read_bytes() == data
    assert names_in(tmp_path) == [name]


def test_a_replaced_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "report.html"
    write_atomically(path, b"one")
    path.chmod(0o640)
    write_atomically(path, b"two")
    assert mode_of(path) == 0o640
    write_atomically(path, b"three", private=True)
    assert mode_of(path) == 0o600


def test_a_private_folder_or_file_is_closed_to_others_where_it_exists(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open.sqlite").touch(mode=0o644)
    for name in ("open", "new/below"):
        make_private_folder(tmp_path / name)
        assert mode_of(tmp_path / name) == 0o700
    assert mode_of(tmp_path / "new") == 0o700
    for name in ("open.sqlite", "new.sqlite"):
        make_private_file(tmp_path / name)
        assert mode_of(tmp_path / name) == 0o600


def test_the_folder_is_synced_after_the_rename(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(handle):
        calls.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    def note_replace(*paths):
        calls.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    replace_file(tmp_path / "a", b"data")
    assert calls == ["file", "rename", "folder"]
    calls.clear()
    publish(tmp_path / "a", tmp_path / "b")
    assert calls == ["file", "rename", "folder"]
    calls.clear()
    replace_file(tmp_path / "new" / "a", b"data")
    assert calls == ["folder", "file", "rename", "folder"]


def test_file_systems_that_cannot_sync_a_folder_are_written_to(tmp_path, monkeypatch):
    fsync = os.fsync

    def refuse_folders(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    replace_file(tmp_path / "a", b"data")
    assert (tmp_path / "a").read_bytes() == b"data"


FILLED_FIRST = {
    "deploy/packaging/bytecode.py": "a temporary folder",
    "deploy/packaging/folder.py": "the new folder of `replacing`",
    "deploy/packaging/requirements.py": "a temporary folder",
    "models/downloads.py": "a part, published when it is complete",
    "dataset/sources/lfw.py": "a part, published when it is complete",
}
"""Modules that write files by themselves, and what they write."""


def test_only_one_module_writes_outputs():
    root = Path(files.__file__).parent
    writing = re.compile(
        r"\.write_bytes\(|\.write_text\(|open\([^)]*[\"'][wax]b?[+]?[\"']|os\.(rename|replace)\("
        r"|\.to_file\(|imwrite\(|mkstemp\(|mkdtemp\("
    )
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if writing.search(path.read_text("utf-8")) and "parts" not in path.parts
    }
    assert found == {*FILLED_FIRST, "gallery/storage/database.py"}
