"""Killed at any moment: what was acknowledged is there, and nothing is half there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from spheres import ORIGIN, sighting

from mien.gallery import Gallery
from mien.gallery.integrity import check

KILLS = int(os.environ.get("MIEN_KILLS", "3"))
"""20 for the whole experiment: each kill falls in the middle of 1,000 enrolments."""
PEOPLE = 500
"""Two photos of each are enrolled."""
LATEST = 800 if KILLS > 3 else 150
"""How many photos may be acknowledged before a kill: of the thousand, or of the sample."""
ENROLLER = Path(__file__).parents[1] / "enroller.py"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")


def killed(folder, first, after, pause):
    """Enrol from `first` on, kill a pause after so many photos, and return the acknowledged."""
    command = [sys.executable, str(ENROLLER), str(folder), str(first), str(first + PEOPLE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        # By photos and not by seconds: so the kill falls among them on any machine.
        lines = [process.stdout.readline().removesuffix("\n") for _ in range(after)]
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().split("\n")
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    return {tuple(map(int, line.split())) for line in lines[:-1]}


def kept(gallery):
    """Return the photos in a gallery; each must be whole, to the last bit."""
    found = set()
    for person in gallery.people():
        number = int(person.name.split()[1])
        pictures = gallery.pictures(person.id)
        with gallery.exclusively() as store:
            templates = store.templates(store.person("id", person.id)[0])
        assert len(templates) == len(pictures) == person.photos > 0
        for row, picture in enumerate(pictures):
            photo = [sighting(number, i).sha256 for i in (0, 1)].index(picture.sha256)
            seen = sighting(number, photo)
            assert templates.faces[row].tobytes() == seen.embedding.tobytes()
            assert templates.mirrored[row].tobytes() == seen.mirrored.tobytes()
            assert np.float32(picture.quality) == np.float32(seen.quality)
            found.add((number, photo))
    return found


@pytest.mark.parametrize("kill", range(KILLS))
def test_what_was_acknowledged_is_there_and_nothing_is_half_there(tmp_path, kill):
    draw = np.random.default_rng(kill)
    Gallery.create(tmp_path, ORIGIN).close()
    acknowledged = set()
    # Twice: the second process finds what the first left, its log still full.
    for first in (0, PEOPLE):
        acknowledged |= killed(tmp_path, first, draw.integers(0, LATEST), draw.uniform(0, 0.02))
    with Gallery.open(tmp_path) as gallery:
        there = kept(gallery)
        assert acknowledged <= there
        assert len(there - acknowledged) <= 2, "at most the one that was being told of, each time"
        assert check(gallery).faults == ()
        assert not gallery.enrol("person 0", sighting(0, 0)).taken or (0, 0) not in there
