"""The gallery over HTTP."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from toy_server import blank, files, picture


@pytest.fixture
def ada(client):
    """Return Ada's id; she has one photo."""
    made = client.post("/v1/people", json={"name": "Ada", "consent": "by letter"})
    assert made.status_code == 201
    person = made.json()["id"]
    taken = client.post(f"/v1/people/{person}/photos?force=true", files=files(picture(0)))
    assert taken.json()["results"][0]["taken"]
    return person


def identify(client, person: int, photo: int = 0) -> dict:
    answer = client.post("/v1/identify?crops=true", files=files(picture(person, photo)))
    (face,) = answer.json()["results"][0]["faces"]
    return face


def test_an_enrolled_person_is_identified_at_once(client, ada):
    face = identify(client, 0)
    assert (face["name"], face["person_id"]) == ("Ada", ada)
    assert face["candidates"][0]["person_id"] == ada
    (row,) = client.get("/v1/people").json()["people"]
    assert (row["name"], row["photos_count"], row["consent"]) == ("Ada", 1, "by letter")
    assert client.get(f"/v1/people/{ada}/thumbnail").headers["content-type"] == "image/jpeg"


def test_each_way_to_identify_records_who_was_recognised(client, state, ada):
    for path in ("/v1/identify", "/classify/people"):
        assert client.post(path, files=files(picture(0))).status_code == 200
    assert [(line.action, line.person) for line in state.audit.latest(2)] == [
        ("looked up", ada)
    ] * 2


def test_each_rejected_photo_has_a_reason(client, ada):
    sent = files(picture(0), blank(), b"no photo")
    rows = client.post(f"/v1/people/{ada}/photos", files=sent).json()["results"]
    assert [row["taken"] for row in rows] == [False, False, False]
    assert [row["reason"] for row in rows] == ["already-enrolled", "no-face", "unreadable"]
    assert all(row["detail"] for row in rows)


@pytest.mark.parametrize("name", ["/home/me/friends/ada.jpg", r"C:\Users\me\ada.jpg", "ada.jpg"])
def test_the_source_of_a_photo_is_its_file_name_without_folders(client, name):
    person = client.post("/v1/people", json={"name": "Ada"}).json()["id"]
    sent = [("file", (name, picture(0), "image/png"))]
    client.post(f"/v1/people/{person}/photos?force=true", files=sent)
    (photo,) = client.get(f"/v1/people/{person}").json()["photos"]
    assert photo["source"] == "ada.jpg"


def test_invisible_names_are_rejected(client):
    for name in ("", "  ", "\u200b", "\u2066\u2069"):
        assert client.post("/v1/people", json={"name": name}).status_code == 422
    assert client.post("/v1/people", json={"name": "Ada"}).status_code == 201
    assert client.post("/v1/people", json={"name": "Ada\u200b"}).status_code == 409


def test_rename_note_consent_merge_and_forget(client, ada):
    renamed = client.patch(f"/v1/people/{ada}", json={"name": "Ada L", "consent": "in person"})
    assert (renamed.json()["name"], renamed.json()["consent"]) == ("Ada L", "in person")
    other = client.post("/v1/people", json={"name": "Countess"}).json()["id"]
    assert client.patch(f"/v1/people/{other}", json={"name": "ada l"}).status_code == 409
    merged = client.post(f"/v1/people/{ada}/merge", json={"other": other})
    assert merged.json()["id"] == ada
    whole = client.get(f"/v1/people/{ada}").json()
    (photo,) = whole["photos"]
    assert client.delete(f"/v1/people/{ada}/photos/{photo['id']}").status_code == 204
    assert client.delete(f"/v1/people/{ada}").status_code == 204
    assert client.get(f"/v1/people/{ada}").status_code == 404
    assert client.get("/v1/people").json()["people"] == []


def test_a_negative_correction_is_respected(client, ada):
    face = identify(client, 0)
    wrong = {"face_token": face["face_token"], "not": ada}
    assert client.post("/v1/corrections", json=wrong).status_code == 200
    assert identify(client, 0)["name"] is None


def test_a_positive_correction_enrols_the_face_of_its_token(client, ada):
    face = identify(client, 1)
    right = {"face_token": face["face_token"], "is": {"name": "Ben"}}
    assert client.post("/v1/corrections", json=right).json()["taken"]
    names = {row["name"] for row in client.get("/v1/people").json()["people"]}
    assert names == {"Ada", "Ben"}
    again = {"face_token": identify(client, 1, 1)["face_token"], "is": ada}
    assert client.post("/v1/corrections", json=again).json()["taken"]


def forget_elsewhere(state, person: str) -> None:
    """Forget a person as `mien gallery forget` does, which is another process."""
    path = state.gallery().path
    command = [sys.executable, "-m", "mien", "gallery", "forget", path, person, "--yes"]
    subprocess.run(command, check=False)  # wiping waits for this process
    with closing(sqlite3.connect(path / "gallery.sqlite")) as base:
        assert not base.execute("SELECT 1 FROM people WHERE id = ?", (person,)).fetchall()


@pytest.mark.parametrize("where", ["another process", "the server"])
def test_face_tokens_end_when_someone_is_forgotten(client, state, ada, where):
    token, other = (identify(client, number)["face_token"] for number in (0, 1))
    if where == "the server":
        assert client.delete(f"/v1/people/{ada}").json()["wiped"]  # the file `toy` holds an Ada
    else:
        forget_elsewhere(state, ada)
    for body in (
        {"face_token": token, "is": {"name": "Ada"}}, {"face_token": token, "is": ada},
        {"face_token": other, "is": {"name": "Ben"}},
    ):  # fmt: skip
        assert client.post("/v1/corrections", json=body).status_code == 404
    assert client.get("/v1/people").json()["people"] == []
    seen = identify(client, 1)["face_token"]
    again = {"face_token": seen, "is": {"name": "Ben"}}
    assert client.post("/v1/corrections", json=again).json()["taken"]


def test_a_face_seen_before_a_person_was_forgotten_gets_no_living_token(
    client, state, ada, monkeypatch
):
    """The person is forgotten while the photo is being processed."""
    gallery = state.gallery()
    compare = gallery.identify

    def late(embeddings):
        gallery.forget(ada)
        return compare(embeddings)

    monkeypatch.setattr(gallery, "identify", late)
    token = identify(client, 0)["face_token"]
    body = {"face_token": token, "is": {"name": "Ada"}}
    assert client.post("/v1/corrections", json=body).status_code == 404
    assert client.get("/v1/people").json()["people"] == []


def test_a_correction_does_not_bring_back_who_is_forgotten_meanwhile(
    client, state, ada, monkeypatch
):
    token = identify(client, 0)["face_token"]
    gallery = state.gallery()
    enrol = gallery.enrol

    def late(*arguments, **options):
        gallery.forget(ada)
        return enrol(*arguments, **options)

    monkeypatch.setattr(gallery, "enrol", late)
    body = {"face_token": token, "is": {"name": "Ada"}}
    assert client.post("/v1/corrections", json=body).status_code == 404
    assert client.get("/v1/people").json()["people"] == []


def test_photos_do_not_bring_back_who_is_forgotten_while_they_are_read(
    client, state, ada, monkeypatch
):
    gallery = state.gallery()
    enrol = gallery.enrol

    def late(*arguments, **options):
        gallery.forget(ada)
        return enrol(*arguments, **options)

    monkeypatch.setattr(gallery, "enrol", late)
    sent = files(picture(0, 1), picture(0, 2))
    assert client.post(f"/v1/people/{ada}/photos?force=true", files=sent).status_code == 404
    assert client.get("/v1/people").json()["people"] == []


def test_a_correction_makes_no_person_of_an_id_that_was_merged(client, state, ada, monkeypatch):
    ben = client.post("/v1/people", json={"name": "Ben"}).json()["id"]
    token = identify(client, 0)["face_token"]
    gallery = state.gallery()
    enrol = gallery.enrol

    def late(*arguments, **options):
        gallery.merge(ada, ben)
        return enrol(*arguments, **options)

    monkeypatch.setattr(gallery, "enrol", late)
    body = {"face_token": token, "is": ben}
    assert client.post("/v1/corrections", json=body).status_code == 404
    assert [row["name"] for row in client.get("/v1/people").json()["people"]] == ["Ada"]


def test_invalid_corrections_are_rejected(client, ada):
    token = identify(client, 0)["face_token"]
    for body in (
        {"face_token": token},
        {"face_token": token, "is": ada, "not": ada},
        {"face_token": token, "is": {}},
        {"not": ada},
    ):
        assert client.post("/v1/corrections", json=body).status_code == 422
    for body in ({"face_token": "x", "not": ada}, {"face_token": token, "not": "unknown-id"}):
        assert client.post("/v1/corrections", json=body).status_code == 404
    client.delete(f"/v1/people/{ada}")
    assert (
        client.post("/v1/corrections", json={"face_token": token, "is": {"name": "X"}}).status_code
        == 404
    )


def test_people_of_a_file_are_listed_and_fixed(serving):
    fixed = serving(gallery=False)
    names = [row["name"] for row in fixed.get("/v1/people").json()["people"]]
    assert names == ["Ada", "Ben", "Cyd"]
    problem = fixed.post("/v1/people", json={"name": "X"}).json()
    assert problem["status"] == 404
    assert problem["title"] == "The server has nothing by that name or id."
    assert "operator can add a gallery" in problem["hint"]
    assert "mien " not in problem["hint"]


def test_recognizers_are_described(client):
    gallery, file = client.get("/v1/recognizer").json()["recognizers"]
    assert (gallery["handle"], gallery["kind"]) == ("people", "gallery")
    assert (file["handle"], file["kind"], file["people_count"]) == ("toy", "file", 3)
    for row in (gallery, file):
        assert {"id", "licence", "publisher", "trained_on"} <= row["weights"][0].keys()
        assert row["stored"]
        assert 0 < row["policy"]["false_positive_rate"] < 1
    assert file["versions"] == [{"version": "given", "created": "", "in_service": True}]
    choice = {"version": "20200101-000000-abcdef"}
    assert client.put("/v1/recognizer/toy/service", json=choice).status_code == 404
