"""No file of the folder holds data of a forgotten person: its bytes are searched."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from spheres import ORIGIN, centre, enrol_all, enrolled, face_sample, unit, views

from mien.cli import main
from mien.gallery import Gallery
from mien.gallery.integrity import check_gallery
from mien.gallery.storage import wiping
from mien.gallery.storage.database import FILE

KEY = bytes(range(32))
WINDOW = 16
NAME = "Henriette Dæmonova-Ødegård"
CONSENT = "consent by letter of the third of May"


def windows(data: bytes) -> set[bytes]:
    """Return every run of 16 bytes that starts at a multiple of 4 bytes, the size of a float."""
    return {data[i : i + WINDOW] for i in range(0, len(data) - WINDOW + 1, 4)}


def traces(folder: Path, secrets: dict[str, bytes]) -> set[str]:
    """Return the names of secrets of which any file of a folder holds a run of 16 bytes."""
    found = set()
    for path in filter(Path.is_file, folder.rglob("*")):
        data = path.read_bytes()
        for name, secret in secrets.items():
            if any(window in data for window in windows(secret)):
                found.add(name)
    return found


def secrets_of(person: int, photos: int) -> dict[str, bytes]:
    secrets = {"name": NAME.encode(), "consent": CONSENT.encode()}
    for photo in range(photos):
        sample = face_sample(person, photo)
        secrets[f"crop {photo}"] = sample.embedding.tobytes()
        secrets[f"mirrored {photo}"] = sample.mirrored.tobytes()
        secrets[f"thumbnail {photo}"] = sample.crop
    secrets["negative"] = centre(77).tobytes()
    secrets["negative of another"] = views(40, 0)[0].tobytes()
    secrets["another view of it"] = views(40, 9)[0].tobytes()
    return secrets


def fill(gallery):
    """Enrol others before and between the photos of NAME, to spread the rows over the file."""
    enrolled(gallery, 8, 3)
    for photo in range(6):
        gallery.enrol(NAME, face_sample(40, photo), force=True, consent=CONSENT)
        enrol_all(gallery, f"between {photo}", 50 + photo, 3)
    gallery.reject(NAME, centre(77))
    gallery.reject("person 1", views(40, 0)[0])
    gallery.reject("person 2", views(40, 9)[0], shows=NAME)
    gallery.reject("person 2", centre(78))
    gallery.rename(NAME, NAME + " the second")
    gallery.rename(NAME + " the second", NAME)


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_no_byte_of_a_forgotten_person_is_left(tmp_path, key):
    with Gallery.create(tmp_path / "g", ORIGIN, thumbnails=True, key=key) as gallery:
        fill(gallery)
        secrets = secrets_of(40, 6)
        base = gallery._database.base
        sealed = base.execute(
            "SELECT template, thumbnail FROM photos JOIN people ON people.number = person "
            "WHERE name = ?",
            (NAME,),
        ).fetchall()
        for row, blobs in enumerate(sealed):
            secrets[f"row {row}"], secrets[f"picture {row}"] = blobs
        before = traces(gallery.path, secrets)
        assert before >= {"name", "consent", "row 0", "picture 5"}
        assert ("crop 0" in before) == ("negative" in before) == (key is None)
        gallery.forget(NAME)
        # While it is open, the log and other files of SQLite are searched too.
        assert traces(gallery.path, secrets) == set()
        assert {path.name for path in gallery.path.iterdir()} <= {
            FILE, f"{FILE}-wal", f"{FILE}-shm",
        }  # fmt: skip
        assert traces(gallery.path, {"other": face_sample(53, 0).sha256.encode()})
        assert len(gallery.head().negatives) == 1
        assert check_gallery(gallery).clean
    assert traces(tmp_path, secrets) == set()


def test_a_forgotten_photo_is_wiped_and_the_others_stay(tmp_path):
    with Gallery.create(tmp_path, ORIGIN, thumbnails=True) as gallery:
        fill(gallery)
        first, *_ = gallery.pictures(NAME)
        gallery.forget_picture(first.id)
        found = traces(tmp_path, secrets_of(40, 6))
        assert not {"crop 0", "mirrored 0"} & found
        assert {"crop 1", "mirrored 1", "thumbnail 1", "name"} <= found


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Read the gallery's file as it is now, as a backup does, until the block ends."""
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM people").fetchone()
        yield


def test_wiping_waits_in_the_background_for_a_reader_that_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(wiping, "INTERVAL", 0.02)
    with Gallery.create(tmp_path, ORIGIN, thumbnails=True) as gallery:
        fill(gallery)
        secrets = secrets_of(40, 6)
        with reading(tmp_path):
            assert gallery.forget(NAME) is False
            assert gallery.find(NAME) is None
            assert not gallery.wiped
            assert gallery.to_dict()["wiped"] is False
            report = check_gallery(gallery)
            assert (report.wiped, report.clean, report.faults) == (False, False, ())
            assert traces(tmp_path, secrets)
        end = time.monotonic() + 20
        while not gallery.wiped and time.monotonic() < end:
            time.sleep(0.02)
        assert traces(tmp_path, secrets) == set()
        assert check_gallery(gallery).clean
        assert gallery.forget("person 1") is True


def test_a_reader_that_stays_keeps_no_one_out(tmp_path):
    """The file does not grow with each process that opens it meanwhile, either."""
    log = tmp_path / f"{FILE}-wal"
    with Gallery.create(tmp_path, ORIGIN, thumbnails=True) as gallery:
        fill(gallery)
        secrets = secrets_of(40, 6)
    with reading(tmp_path):
        with Gallery.open(tmp_path) as gallery:
            assert gallery.forget(NAME) is False
        size = log.stat().st_size
        for _ in range(3):
            with Gallery.open(tmp_path) as gallery:
                assert len(gallery.people()) == 14
                assert not gallery.wiped
        assert log.stat().st_size == size
        with Gallery.open(tmp_path) as gallery:
            gallery.add_person("another person")
            assert gallery.rotate_key(KEY) is False
    with Gallery.open(tmp_path, key=KEY) as gallery:
        assert gallery.wiped
        assert traces(tmp_path, secrets) == set()
        assert check_gallery(gallery).clean


def test_the_command_says_what_is_left_to_wipe(tmp_path, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["gallery", *map(str, arguments)])
        captured = capsys.readouterr()
        return int(str(ended.value.code)), captured.out, captured.err

    with Gallery.create(tmp_path, ORIGIN) as gallery:
        enrolled(gallery, 3, 2)
    with reading(tmp_path):
        code, _, err = run("forget", tmp_path, "person 1", "--yes")
        assert code == 0
        assert "bytes are still in the file until the other reader" in err
        code, _, err = run("show", tmp_path)
        assert code == 0
        assert "deleted data is still in the file" in err
        code, out, err = run("check", tmp_path)
        assert code == 18
        assert "another process reads the file" in err
        assert "no trace" not in out
        assert json.loads(run("check", tmp_path, "--json")[1])["wiped"] is False
    assert run("check", tmp_path)[0] == 0
    assert "still in the file" not in run("show", tmp_path)[2]


FORGETTER = """
import sys
sys.path.insert(0, sys.argv[2])
from mien.gallery import Gallery
with Gallery.open(sys.argv[1]) as gallery:
    print("ready", flush=True)
    sys.stdin.readline()
    gallery.forget(sys.argv[3])
    print("done", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("delay", [0.0, 0.002, 0.008, 0.02])
def test_forgetting_continues_after_a_kill_when_opened_again(tmp_path, delay):
    with Gallery.create(tmp_path, ORIGIN, thumbnails=True) as gallery:
        fill(gallery)
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", FORGETTER, str(tmp_path), here, NAME]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        printed = process.stdout.read()
    with Gallery.open(tmp_path) as gallery:
        found = gallery.find(NAME)
        assert not (found and printed)
        if found:
            assert found.photos == 6
        else:
            assert traces(tmp_path, secrets_of(40, 6)) == set()
        assert check_gallery(gallery).faults == ()


def test_the_search_finds_secrets(tmp_path):
    """The tests above would pass always if the search did not work."""
    template = unit(np.random.default_rng(0).normal(size=64)).tobytes()
    (tmp_path / "file").write_bytes(os.urandom(1001) + template[100:116] + os.urandom(99))
    assert traces(tmp_path, {"template": template, "other": os.urandom(256)}) == {"template"}
