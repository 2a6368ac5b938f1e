"""The files of a server's data folder while system calls or SQLite's operations fail in turn."""

from __future__ import annotations

import csv
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from toy_server import blank, toy_state

from faults import KILLED, every_fault, no_waiting  # noqa: F401
from mien.errors import MienError
from mien.server.auth.keys import Keys, Role
from mien.server.http.forms import Upload
from mien.server.http.limits import Limits
from mien.server.inference.versions import Versions
from mien.server.training.jobs import Jobs
from sqlite_faults import check_recovery
from sqlite_faults import every_fault as every_sqlite_fault

pytestmark = pytest.mark.usefixtures("no_waiting")

SAMPLE = 37


def of_keys(folder: Path) -> list[tuple[str, str, bool]]:
    return sorted((key.role.word, key.note, bool(key.revoked)) for key in Keys(folder).all())


@pytest.fixture
def keys(tmp_path) -> Path:
    folder = tmp_path / "keys"
    Keys(folder).create(Role.ADMIN, "first")
    return folder


@pytest.mark.parametrize("change", ["create", "revoke"])
@pytest.mark.parametrize("step", [SAMPLE, pytest.param(1, marks=pytest.mark.faults)])
def test_keys_while_sqlite_fails(keys, tmp_path, change, step):
    folder = tmp_path / "now"

    def prepare():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(keys, folder)

    def work():
        opened = Keys(folder)
        if change == "create":
            opened.create(Role.VIEWER, "second")
        else:
            opened.revoke(opened.all()[0].id)

    assert check_recovery(work, prepare, lambda: of_keys(folder), step=step) >= 2


@pytest.mark.parametrize("step", [SAMPLE, pytest.param(1, marks=pytest.mark.faults)])
def test_a_key_that_was_given_out_is_valid_from_then_on(tmp_path, step):
    """The first one: its table and the secret of the folder are made at the same time."""
    folder = tmp_path / "keys"
    given = []

    def work():
        given.append(Keys(folder).create(Role.ADMIN, "first")[1])

    def begin():
        shutil.rmtree(folder, ignore_errors=True)
        given.clear()

    for kind in (every_sqlite_fault, every_fault):
        begin()
        for fault in kind(work, step=step):
            begin()
            with suppress(MienError):
                fault.run(work)
            opened = Keys(folder)
            assert all(opened.check(text) for text in given), fault
            assert len(opened.all()) <= 1
            _, text = opened.create(Role.VIEWER)
            assert opened.check(text), fault


@pytest.mark.faults
def test_the_audit_trail_keeps_its_events_while_sqlite_fails(tmp_path):
    old, folder = tmp_path / "old", tmp_path / "now"

    def record(path: Path, *actions: str) -> None:
        state = toy_state(path, gallery=False, file=False)
        for action in actions:
            state.audit.record(action, "key", ["0123456789ab"])
        state.close()

    def prepare():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(old, folder)

    def found() -> list[str]:
        state = toy_state(folder, gallery=False, file=False)
        actions = [event.action for event in state.audit.latest(10)]
        state.close()
        return actions[::-1]

    record(old, "first", "second")
    points = check_recovery(
        lambda: record(folder, "third"), prepare, found, allowed=[["first", "second"]]
    )
    assert points >= 20


def test_versions_while_system_calls_fail(tmp_path):
    old, folder = tmp_path / "old", tmp_path / "now"

    def begin():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(old, folder)

    def change():
        versions = Versions(folder, {})
        versions.add("people", "20260102-second", b"new")
        versions.set_in_service("people", "20260102-second")

    first = Versions(old, {})
    first.add("people", "20260101-first", b"old")
    first.set_in_service("people", "20260101-first")
    begin()
    for fault in every_fault(change):
        begin()
        fault.run(change)
        versions = Versions(folder, {})
        contents = {path.stem: path.read_bytes() for path in (folder / "people").glob("*.onnx")}
        listed = {each.version: each.in_service for each in versions.versions_of("people")}
        assert set(listed) == set(contents)
        assert contents.pop("20260101-first") == b"old"
        assert set(contents.values()) <= {b"new"}
        assert sum(listed.values()) == 1, fault  # what is in service is there


def test_a_job_that_is_uploaded_while_system_calls_fail_is_whole_or_absent(tmp_path):
    folder, versions = tmp_path / "jobs", tmp_path / "versions"
    uploads = [Upload(f"Ada/{number}.png", blank()) for number in range(2)]

    def upload():
        jobs = Jobs(folder, Versions(versions, {}), Limits())
        jobs.create(uploads, name="Ada", rate=0.01, key="key")

    for fault in every_fault(upload):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(versions, ignore_errors=True)
        fault.run(upload)
        found = Jobs(folder, Versions(versions, {}), Limits()).all()
        if fault.error != KILLED and not fault.persists:
            assert len(list(folder.iterdir())) == len(found)  # no photos of a failed upload
        for job in found:
            inside = folder / job.id
            with (inside / "photos.csv").open(newline="") as file:
                listed = [row["path"] for row in csv.DictReader(file)]
            assert [(inside / name).read_bytes() for name in listed] == [
                each.data for each in uploads
            ], fault
