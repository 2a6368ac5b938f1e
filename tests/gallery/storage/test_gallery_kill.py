"""Killed at any moment, a gallery has all acknowledged photos, and none in part."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from spheres import ORIGIN, face_sample

from mien.gallery import Gallery
from mien.gallery.integrity import check_gallery

KILLS = int(os.environ.get("MIEN_KILLS", "3"))
"""20 for the full experiment, in which each kill falls among 1,000 enrolments."""
PEOPLE = 500
"""Two photos per person are enrolled."""
LATEST = 800 if KILLS > 3 else 150
"""How many photos are acknowledged before a kill at most."""
ENROLLER = Path(__file__).parents[1] / "enroller.py"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")


def killed(folder, first, after, pause):
    """Enrol people from `first` on, kill the process, and return the acknowledged photos.

    Args:
        folder: of the gallery.
        first: number of the first person.
        after: how many photos to wait for.
        pause: seconds to wait after them.
    """
    command = [sys.executable, str(ENROLLER), str(folder), str(first), str(first + PEOPLE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        # Counted in photos, not seconds, so that the kill falls among them on any machine.
        lines = [process.stdout.readline().removesuffix("\n") for _ in range(after)]
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().split("\n")
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    return {tuple(map(int, line.split())) for line in lines[:-1]}


def kept(gallery):
    """Return the photos in a gallery, after comparing each bit by bit with its sample."""
    found = set()
    for person in gallery.people():
        number = int(person.name.split()[1])
        pictures = gallery.pictures(person.id)
        with gallery.exclusively() as store:
            templates = store.templates(store.person("id", person.id)[0])
        assert len(templates) == len(pictures) == person.photos > 0
        for row, picture in enumerate(pictures):
            photo = [face_sample(number, i).sha256 for i in (0, 1)].index(picture.sha256)
            sample = face_sample(number, photo)
            assert templates.faces[row].tobytes() == sample.embedding.tobytes()
            assert templates.mirrored[row].tobytes() == sample.mirrored.tobytes()
            assert np.float32(picture.quality) == np.float32(sample.quality)
            found.add((number, photo))
    return found


@pytest.mark.parametrize("kill", range(KILLS))
def test_acknowledged_photos_survive_a_kill(tmp_path, kill):
    draw = np.random.default_rng(kill)
    Gallery.create(tmp_path, ORIGIN).close()
    acknowledged = set()
    # Twice: the second process opens what the first has left, with a log that is not empty.
    for first in (0, PEOPLE):
        acknowledged |= killed(tmp_path, first, draw.integers(0, LATEST), draw.uniform(0, 0.02))
    with Gallery.open(tmp_path) as gallery:
        stored = kept(gallery)
        assert acknowledged <= stored
        assert len(stored - acknowledged) <= 2, (
            "at most the one that was being acknowledged, each time"
        )
        assert check_gallery(gallery).faults == ()
        assert not gallery.enrol("person 0", face_sample(0, 0)).taken or (0, 0) not in stored
