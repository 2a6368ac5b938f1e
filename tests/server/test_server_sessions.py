"""Sessions of the page: listed, ended, idle, and the name of their cookie."""

from __future__ import annotations

import re

import pytest
from toy_server import toy_client

from mien.cli.serve import _settings
from mien.server.auth.keys import Role
from mien.server.auth.web_sessions import IDLE, LIFETIME, WebSessions


@pytest.fixture
def browser(state):
    """Return browser(key text): another client of the same server, signed in."""

    def sign_in(text: str):
        other = toy_client(state)
        answer = other.post("/v1/session", json={"key": text})
        assert answer.status_code == 200
        other.headers["x-csrf-token"] = answer.json()["csrf"]
        return other

    return sign_in


def listed(client) -> list[dict]:
    return client.get("/v1/sessions").json()["sessions"]


def test_sessions_are_listed_and_ended(state, browser):
    (desk, desk_text), (admin, admin_text) = (
        state.access.keys.create(role) for role in (Role.VIEWER, Role.ADMIN)
    )
    first, second, chief = browser(desk_text), browser(desk_text), browser(admin_text)
    own = listed(first)
    assert [row["key"] for row in own] == [desk.id] * 2
    assert [row["current"] for row in own] == [False, True]
    assert own[0]["address"] == "testclient"
    assert own[0]["idle_seconds"] == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", own[0]["created"])
    every = listed(chief)
    assert [row["key"] for row in every] == [admin.id, desk.id, desk.id]

    assert first.delete(f"/v1/sessions/{every[0]['id']}").status_code == 404  # an admin's
    assert first.delete(f"/v1/sessions/{own[0]['id']}").status_code == 204
    assert second.get("/v1/people").status_code == 401
    assert first.get("/v1/people").status_code == 200
    assert chief.delete(f"/v1/sessions/{own[1]['id']}").status_code == 204
    assert first.get("/v1/people").status_code == 401
    done = [(line.action, line.key) for line in state.audit.latest(2)]
    assert done == [("session ended", admin.id), ("session ended", desk.id)]


def test_ending_a_session_needs_the_csrf_token_and_a_key_sees_its_sessions(client, state, browser):
    _, text = state.access.keys.create(Role.VIEWER)
    page = browser(text)
    (row,) = listed(page)
    del page.headers["x-csrf-token"]
    assert page.delete(f"/v1/sessions/{row['id']}").status_code == 403
    by_key = {"authorization": f"Bearer {text}"}
    assert [each["current"] for each in client.get("/v1/sessions", headers=by_key).json()[
        "sessions"]] == [False]  # fmt: skip
    assert client.delete(f"/v1/sessions/{row['id']}", headers=by_key).status_code == 204
    assert page.get("/v1/people").status_code == 401


def test_sessions_of_a_revoked_key_are_not_listed(state, browser):
    gone, text = state.access.keys.create(Role.VIEWER)
    _, admin_text = state.access.keys.create(Role.ADMIN)
    browser(text)
    chief = browser(admin_text)
    assert len(listed(chief)) == 2
    state.access.keys.revoke(gone.id)
    assert len(listed(chief)) == 1


def test_an_unused_session_ends():
    now = [0.0]
    sessions = WebSessions(clock=lambda: now[0])
    cookie, made = sessions.start("k")
    for _ in range(3):
        now[0] += IDLE - 1
        assert sessions.find(cookie) == made
    now[0] += 10
    assert sessions.all() == [(made, 10.0)]
    now[0] += IDLE
    assert sessions.all() == []
    assert sessions.find(cookie) is None
    used, _ = sessions.start("k")
    started = now[0]
    while now[0] < started + 2 * LIFETIME and sessions.find(used):
        now[0] += IDLE / 2
    assert now[0] - started <= LIFETIME + IDLE  # used or not


def test_there_may_be_no_idle_limit():
    now = [0.0]
    sessions = WebSessions(idle=0, clock=lambda: now[0])
    cookie, made = sessions.start("k")
    now[0] = LIFETIME - 1
    assert sessions.find(cookie) == made
    now[0] = LIFETIME + 1
    assert sessions.find(cookie) is None


def test_the_idle_limit_is_an_option(serving, tmp_path):
    strict = serving(session_idle=0.001)
    state = strict.app._app.state.server
    _, text = state.access.keys.create(Role.VIEWER)
    assert strict.post("/v1/session", json={"key": text}).status_code == 200
    assert strict.get("/v1/people").status_code == 401
    options = {
        "allow_host": (), "cors_origin": (), "require_key": False, "insecure": False, "rate": None,
        "max_body": 32, "max_upload": 512, "waiting": 64, "workers": 0,
    }  # fmt: skip
    settings = _settings(tmp_path, loopback=True, session_idle=5, **options)
    assert settings.session_idle == 300


def test_the_cookie_over_tls_is_bound_to_the_host(state):
    _, text = state.access.keys.create(Role.VIEWER)
    page = toy_client(state)
    page.base_url = "https://127.0.0.1:8000"
    answer = page.post("/v1/session", json={"key": text})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-mien_session=")
    parts = {part.strip().lower() for part in cookie.split(";")}
    assert {"secure", "httponly", "path=/", "samesite=strict"} <= parts
    assert not any(part.startswith("domain") for part in parts)
    assert page.get("/v1/people").status_code == 200
    value = page.cookies["__Host-mien_session"]
    page.cookies.clear()
    # The plain name, which a neighbouring host could set, counts for nothing over TLS.
    plain = page.get("/v1/people", headers={"cookie": f"mien_session={value}"})
    assert plain.status_code == 401
    page.headers["cookie"] = f"__Host-mien_session={value}"
    page.headers["x-csrf-token"] = answer.json()["csrf"]
    ended = page.delete("/v1/session").headers["set-cookie"]
    assert ended.startswith('__Host-mien_session="";')
    assert {"secure", "path=/", "max-age=0"} <= {each.strip().lower() for each in ended.split(";")}
    assert page.get("/v1/people").status_code == 401


def test_the_cookie_without_tls_has_its_plain_name(client, state):
    _, text = state.access.keys.create(Role.VIEWER)
    cookie = client.post("/v1/session", json={"key": text}).headers["set-cookie"]
    assert cookie.startswith("mien_session=")
    assert "secure" not in cookie.lower()
