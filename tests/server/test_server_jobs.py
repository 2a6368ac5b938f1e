"""Training jobs: progress, cancellation, resumption, putting recognizers in service."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
import zipfile

import pytest
from toy_server import file_backend, files, picture, shared_engine, toy_client, toy_state

from mien.errors import OutputError
from mien.recognizer import Recognizer
from mien.server.auth.keys import Keys
from mien.server.http.limits import Limits
from mien.server.inference.versions import Versions
from mien.server.state import ServerState
from mien.server.training import job_run, jobs
from mien.server.training.job_run import StageResult
from mien.server.training.jobs import Jobs, handle_of


@pytest.fixture
def trained() -> bytes:
    return Recognizer.build(file_backend().recognizer.head, shared_engine(), threads=1).to_bytes()


@pytest.fixture
def commands(monkeypatch, trained):
    """Replace the commands, which need weights: they wait for a gate and write their files."""

    class Commands:
        gate = threading.Event()
        ran: list[str] = []  # noqa: RUF012
        code = 0
        kills = 0

        def run(self, stage, folder, on_progress, stop):
            self.ran.append(stage.name)
            on_progress(1, 2, "looking")
            while not self.gate.wait(0.02):
                if stop.is_set():
                    return StageResult(-15, "", "")
            if self.kills:
                self.kills -= 1
                assert (folder / "photos.csv").is_file()
                return StageResult(-9, "", "")
            if stage.name == "train":
                (folder / job_run.RECOGNIZER).write_bytes(trained)
            if stage.name == "evaluate":
                (folder / job_run.REPORT).write_text("<p>report</p>")
            return StageResult(self.code, "error: too few people\n  Add people.\n", "")

    made = Commands()
    made.gate, made.ran = threading.Event(), []
    monkeypatch.setattr(job_run, "run", made.run)
    return made


def photos() -> list:
    names = ["Ada/1.png", "Ada/2.png", "Ben/1.png", "notes.txt"]
    return [("file", (name, picture(n))) for n, name in enumerate(names)]


def until(client, job: str, state: str) -> dict:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = client.get(f"/v1/jobs/{job}").json()
        if found["state"] == state:
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def test_a_job_from_upload_to_service(client, state, commands):
    form = {"name": "My People", "false_positive_rate": "0.05"}
    made = client.post("/v1/jobs", files=photos(), data=form)
    assert made.status_code == 201
    job = made.json()
    assert (job["photos"], job["people"], job["handle"]) == (3, 2, "my-people")
    assert until(client, job["id"], "running")["stage"] == "build"
    commands.gate.set()
    done = until(client, job["id"], "done")
    assert commands.ran == ["build", "train", "evaluate"]
    assert done["report"]
    assert not done["in_service"]
    report = client.get(f"/v1/jobs/{job['id']}/report")
    assert report.text == "<p>report</p>"
    assert report.headers["content-security-policy"].startswith("sandbox")
    stream = client.get(f"/v1/jobs/{job['id']}/events").text
    assert json.loads(stream.removeprefix("data: "))["state"] == "done"
    folder = state.settings.data / "jobs" / job["id"]
    assert {path.name for path in folder.iterdir()} == {"job.json", "report.html"}

    choice = {"version": done["version"]}
    assert client.put("/v1/recognizer/my-people/service", json=choice).status_code == 200
    asked = client.post("/v1/identify?handle=my-people", files=files(picture(0))).json()
    assert asked["results"][0]["faces"][0]["name"] == "Ada"
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 409
    assert client.get(f"/v1/jobs/{job['id']}").json()["in_service"]


def test_a_trained_recognizer_cannot_replace_the_gallery(client, state, commands, trained):
    refused = client.post("/v1/jobs", files=photos(), data={"name": "People"})
    assert (refused.status_code, commands.ran) == (409, [])
    assert "'people' is the name of the gallery" in refused.json()["detail"]

    # A recognizer in service before the gallery was added: the gallery keeps the name.
    state.versions.add("people", "20260101-000000-abcdef", trained)
    body = {"version": "20260101-000000-abcdef"}
    assert client.put("/v1/recognizer/people/service", json=body).status_code == 409
    assert client.get("/v1/people").status_code == 200
    state.versions.set_in_service("people", "20260101-000000-abcdef")
    again = ServerState(state.settings, {"people": state.backend("people")})
    held = again.is_gallery("people")
    again.close()
    assert held


def test_a_failed_job_reports_the_reason(client, state, commands):
    commands.code = 15
    commands.gate.set()
    job = client.post("/v1/jobs", files=photos()).json()["id"]
    failed = until(client, job, "failed")
    assert failed["error"]["detail"] == "too few people"
    assert failed["error"]["hint"].startswith("Send clear photos")
    assert client.get(f"/v1/jobs/{job}/report").status_code == 404
    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    assert client.get("/v1/jobs").json() == {"jobs": []}
    line = state.audit.latest(1)[0]
    assert (line.action, line.detail) == ("training deleted", job)


@pytest.fixture
def no_waiting(monkeypatch):
    monkeypatch.setattr(job_run, "_RETRY_SECONDS", 0)


@pytest.mark.usefixtures("no_waiting")
def test_a_training_process_that_is_killed_is_tried_again(client, commands, caplog):
    commands.kills = 2
    commands.gate.set()
    job = client.post("/v1/jobs", files=photos()).json()["id"]
    assert until(client, job, "done")["report"]
    assert commands.ran == ["build", "build", "build", "train", "evaluate"]
    assert caplog.text.count("build was killed") == 2


@pytest.mark.usefixtures("no_waiting")
def test_a_training_process_that_is_always_killed_fails_at_last(client, commands):
    commands.kills = 99
    commands.gate.set()
    job = client.post("/v1/jobs", files=photos()).json()["id"]
    until(client, job, "failed")
    assert commands.ran == ["build"] * 3


@pytest.mark.skipif(sys.platform == "win32", reason="a killed process has another exit code there")
@pytest.mark.usefixtures("no_waiting")
def test_a_process_that_is_really_killed_is_tried_again(client, state, monkeypatch, trained):
    """The real commands run; the first is killed by the system's signal."""
    started = []
    popen = subprocess.Popen

    def start(command, **options):
        started.append(command)
        if len(started) == 1:
            command = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
        else:
            command = [
                sys.executable, "-c",
                "import shutil, sys; shutil.copy(sys.argv[1], 'recognizer.onnx'); "  # noqa: ISC004
                "open('report.html', 'w').close(); open('photos.csv')",
                state.settings.data / "trained",
            ]  # fmt: skip
        return popen(command, **options)

    (state.settings.data / "trained").write_bytes(trained)
    monkeypatch.setattr(job_run.subprocess, "Popen", start)
    job = client.post("/v1/jobs", files=photos()).json()["id"]
    until(client, job, "done")
    assert len(started) == 4
    report = state.settings.data / "jobs" / job / "report.html"
    assert report.stat().st_mode & 0o777 == 0o600


def test_only_the_owner_may_read_the_files_of_a_server(client, state, commands):
    job = client.post("/v1/jobs", files=photos()).json()["id"]
    until(client, job, "running")
    data = state.settings.data
    assert data.stat().st_mode & 0o077 == 0
    assert (data / "jobs" / job / "000000").is_file()
    for path in data.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
    commands.gate.set()
    until(client, job, "done")


def test_a_data_folder_of_an_earlier_version_is_closed_and_another_folder_is_not(tmp_path):
    for name in ("jobs", "recognizers"):
        (tmp_path / "data" / name).mkdir(parents=True)
    for name in ("keys.sqlite", "audit.sqlite"):
        (tmp_path / "data" / name).touch(mode=0o644)
    toy_state(tmp_path, gallery=False).close()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "notes.txt").touch()
    (tmp_path / "shared").chmod(0o755)
    Keys(tmp_path / "shared")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755
    for path in (tmp_path / "data", *(tmp_path / "data").rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.usefixtures("no_waiting")
def test_a_disk_that_fills_keeps_the_worker_alive_and_the_photos(
    client, state, commands, monkeypatch
):
    job = client.post("/v1/jobs", files=photos()).json()["id"]
    until(client, job, "running")

    def full(*_, **__):
        raise OutputError("cannot write job.json: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "write_atomically", full)
        commands.gate.set()
        until(client, job, "failed")
    folder = state.settings.data / "jobs" / job
    assert (folder / "000000").is_file()
    other = client.post("/v1/jobs", files=photos()).json()["id"]
    until(client, other, "done")
    parent = state.settings.data.parent
    with toy_client(toy_state(parent, gallery=False)) as restarted:
        assert until(restarted, job, "done")


@pytest.mark.parametrize("code", [1, 12, 17, -9])
def test_internal_failures_of_a_job_are_only_logged(code, caplog):
    ended = StageResult(code, "error: cannot write /srv/jobs/x\n  mien models pull\n", "")
    detail, hint = job_run.failure_reason(ended)
    assert detail
    assert "/srv" not in detail + hint
    assert "mien " not in detail + hint
    assert job_run.last_error(ended) == "cannot write /srv/jobs/x"
    assert job_run.last_error(StageResult(code, "", "")) == "the command was killed"
    assert not caplog.records


def test_a_deleted_training_is_recorded_with_its_recognizer(client, state, commands):
    commands.gate.set()
    job = client.post("/v1/jobs", files=photos()).json()["id"]
    version = until(client, job, "done")["version"]
    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    line = state.audit.latest(1)[0]
    assert (line.action, line.detail) == ("recognizer deleted", f"trained {version}")


def test_a_job_is_cancelled(client, state, commands):
    job = client.post("/v1/jobs", files=photos()).json()["id"]
    until(client, job, "running")
    assert client.delete(f"/v1/jobs/{job}").status_code == 204
    line = state.audit.latest(1)[0]
    assert (line.action, line.detail) == ("training cancelled", job)
    until(client, job, "cancelled")
    commands.gate.set()
    other = client.post("/v1/jobs", files=photos()).json()["id"]
    until(client, other, "done")


def test_an_interrupted_job_resumes_after_a_restart(tmp_path, commands):
    with toy_client(toy_state(tmp_path)) as first:
        job = first.post("/v1/jobs", files=photos()).json()["id"]
        until(first, job, "running")
    commands.gate.set()
    with toy_client(toy_state(tmp_path, gallery=False)) as second:
        assert until(second, job, "done")["report"]


def test_an_incomplete_upload_is_deleted(tmp_path):
    import os

    folder = tmp_path / "jobs" / "20260101-000000-abcdef"
    folder.mkdir(parents=True)
    (folder / "000000").write_bytes(b"photo")
    os.utime(folder, (0, 0))
    jobs = Jobs(tmp_path / "jobs", Versions(tmp_path / "r", {}), Limits())
    assert jobs.all() == []
    assert not folder.exists()


def test_uploads_without_people_are_rejected(client):
    loose = [("file", ("a.png", picture(0)))]
    assert client.post("/v1/jobs", files=loose).status_code == 422
    nameless = [("file", (name, picture(0))) for name in (".", "/", "a.png", "a.png")]
    assert client.post("/v1/jobs", files=nameless).status_code == 422
    broken = [("file", ("a.zip", b"PK\x03\x04nothing"))]
    assert client.post("/v1/jobs", files=broken).status_code == 422
    rate = {"false_positive_rate": "2"}
    assert client.post("/v1/jobs", files=photos(), data=rate).status_code == 422


def test_zips_with_odd_members_are_taken(client, commands):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("Ada/1.png", "@@@@@@", "Ben/", "Ben/1.png"):
            archive.writestr(name, picture(0))
        archive.writestr("Cyd/1.png", picture(1), zipfile.ZIP_LZMA)
        place = archive.getinfo("Cyd/1.png").header_offset
    data = bytearray(made.getvalue().replace(b"@@@@@@", bytes(6)))  # a name ends at a null
    data[place + 60 : place + 90] = bytes(30)  # LZMA notices this
    answer = client.post("/v1/jobs", files=[("file", ("a.zip", bytes(data)))])
    assert answer.status_code == 201
    assert answer.json()["photos"] == 2
    commands.gate.set()
    until(client, answer.json()["id"], "done")


def test_progress_is_read_line_by_line(tmp_path):
    stage = job_run.Stage("build", ("dataset", "show", "nothing"))
    ended = job_run.run(stage, tmp_path, lambda *_: None, threading.Event())
    assert ended.code == 14
    assert ended.error.startswith("error: ")


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("Ten people", "ten-people"),
        ("", "trained"),
        ("../..", "trained"),
        ("\N{SNOWMAN}", "trained"),
    ],
)
def test_handle_of_a_name(name, handle):
    assert handle_of(name) == handle
