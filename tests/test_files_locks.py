"""Locks, and files made once: who holds them, who may read them, what is left of a failure."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mien import files
from mien.errors import OutputError
from mien.files import (
    copy_limited,
    create_private_file,
    is_file,
    is_folder,
    locked,
    locked_now,
    make_folder,
    part_path,
    path_exists,
    publish,
    replace_file,
    sha256_of,
    short_name,
    sync_file,
    sync_folder,
    write_atomically,
)

HOLD = """
import sys
from pathlib import Path
from mien.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def holder(tmp_path):
    """Hold the lock file in another process; it ends when its input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "below" / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()


def test_a_lock_is_waited_for_and_the_wait_is_reported_once(holder, tmp_path):
    lock = tmp_path / "below" / "lock"
    with locked_now(lock) as held:
        assert not held
    waits = []

    def let_go():
        waits.append("waiting")
        holder.stdin.close()

    with locked(lock, on_wait=let_go), locked_now(lock) as also:
        assert not also
    assert waits == ["waiting"]
    with locked_now(lock) as held:
        assert held
    assert lock.exists()


def test_a_free_lock_is_not_waited_for_and_is_let_go_after_an_error(tmp_path):
    lock = tmp_path / "new" / "lock"

    def never():
        pytest.fail("nothing holds the lock")

    with pytest.raises(KeyError), locked(lock, on_wait=never):
        raise KeyError
    with locked(lock, on_wait=never), locked_now(lock) as also:
        assert not also
    with pytest.raises(KeyError), locked_now(lock):
        raise KeyError
    with locked(lock, on_wait=never):
        pass
    assert mode_of(lock) == 0o600


def test_a_lock_keeps_what_its_file_holds(tmp_path):
    lock = tmp_path / "lock"
    lock.write_bytes(b"content")
    with locked(lock):
        assert lock.read_bytes() == b"content"


@pytest.mark.parametrize("take", [locked, locked_now])
def test_a_lock_is_let_go_although_another_descriptor_of_it_is_open(tmp_path, monkeypatch, take):
    """A process that was forked meanwhile has one."""
    inherited = []
    opened = files._open_lock

    def open_twice(path):
        file = opened(path)
        inherited.append(os.dup(file.fileno()))
        return file

    monkeypatch.setattr(files, "_open_lock", open_twice)
    with take(tmp_path / "lock"):
        pass
    with locked_now(tmp_path / "lock") as held:
        assert held
    for descriptor in inherited:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("size", "copied"), [(0, 0), (9, 9), (10, 10), (11, 11), (12, 11), (3 << 20, 11)]
)
def test_one_byte_more_than_allowed_is_copied_at_most(size, copied):
    target, seen = io.BytesIO(), []
    assert copy_limited(io.BytesIO(b"x" * size), target, 10, seen.append) == copied
    assert len(target.getvalue()) == copied
    assert seen == [copied] * (copied > 0)


@pytest.mark.parametrize("piece", [1, 3, 5, 10])
def test_a_source_that_gives_less_than_asked_for_is_read_on(piece):
    source, target = io.BytesIO(b"x" * 15), io.BytesIO()

    class Slow:
        def read(self, size):
            return source.read(min(size, piece))

    assert copy_limited(Slow(), target, 10, lambda _: None) == 11
    assert target.getvalue() == b"x" * 11


def test_long_copies_are_reported_a_mebibyte_at_a_time():
    data = os.urandom((2 << 20) + 5)
    target, seen = io.BytesIO(), []
    assert copy_limited(io.BytesIO(data), target, 1 << 30, seen.append) == len(data)
    assert target.getvalue() == data
    assert seen == [1 << 20, 2 << 20, len(data)]


def test_a_digest_is_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"mien" * 100_000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"mien" * 100_000).hexdigest()


def test_short_names_stay_and_long_ones_keep_their_start():
    assert short_name("n" * 120) == "n" * 120
    made = short_name("n" * 121)
    assert len(made) == 120
    assert made.startswith("n" * 87 + "-")
    assert made == short_name("n" * 121) != short_name("n" * 122)
    # A character of several bytes is not cut in half.
    umlauts = short_name("x" + "ü" * 100)
    assert umlauts.startswith("x" + "ü" * 43 + "-")
    assert len(os.fsencode(umlauts)) == 120
    emoji = short_name("\U0001f642" * 63)
    assert emoji.startswith("\U0001f642" * 21 + "-")


def test_parts_are_hidden_new_and_beside_the_file(tmp_path):
    final = tmp_path / "report.html"
    one, other = part_path(final), part_path(final)
    assert one != other
    assert one.parent == tmp_path
    assert one.name.startswith(".report.html.")
    assert one.suffix == ".part"


def test_a_private_file_is_made_once(tmp_path):
    path = tmp_path / "keys" / "key"
    create_private_file(path, b"secret" * 10_000)
    assert path.read_bytes() == b"secret" * 10_000
    assert (mode_of(path), mode_of(path.parent)) == (0o600, 0o700)
    with pytest.raises(FileExistsError):
        create_private_file(path, b"other")
    assert path.read_bytes() == b"secret" * 10_000
    with pytest.raises(IsADirectoryError):
        create_private_file(tmp_path, b"other")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    create_private_file(tmp_path / "link", b"through")
    assert (tmp_path / "elsewhere").read_bytes() == b"through"


@pytest.mark.parametrize("call", ["fsync", "write"])
def test_nothing_is_left_of_a_private_file_that_cannot_be_written(tmp_path, monkeypatch, call):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space"):
        create_private_file(tmp_path / "key", b"secret")
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_a_write_of_a_part_is_continued(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, bytes(data)[:3]))
    replace_file(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_folders_are_made_with_those_above_and_stay_as_they_are(tmp_path):
    umask = os.umask(0o022)
    try:
        make_folder(tmp_path / "a" / "b")
        assert (mode_of(tmp_path / "a"), mode_of(tmp_path / "a" / "b")) == (0o755, 0o755)
        make_folder(tmp_path / "a" / "private" / "b", private=True)
        assert mode_of(tmp_path / "a") == 0o755
        assert mode_of(tmp_path / "a" / "private") == 0o700
        assert mode_of(tmp_path / "a" / "private" / "b") == 0o700
        make_folder(tmp_path / "a", private=True)
        assert mode_of(tmp_path / "a") == 0o755
        (tmp_path / "link").symlink_to(tmp_path / "far" / "away")
        make_folder(tmp_path / "link" / "b")
        assert (tmp_path / "far" / "away" / "b").is_dir()
        replace_file(tmp_path / "deep" / "er" / "f", b"", private=True)
        assert mode_of(tmp_path / "deep") == 0o700
        replace_file(tmp_path / "deeper" / "f", b"")
        assert (mode_of(tmp_path / "deeper"), mode_of(tmp_path / "deeper" / "f")) == (0o755, 0o644)
    finally:
        os.umask(umask)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        make_folder(tmp_path / "file")


def test_syncs_are_asked_for_only_where_they_are_wanted(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_mode))
    replace_file(tmp_path / "new" / "a", b"data", sync=False)
    (tmp_path / "part").touch()
    publish(tmp_path / "part", tmp_path / "b", sync=False)
    make_folder(tmp_path / "c" / "d", sync=False)
    assert synced == []
    make_folder(tmp_path / "e" / "f")
    assert [stat.S_ISDIR(mode) for mode in synced] == [True, True]
    synced.clear()
    create_private_file(tmp_path / "key", b"secret")
    assert [stat.S_ISDIR(mode) for mode in synced] == [False, True]
    synced.clear()
    sync_file(tmp_path / "b")
    sync_folder(tmp_path)
    assert [stat.S_ISDIR(mode) for mode in synced] == [False, True]


def test_a_disk_that_reports_an_error_is_not_passed_over(tmp_path, monkeypatch):
    for number, raised in ((errno.EIO, True), (errno.ENOTSUP, False), (errno.EBADF, False)):

        def refuse(_, number=number):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", refuse)
        if raised:
            with pytest.raises(OSError, match="Input/output"):
                sync_folder(tmp_path)
        else:
            sync_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_folder(tmp_path / "missing")


def open_files():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_descriptors_are_closed(tmp_path):
    before = open_files()
    for number in range(5):
        replace_file(tmp_path / f"{number}", b"data")
        create_private_file(tmp_path / f"private {number}", b"data")
        sync_file(tmp_path / f"{number}")
        sync_folder(tmp_path)
        with locked(tmp_path / "lock"):
            pass
    after = open_files()
    assert after == before


def test_paths_that_cannot_be_looked_at_are_not_there(tmp_path):
    (tmp_path / "file").touch()
    for path in ("n" * 300, tmp_path / "file" / "below"):
        assert not is_file(path)
        assert not is_folder(path)
        assert not path_exists(path)
    assert is_file(tmp_path / "file")
    assert not is_folder(tmp_path / "file")
    assert is_folder(tmp_path)
    assert not is_file(tmp_path)
    assert path_exists(tmp_path / "file")
    assert path_exists(tmp_path)


def test_outputs_that_cannot_be_written_say_why(tmp_path):
    with pytest.raises(OutputError, match="No such file or directory") as caught:
        write_atomically(tmp_path / "missing" / "a", b"data")
    assert "a folder that exists" in caught.value.hint
    assert not (tmp_path / "missing").exists()
    with pytest.raises(OutputError, match="Is a directory"):
        write_atomically(Path("/"), b"data")
    with pytest.raises(OutputError, match="null"):
        write_atomically(tmp_path / "a\0b", b"data")
