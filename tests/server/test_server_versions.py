"""Trained recognizers: listed, downloaded, deleted, and searched when a person is forgotten."""

from __future__ import annotations

import json

import pytest
from test_server_jobs import commands, photos, trained, until  # noqa: F401 - fixtures
from toy_server import file_backend, files, picture

from mien.cli import main
from mien.server.auth.keys import Role

OLD, NEW = "20260101-000000-aaaaaa", "20260201-000000-bbbbbb"


@pytest.fixture
def versions(state, trained):  # noqa: F811
    """Return the versions of a server that has trained the recognizer `ten` twice."""
    for version in (OLD, NEW):
        state.versions.add("ten", version, trained)
    return state.versions


def put(client, version: str, **options):
    return client.put("/v1/recognizer/ten/service", json={"version": version}, **options)


def path(version: str) -> str:
    return f"/v1/recognizer/ten/versions/{version}"


@pytest.mark.usefixtures("versions")
def test_versions_are_listed_downloaded_and_deleted(client, state, trained):  # noqa: F811
    put(client, NEW)
    rows = client.get("/v1/versions").json()["versions"]
    assert [(row["handle"], row["version"], row["in_service"]) for row in rows] == [
        ("ten", NEW, True), ("ten", OLD, False)
    ]  # fmt: skip
    assert rows[0]["bytes"] == len(trained)
    answer = client.get(path(OLD))
    assert answer.content == trained
    assert f'filename="ten-{OLD}.onnx"' in answer.headers["content-disposition"]
    assert client.delete(path(OLD)).status_code == 204
    assert [row["version"] for row in client.get("/v1/versions").json()["versions"]] == [NEW]
    assert not list(state.settings.data.rglob(f"*{OLD}*"))
    assert client.get(path(OLD)).status_code == 404
    assert client.delete(path(OLD)).status_code == 404
    assert {line.action for line in state.audit.latest(9)} >= {
        "recognizer downloaded", "recognizer deleted"
    }  # fmt: skip


@pytest.mark.usefixtures("versions")
def test_the_version_in_service_is_deleted_only_where_another_serves(client, state):
    put(client, NEW)
    refused = client.delete(path(NEW))
    assert refused.status_code == 409
    assert "instead=VERSION" in refused.json()["hint"]
    assert client.delete(f"{path(NEW)}?instead=none").status_code == 404
    assert client.delete(f"{path(NEW)}?instead={NEW}").status_code == 409
    assert client.delete(f"{path(NEW)}?instead={OLD}").status_code == 204
    asked = client.post("/v1/identify?handle=ten", files=files(picture(0)))
    assert asked.json()["results"][0]["faces"][0]["name"] == "Ada"
    assert client.delete("/v1/recognizer/ten/service").status_code == 204
    assert client.post("/v1/identify?handle=ten", files=files(picture(0))).status_code == 404
    assert client.delete("/v1/recognizer/ten/service").status_code == 404
    assert client.delete(path(OLD)).status_code == 204
    assert not (state.settings.data / "recognizers" / "ten").exists()
    assert put(client, OLD).status_code == 404


def test_a_trained_version_gives_way_to_the_file_of_the_command_line(client, state, trained):  # noqa: F811
    state.versions.add("toy", OLD, trained)
    client.put("/v1/recognizer/toy/service", json={"version": OLD})
    assert client.delete("/v1/recognizer/toy/service").status_code == 204
    assert state.backend("toy") is file_backend()
    assert client.delete("/v1/recognizer/toy/versions/given").status_code == 404
    assert client.get("/v1/recognizer/toy/versions/given").status_code == 404


@pytest.mark.usefixtures("versions")
def test_who_may_download_and_delete(client, state):
    viewer, operator, admin = (
        {"authorization": f"Bearer {state.access.keys.create(role)[1]}"} for role in Role
    )
    put(client, NEW, headers=admin)
    assert client.get("/v1/versions", headers=viewer).status_code == 403
    assert client.get("/v1/versions", headers=operator).status_code == 200
    assert client.get(path(OLD), headers=operator).status_code == 403
    assert client.get(path(OLD), headers=admin).status_code == 200
    assert client.delete(path(OLD), headers=viewer).status_code == 403
    assert client.delete(f"{path(NEW)}?instead={OLD}", headers=operator).status_code == 403
    assert client.delete("/v1/recognizer/ten/service", headers=operator).status_code == 403
    assert client.delete(path(OLD), headers=operator).status_code == 204


def test_deleting_a_version_or_its_job_deletes_both(client, state, commands):  # noqa: F811
    commands.gate.set()
    data = state.settings.data
    for what in ("version", "job"):
        made = client.post("/v1/jobs", files=photos(), data={"name": "ten"}).json()
        job = until(client, made["id"], "done")
        (row,) = client.get("/v1/versions").json()["versions"]
        assert (row["version"], row["name"], row["photos"]) == (job["version"], "ten", 3)
        assert (data / "jobs" / job["id"] / "report.html").is_file()
        address = path(job["version"]) if what == "version" else f"/v1/jobs/{job['id']}"
        assert client.delete(address).status_code == 204
        assert not list(data.rglob(f"*{job['id']}*"))
        assert client.get("/v1/jobs").json() == {"jobs": []}
        assert client.get("/v1/versions").json() == {"versions": []}


# Forgetting


def enrol(client, name: str, person: int) -> str:
    who = client.post("/v1/people", json={"name": name}).json()["id"]
    client.post(f"/v1/people/{who}/photos?force=true", files=files(picture(person)))
    return str(who)


@pytest.mark.usefixtures("versions")
def test_forgetting_says_which_recognizers_still_hold_the_person(client):
    put(client, NEW)
    answer = client.delete(f"/v1/people/{enrol(client, 'ADA', 0)}")
    assert answer.status_code == 200
    found = answer.json()
    assert found["wiped"] is True
    assert found["detail"] == "forgotten; still in 3 recognizer files"
    assert [(row["handle"], row["version"], row["in_service"], row["name"], row["by"])
            for row in found["recognizers"]] == [
        ("ten", NEW, True, "Ada", "name"), ("ten", OLD, False, "Ada", "name"),
        ("toy", "given", True, "Ada", "name"),
    ]  # fmt: skip
    assert client.get("/v1/people").json()["people"] == []


@pytest.mark.usefixtures("versions")
def test_a_person_with_another_name_is_found_by_the_face(client, state):
    (state.settings.data / "recognizers" / "ten" / f"{NEW}.onnx").write_bytes(b"broken")
    found = client.delete(f"/v1/people/{enrol(client, 'Countess', 1)}").json()["recognizers"]
    assert [(row["version"], row["name"], row["by"]) for row in found] == [
        (NEW, "", "unreadable"), (OLD, "Ben", "face"), ("given", "Ben", "face"),
    ]  # fmt: skip


@pytest.mark.usefixtures("versions")
def test_a_person_whom_no_recognizer_holds_leaves_nothing(client):
    assert client.delete(f"/v1/people/{enrol(client, 'Zoe', 7)}").status_code == 204


def test_an_answer_says_that_another_process_still_reads(client, state, monkeypatch):
    gallery = state.gallery()
    who = enrol(client, "Zoe", 7)
    monkeypatch.setattr(gallery, "wipe", lambda: False)
    photo = client.get(f"/v1/people/{who}").json()["photos"][0]["id"]
    words = "forgotten; bytes are still in the file until the other reader closes"
    for address in (f"/v1/people/{who}/photos/{photo}", f"/v1/people/{who}"):
        answer = client.delete(address)
        assert answer.status_code == 200
        assert answer.json() == {"wiped": False, "detail": words, "recognizers": []}


def test_a_version_is_deleted_while_it_is_put_in_service(client, state, versions, monkeypatch):
    opened = versions.open

    def late(handle, version):
        backend = opened(handle, version)
        versions.delete(handle, version)
        return backend

    monkeypatch.setattr(versions, "open", late)
    assert put(client, NEW).status_code == 404
    service = state.settings.data / "recognizers" / "service.json"
    assert not service.exists() or json.loads(service.read_text()) == {}


@pytest.mark.usefixtures("versions")
def test_the_command_says_which_files_still_hold_the_person(client, state, capsys, monkeypatch):
    """Those it is given, and those that servers keep, where it finds them."""

    def forget(*arguments: object) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["gallery", "forget", str(state.gallery().path), *map(str, arguments), "--yes"])
        assert not ended.value.code
        return capsys.readouterr().err

    folder = state.settings.data / "recognizers"
    monkeypatch.setattr("mien.cli.gallery.people.data_folder", lambda _: folder / "nothing")
    enrol(client, "Ada", 0)
    enrol(client, "Countess", 1)
    enrol(client, "Zoe", 7)
    (folder / "broken.onnx").write_bytes(b"broken")
    said = forget("ada", "--recognizers", folder)
    assert f"{folder / 'ten' / NEW}.onnx still holds Ada, by the name" in said
    assert f"{folder / 'broken.onnx'} cannot be read; it may hold Ada" in said
    assert "3 recognizer files searched" in said
    monkeypatch.setattr("mien.cli.gallery.people.data_folder", lambda _: state.settings.data)
    (folder / "broken.onnx").unlink()
    said = forget("Countess")
    assert f"{folder / 'ten' / OLD}.onnx still holds Countess, by the face, as Ben" in said
    monkeypatch.setattr("mien.cli.gallery.people.data_folder", lambda _: folder / "nothing")
    assert "--recognizers searches them" in forget("Zoe")
