"""The audit trail: written before the answer, chained, and bounded under a flood of refusals."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from contextlib import closing

import pytest
from toy_server import files, picture

from mien.cli import main
from mien.server.auth.audit_trail import AuditTrail, check_file
from mien.server.auth.keys import Keys, Role
from mien.server.auth.refused_requests import OTHER_ADDRESSES, Refusal, Refusals

SECRET = b"s" * 32


@pytest.fixture
def path(tmp_path):
    return tmp_path / "audit.sqlite"


@pytest.fixture
def trail(path):
    made = AuditTrail(path, SECRET)
    yield made
    made.close()


def change(path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        for statement in statements:
            database.execute(statement)


def ten_lines(path, **options) -> None:
    trail = AuditTrail(path, SECRET, **options)
    for number in range(10):
        assert trail.record("looked up", "k", [f"p{number}"], "x").result(5)
    trail.close()


# Before the answer


def test_a_recognised_face_is_in_the_trail_before_the_answer(client, state):
    """What the file holds when the answer has come is read by another connection."""
    sent = [
        lambda: client.post("/v1/identify", files=files(picture(0))),
        lambda: client.post("/v1/verify", files={"a": picture(0), "b": picture(1)}),
        lambda: client.post("/v1/embed", files=files(picture(0))),
    ]
    for number, ask in enumerate(sent, 1):
        answer = ask()
        with closing(sqlite3.connect(state.settings.data / "audit.sqlite")) as database:
            (lines,) = database.execute("SELECT count(*) FROM events").fetchone()
        assert lines == number
        assert answer.json()["recorded"] is True
        assert answer.headers["x-audit-recorded"] == "true"
    listed = client.post("/classify/toy", files=files(picture(0)))
    assert listed.headers["x-audit-recorded"] == "true"
    assert "x-audit-recorded" not in client.get("/v1/people").headers


def test_an_answer_says_that_it_could_not_be_recorded(client, state, monkeypatch):
    def fail(*_):
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(AuditTrail, "_append", fail)
        answer = client.post("/v1/identify", files=files(picture(0)))
        assert answer.status_code == 200
        assert answer.json()["recorded"] is False
        assert answer.headers["x-audit-recorded"] == "false"
        assert "mien_audit_unwritten 1" in client.get("/metrics").text
    # It is written when the disk takes it again, in its place.
    client.post("/v1/verify", files={"a": picture(0), "b": picture(1)})
    assert [line.action for line in state.audit.latest(5)] == ["compared", "looked up"]
    assert state.audit.check().whole


def test_lines_that_no_memory_is_left_for_are_counted(path, monkeypatch):
    monkeypatch.setattr("mien.server.auth.audit_trail._MAX_UNWRITTEN", 3)
    trail = AuditTrail(path, SECRET)
    append = trail._append
    monkeypatch.setattr(trail, "_append", lambda *_: 1 / 0)
    trail._unwritten = type(trail._unwritten)(maxlen=3)
    for number in range(5):
        assert not trail.record("looked up", "k", [f"p{number}"]).result(5)
    monkeypatch.setattr(trail, "_append", append)
    assert trail.record("looked up", "k", ["p5"]).result(5)
    lines = trail.latest(9)
    trail.close()
    assert [line.person for line in lines] == ["p5", "", "p4", "p3", "p2"]
    assert lines[1].detail == "2 events before this one could not be written"


def test_times_are_utc(trail):
    trail.record("looked up", "k")
    (line,) = trail.latest(1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line.time)


def test_events_of_many_threads_are_all_written(trail):
    def work():
        for _ in range(20):
            assert trail.record("looked up", "k").result(10)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trail.check().lines == 160
    assert trail.check().whole


# The chain


def test_a_whole_trail_names_its_last_line(path):
    ten_lines(path)
    found = check_file(path, SECRET)
    assert (found.whole, found.lines, found.last) == (True, 10, 10)
    assert check_file(path, SECRET, noted=(10, found.link)).whole
    assert check_file(path, SECRET, noted=(4, "")).whole


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("DELETE FROM events WHERE number = 4", "line 4 is missing"),
        ("DELETE FROM events WHERE number BETWEEN 4 AND 6", "lines 4 to 6 are missing"),
        ("DELETE FROM events WHERE number > 7", "lines 8 to 10 are missing"),
        ("DELETE FROM events WHERE number < 3", "lines 1 to 2 are missing"),
        ("DELETE FROM events", "lines 1 to 10 are missing"),
        ("UPDATE events SET person = 'q' WHERE number = 5", "line 5 was changed"),
        ("UPDATE events SET time = '2020-01-01T00:00:00Z' WHERE number = 10", "line 10 was"),
        ("UPDATE events SET address = '::1' WHERE number = 1", "line 1 was changed"),
        ("UPDATE chain SET pruned = 2", "first and last line was changed"),
        ("UPDATE chain SET last = 9", "first and last line was changed"),
        ("INSERT INTO events VALUES (11, '', '', '', '', '', '', NULL)", "line 11 was added"),
        ("INSERT INTO events VALUES (-5, '', '', '', '', '', '', NULL)", "line -5 was added"),
        ("INSERT INTO events VALUES (0, '', '', '', '', '', '', x'00')", "line 0 was added"),
        ("DELETE FROM chain", "first and last line was changed"),
    ],
)
def test_a_removed_or_changed_line_shows(path, statement, fault):
    ten_lines(path)
    change(path, statement)
    assert fault in check_file(path, SECRET).faults[0]
    # Nor does it go away when the server writes on.
    trail = AuditTrail(path, SECRET)
    trail.record("looked up", "k").result(5)
    trail.close()
    assert not check_file(path, SECRET).whole


def test_a_trail_cut_with_its_record_shows(path):
    """The record of the ends is set as it would be for a shorter trail, but without the secret."""
    ten_lines(path)
    change(
        path,
        "DELETE FROM events WHERE number > 7",
        "UPDATE chain SET last = 7, last_link = (SELECT link FROM events WHERE number = 7)",
    )
    assert check_file(path, SECRET).faults == ("the record of the first and last line was changed",)
    trail = AuditTrail(path, SECRET)
    trail.record("looked up", "k").result(5)
    trail.close()
    assert check_file(path, SECRET).faults == ("line 8 is missing",)


@pytest.mark.parametrize(
    "removal",
    [
        ["DELETE FROM chain"],
        ["DROP TABLE chain"],
        ["DELETE FROM chain", "UPDATE events SET link = NULL"],
        ["DELETE FROM chain", "DELETE FROM events"],
    ],
)
def test_lines_are_not_linked_again_where_the_chain_was_removed(path, removal):
    """A server that starts would hide which lines are missing."""
    ten_lines(path)
    change(
        path,
        "DELETE FROM events WHERE number = 4",
        "UPDATE events SET number = number - 1 WHERE number > 4",
        *removal,
    )
    trail = AuditTrail(path, SECRET)
    trail.record("looked up", "k").result(5)
    trail.close()
    assert not check_file(path, SECRET).whole


def test_a_trail_that_is_made_to_look_like_an_earlier_versions_says_so(path):
    ten_lines(path)
    change(
        path,
        "DELETE FROM events WHERE number = 10",
        "DROP TABLE chain",
        "ALTER TABLE events DROP COLUMN link",
    )
    trail = AuditTrail(path, SECRET)
    latest = trail.latest(1)[0]
    trail.close()
    assert (latest.action, latest.detail) == (
        "chain started",
        "9 lines before this one had no chain",
    )


def test_an_old_copy_shows_by_a_line_that_was_noted(path):
    ten_lines(path)
    data = path.read_bytes()
    ten_lines(path)
    found = check_file(path, SECRET)
    path.write_bytes(data)
    assert check_file(path, SECRET).whole
    faults = check_file(path, SECRET, noted=(found.last, found.link)).faults
    assert faults == ("the trail ends at line 10, before line 20 that was noted",)
    assert not check_file(path, SECRET, noted=(10, "0" * 16)).whole


def test_a_file_that_is_replaced_while_it_is_written_shows(path, trail):
    trail.record("looked up", "k").result(5)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()
    trail.record("looked up", "k").result(5)
    assert [line.action for line in trail.latest(5)] == ["looked up"]
    assert trail.check().faults == ("line 1 is missing",)


def test_a_long_trail_is_not_compared_each_time(path, monkeypatch):
    monkeypatch.setattr("mien.server.auth.audit_trail._CHECK_ALWAYS", 5)
    ten_lines(path)
    trail = AuditTrail(path, SECRET)
    assert trail.check().lines == 10
    change(path, "UPDATE events SET key = 'other' WHERE number = 3")
    trail.record("looked up", "k").result(5)
    found = trail.check()
    assert (found.whole, found.lines, found.last) == (True, 11, 11)
    change(path, "DELETE FROM events WHERE number = 11")
    assert len(trail.check().faults) == 2  # the last line that is known is missing: all are read
    trail.close()
    assert len(check_file(path, SECRET).faults) == 2


def test_pruning_keeps_an_anchor(path):
    ten_lines(path, max_events=4)
    found = check_file(path, SECRET)
    assert (found.whole, found.lines, found.pruned, found.last) == (True, 4, 6, 10)
    change(path, "DELETE FROM events WHERE number = 7")
    assert check_file(path, SECRET).faults[0] == "line 7 is missing"


def test_another_secret_is_noticed(path):
    ten_lines(path)
    assert not check_file(path, b"t" * 32).whole


def old_file(path) -> None:
    """Make the file of version 0.1.0, with three lines."""
    change(
        path,
        "CREATE TABLE events (number INTEGER PRIMARY KEY, time TEXT NOT NULL, action TEXT NOT NULL,"
        " person TEXT NOT NULL, key TEXT NOT NULL, detail TEXT NOT NULL) STRICT",
        *[("INSERT INTO events (time, action, person, key, detail) VALUES"
          " ('2026-11-01T10:00:00+00:00', 'looked up', 'p', 'k', '')")] * 3,
    )  # fmt: skip


def test_a_trail_of_an_earlier_version_is_chained(path):
    old_file(path)
    trail = AuditTrail(path, SECRET)
    trail.record("looked up", "k", ["q"]).result(5)
    lines = trail.latest(9)
    assert [line.person for line in lines] == ["q", "", "p", "p", "p"]
    assert lines[1].action == "chain started"
    trail.close()
    assert check_file(path, SECRET).whole
    change(path, "DELETE FROM events WHERE number = 2")
    assert check_file(path, SECRET).faults[0] == "line 2 is missing"


def test_the_command_shows_and_checks(tmp_path, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["audit", "--data", str(tmp_path), *map(str, arguments)])
        captured = capsys.readouterr()
        return int(str(ended.value.code)), captured.out, captured.err

    assert run()[0] == 19  # there is none
    path, secret = tmp_path / "audit.sqlite", Keys(tmp_path).derived("audit trail")
    old_file(path)
    assert run("--check")[0] == 0
    trail = AuditTrail(path, secret)
    trail.record("key refused", "", detail="GET /v1/people", address="192.0.2.1").result(5)
    trail.close()
    code, out, _ = run()
    assert code == 0
    assert "192.0.2.1" in out
    rows = json.loads(run("--json", "--limit", 1)[1])
    assert [row["action"] for row in rows] == ["key refused"]
    state = json.loads(run("--check", "--json")[1])
    assert (state["whole"], state["lines"], state["last"]) == (True, 5, 5)
    assert run("--check", "--noted", f"5:{state['link']}")[0] == 0
    assert run("--noted", "4")[0] == 2
    code, _, err = run("--check", "--noted", "6")
    assert code == 19
    assert "before line 6" in err
    change(path, "DELETE FROM events WHERE number = 2")
    code, _, err = run("--check")
    assert code == 19
    assert "line 2 is missing" in err


def test_the_api_says_whether_the_trail_is_whole(client, state):
    client.post("/v1/identify", files=files(picture(0)))
    found = client.get("/v1/audit").json()["trail"]
    assert (found["whole"], found["faults"], found["lines"], found["last"]) == (True, [], 1, 1)
    assert client.get("/v1/audit?check=false").json()["trail"] is None
    change(state.settings.data / "audit.sqlite", "UPDATE events SET key = 'other'")
    found = client.get("/v1/audit").json()["trail"]
    assert not found["whole"]
    assert found["faults"] == ["line 1 was changed, or the line before it was"]


# Refused keys and roles


def test_refused_keys_and_roles_are_recorded_with_the_address(client, state):
    viewer, text = state.access.keys.create(Role.VIEWER)
    gone, old = state.access.keys.create(Role.ADMIN)
    state.access.keys.revoke(gone.id)
    unknown = "mien_00000000_" + "A" * 43
    for sent in (unknown, old, "nonsense"):
        answer = client.get("/v1/people", headers={"authorization": f"Bearer {sent}"})
        assert answer.status_code == 401
    assert client.post("/v1/session", json={"key": unknown}).status_code == 401
    allowed = {"authorization": f"Bearer {text}"}
    assert client.delete("/v1/people/x", headers=allowed).status_code == 403
    lines = [(row.action, row.key, row.detail, row.address) for row in state.audit.latest(9)]
    assert lines == [
        ("role refused", viewer.id, "DELETE /v1/people/{person}", "testclient"),
        ("key refused", "", "POST /v1/session", "testclient"),
        ("key refused", gone.id, "GET /v1/people", "testclient"),
        ("key refused", "", "GET /v1/people", "testclient"),
    ]
    csrf = client.post("/v1/session", json={"key": text}).json()["csrf"]
    assert csrf
    assert client.delete("/v1/people/x").status_code == 403
    assert state.audit.latest(1)[0].action == "token refused"


def test_a_flood_of_wrong_keys_adds_few_lines():
    now = [0.0]
    refusals = Refusals(lambda: now[0])

    def minute(addresses: int, each: int) -> tuple[int, dict[Refusal, int]]:
        first = 0
        for number in range(addresses):
            for _ in range(each):
                first += refusals.add(Refusal("key refused", "", f"192.0.2.{number}", "GET /"))
        assert refusals.due() == []
        now[0] += 60
        return first, dict(refusals.due())

    assert minute(1, 1) == (1, {})
    assert minute(2, 1000) == (
        2, {Refusal("key refused", "", f"192.0.2.{n}", "GET /"): 999 for n in range(2)}
    )  # fmt: skip
    first, more = minute(1000, 2)
    assert first == 32
    assert more[Refusal("key refused", "", OTHER_ADDRESSES)] == (1000 - 32) * 2
    assert len(more) == 33
    # When the lines of a day are used up, one line has the number of all.
    for _ in range(200):
        first, more = minute(40, 2)
    assert first <= 4
    assert sum(more.values()) + first == 80


def test_what_a_minute_adds_is_written_at_the_end(path):
    trail = AuditTrail(path, SECRET)
    for _ in range(7):
        trail.refuse(Refusal("key refused", "", "192.0.2.1", "GET /v1/people"))
    trail.close()
    trail = AuditTrail(path, SECRET)
    lines = trail.latest(9)
    trail.close()
    assert [line.detail for line in lines] == ["GET /v1/people, 6 more", "GET /v1/people"]
