"""Galleries while each of SQLite's operations on files fails in turn, or the process is killed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from spheres import ORIGIN, centre, enrolled, face_sample, faces

from faults import no_waiting  # noqa: F401
from mien.errors import GalleryNotFound
from mien.gallery import Gallery
from mien.gallery.exchange.transfer import Export, export_gallery, import_into
from sqlite_faults import check_recovery, interrupted

pytestmark = pytest.mark.usefixtures("no_waiting")

SAMPLE = 61
KEY = bytes(range(32))


def rename(gallery):
    gallery.rename("person 0", "new name")


def enrol(gallery):
    gallery.enrol("person 2", face_sample(2, 7, crop=b"z" * 9000), force=True)


def forget(gallery):
    gallery.forget("person 1")


def merge(gallery):
    gallery.merge("person 0", "person 2")


def reject(gallery):
    gallery.reject("person 0", face_sample(2, 5).embedding)


CHANGES = (rename, enrol, forget, merge, reject)


@pytest.fixture(scope="module", params=[None, KEY], ids=["plain", "encrypted"])
def made(request, tmp_path_factory) -> tuple[Path, bytes | None]:
    path = tmp_path_factory.mktemp("made") / "gallery"
    with Gallery.create(path, ORIGIN, thumbnails=True, key=request.param) as gallery:
        enrolled(gallery, 3, 2)
    return path, request.param


def contents(path: Path, key: bytes | None) -> object:
    """Return what an opening finds, after looking someone up in it."""
    try:
        opened = Gallery.open(path, key=key)
    except GalleryNotFound:
        return None
    with opened as gallery:
        gallery.identify(faces(centre(0)))
        exported = Export(export_gallery(gallery, plain=True))
        return sorted((p.name, len(p.samples), len(p.negatives)) for p in exported.people)


def recover(made, tmp_path, change, step) -> int:
    path, key = tmp_path / "gallery", made[1]

    def prepare():
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(made[0], path)

    def work():
        with Gallery.open(path, key=key) as gallery:
            change(gallery)

    return check_recovery(work, prepare, lambda: contents(path, key), step=step)


@pytest.mark.parametrize("change", CHANGES)
def test_a_sample_of_the_faults_of_a_change(made, tmp_path, change):
    assert recover(made, tmp_path, change, SAMPLE) >= 3


@pytest.mark.faults
@pytest.mark.parametrize("change", CHANGES)
def test_every_fault_of_a_change(made, tmp_path, change):
    assert recover(made, tmp_path, change, 1) >= 200


@pytest.mark.faults
def test_every_fault_of_an_import(made, tmp_path):
    path, key = tmp_path / "gallery", made[1]
    with Gallery.open(made[0], key=key) as gallery:
        export = Export(export_gallery(gallery, plain=True))

    def prepare():
        shutil.rmtree(path, ignore_errors=True)
        with Gallery.create(path, ORIGIN, thumbnails=True, key=key) as gallery:
            enrolled(gallery, 1, 1)

    points = check_recovery(
        lambda: import_into(path, export, key=key), prepare, lambda: contents(path, key)
    )
    assert points >= 200


@pytest.mark.faults
def test_every_fault_of_a_creation(tmp_path):
    path = tmp_path / "gallery"

    def prepare():
        shutil.rmtree(path, ignore_errors=True)

    points = check_recovery(
        lambda: Gallery.create(path, ORIGIN).close(), prepare, lambda: contents(path, None)
    )
    assert points >= 100


def test_interrupted_writes_are_done_again(made, tmp_path):
    """EINTR at every second system call: SQLite carries on."""
    path, key = tmp_path / "gallery", made[1]
    shutil.copytree(made[0], path)
    with interrupted() as count, Gallery.open(path, key=key) as gallery:
        enrol(gallery)
    assert count.calls > 10
    assert ("person 2", 3, 0) in contents(path, key)
