"""A refused request costs little: headers decide, and no body is read before they have."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing

import pytest
from fastapi import APIRouter
from toy_server import files, listening, picture, toy_client, toy_state, with_limits

from mien.request_limits import network_of
from mien.server.auth.keys import Role
from mien.server.http import guarded_route
from mien.server.http.guarded_route import GuardedRoute

WRONG = {"authorization": "Bearer mien_00000000_" + "A" * 43}


@pytest.fixture
def key(state):
    """Return the header with the key of an admin, so that the server requires one."""
    _, text = state.access.keys.create(Role.ADMIN)
    return {"authorization": f"Bearer {text}"}


@pytest.fixture
def from_address(state, key):  # noqa: ARG001
    """Return from_address(address): a client with that address; a key is required."""

    def make(address: str):
        return toy_client(state, client=(address, 50_000))

    return make


class CountedBody:
    """A request's body that counts the pieces which the server has read."""

    def __init__(self, size: int) -> None:
        self.read = 0
        self._left = size

    async def __call__(self):
        self.read += 1
        piece = b"x" * min(self._left, 16 << 10)
        self._left -= len(piece)
        return {"type": "http.request", "body": piece, "more_body": self._left > 0}


def ask(client, method, path, headers, body) -> int:
    """Send a request whose body is read piece by piece; return the status."""
    statuses = []

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "scheme": "http", "server": ("127.0.0.1", 8000), "client": ("192.0.2.7", 5000),
        "headers": [
            (b"host", b"127.0.0.1:8000"),
            *((name.encode(), value.encode()) for name, value in headers.items()),
        ],
    }  # fmt: skip
    asyncio.run(client.app(scope, body, send))
    return statuses[0]


JSON_ROUTES = [
    ("POST", "/v1/people"), ("PATCH", "/v1/people/x"), ("POST", "/v1/people/x/merge"),
    ("POST", "/v1/corrections"), ("PUT", "/v1/recognizer/toy/service"),
]  # fmt: skip
FORM_ROUTES = [
    ("POST", "/v1/identify"), ("POST", "/v1/verify"), ("POST", "/v1/align"), ("POST", "/v1/embed"),
    ("POST", "/v1/people/x/photos"), ("POST", "/v1/jobs"), ("POST", "/face-align"),
    ("POST", "/classify/toy"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), JSON_ROUTES + FORM_ROUTES)
@pytest.mark.parametrize("headers", [{}, WRONG])
def test_without_a_valid_key_no_body_is_read(client, key, method, path, headers):  # noqa: ARG001
    kind = "application/json" if (method, path) in JSON_ROUTES else "multipart/form-data"
    body = CountedBody(1 << 20)
    assert ask(client, method, path, {**headers, "content-type": kind}, body) == 401
    assert body.read == 0


def test_with_too_low_a_role_no_body_is_read(client, state, key):  # noqa: ARG001
    _, text = state.access.keys.create(Role.VIEWER)
    headers = {"authorization": f"Bearer {text}", "content-type": "application/json"}
    body = CountedBody(1 << 20)
    assert ask(client, "POST", "/v1/people", headers, body) == 403
    assert body.read == 0


@pytest.mark.parametrize(("method", "path"), [*JSON_ROUTES, ("POST", "/v1/session")])
def test_json_beyond_64_kib_is_refused(client, key, method, path):
    headers = {**key, "content-type": "application/json"}
    body = CountedBody(1 << 20)
    assert ask(client, method, path, headers, body) == 413
    assert body.read <= 5  # pieces of 16 KiB: no more than is needed to see it
    announced = CountedBody(1 << 20)
    headers["content-length"] = str((64 << 10) + 1)
    assert ask(client, method, path, headers, announced) == 413
    assert announced.read == 0


def test_json_of_64_kib_is_read(client):
    name = json.dumps({"name": "Ada", "consent": "", "more": ""})
    text = name[:-2] + "x" * ((64 << 10) - len(name)) + '"}'
    assert len(text) == 64 << 10
    header = {"content-type": "application/json"}
    assert client.post("/v1/people", content=text, headers=header).status_code == 201
    assert client.post("/v1/people", content=text + " ", headers=header).status_code == 413


def test_photos_may_be_larger_than_json(client):
    photo = picture(0) + bytes(200 << 10)
    assert client.post("/v1/identify?handle=toy", files=files(photo)).status_code == 200


@pytest.mark.parametrize(
    "body", [b"[" * 60_000, b"{", b"\xff", b"null", b'{"name": ' + b"9" * 60_000 + b"}"]
)
def test_json_that_is_none_is_refused(client, body):
    header = {"content-type": "application/json"}
    assert client.post("/v1/people", content=body, headers=header).status_code in {400, 422}


def test_large_json_is_parsed_outside_the_event_loop(client, monkeypatch):
    threads = []
    loads = json.loads

    def noted(data):
        threads.append(threading.current_thread().name)
        return loads(data)

    monkeypatch.setattr(guarded_route.json, "loads", noted)
    loop = []
    monkeypatch.setattr(guarded_route, "_with_json", noting_thread(guarded_route._with_json, loop))
    for consent in ("", "x" * 2000):
        padding = " " * (10 * len(consent))
        text = json.dumps({"name": f"Ada{len(consent)}", "consent": consent}) + padding
        header = {"content-type": "application/json"}
        assert client.post("/v1/people", content=text, headers=header).status_code == 201
    assert threads[0] == loop[0]
    assert threads[1] != loop[1]


def noting_thread(call, threads):
    async def noted(*arguments):
        threads.append(threading.current_thread().name)
        return await call(*arguments)

    return noted


def test_a_slow_json_body_is_refused_as_slow(serving):
    slow = serving(limits=with_limits(seconds=0.1, slowest=1 << 30))

    class Stalled(CountedBody):
        async def __call__(self):
            self.read += 1
            if self.read > 1:
                await asyncio.sleep(60)
            return {"type": "http.request", "body": b"{", "more_body": True}

    headers = {"content-type": "application/json"}
    assert ask(slow, "POST", "/v1/people", headers, Stalled(0)) == 408


@pytest.mark.parametrize("length", ["abc", "-1", "1.5", "0x10", "+5", " ", "1e3", "\u00b2"])
def test_a_content_length_that_is_no_number_is_refused(client, length):
    headers = {"content-type": "application/json", "content-length": length}
    body = CountedBody(100)
    assert ask(client, "POST", "/v1/people", headers, body) == 422
    assert body.read == 0


def test_a_content_length_of_thousands_of_digits_is_too_large(client):
    headers = {"content-type": "application/json", "content-length": "9" * 5000}
    body = CountedBody(100)
    assert ask(client, "POST", "/v1/people", headers, body) == 413
    assert body.read == 0


# Every route states who may call it


def test_a_route_states_who_may_call_it():
    router = APIRouter(route_class=GuardedRoute)
    with pytest.raises(TypeError, match="require_role or anyone"):
        router.add_api_route("/open", lambda: None)


def test_only_the_named_routes_are_open(client, key):  # noqa: ARG001
    paths = client.get("/openapi.json").json()["paths"]
    open_routes = {
        (method, path)
        for path, methods in paths.items()
        for method in methods
        if client.request(method, path.format_map(Anything())).status_code != 401
    }
    assert open_routes == {
        ("get", "/healthz"), ("get", "/readyz"), ("get", "/v1/session"), ("post", "/v1/session"),
        ("delete", "/v1/session"),
    }  # fmt: skip


class Anything(dict):
    def __missing__(self, _):
        return "x"


# Keys and addresses


def test_a_valid_key_is_accepted_from_an_address_that_sent_wrong_ones(from_address, key):
    client = from_address("192.0.2.1")
    statuses = [client.get("/v1/people", headers=WRONG).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert client.get("/v1/people", headers=key).status_code == 200
    signed = client.post("/v1/session", json={"key": key["authorization"].split()[1]})
    assert signed.status_code == 200
    assert client.get("/v1/people", headers=WRONG).status_code == 429


def test_wrong_keys_are_counted_per_address(from_address):
    one, two = from_address("192.0.2.1"), from_address("192.0.2.2")
    for _ in range(11):
        refused = one.get("/v1/people", headers=WRONG)
    assert refused.status_code == 429
    assert two.get("/v1/people", headers=WRONG).status_code == 401
    assert one.post("/v1/session", json={"key": "x"}).status_code == 429
    assert two.post("/v1/session", json={"key": "x"}).status_code == 401


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True), ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True), ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False), ("testclient", "testclient", True),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)  # fmt: skip
def test_an_ipv6_network_counts_as_one_client(one, two, same):
    assert (network_of(one) == network_of(two)) is same


def test_retry_after_says_when_the_next_try_counts(from_address, state):
    now = [0.0]
    state.access._wrong._clock = lambda: now[0]
    client = from_address("192.0.2.1")
    for _ in range(10):
        assert client.get("/v1/people", headers=WRONG).status_code == 401
    refused = client.get("/v1/people", headers=WRONG)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    assert "5 s" in refused.json()["hint"]
    now[0] = 3.0
    assert client.get("/v1/people", headers=WRONG).headers["retry-after"] == "2"
    now[0] = 5.0
    assert client.get("/v1/people", headers=WRONG).status_code == 401
    assert client.get("/v1/people", headers=WRONG).headers["retry-after"] == "5"


def test_requests_without_a_key_are_limited_per_address(from_address, state, key):
    state.access._keyless._clock = lambda: 0.0
    one, two = from_address("192.0.2.1"), from_address("192.0.2.2")
    statuses = [one.get("/v1/people").status_code for _ in range(102)]
    assert statuses == [401] * 100 + [429] * 2
    assert one.get("/v1/people").headers["retry-after"] == "1"
    assert two.get("/v1/people").status_code == 401
    assert one.get("/v1/people", headers=key).status_code == 200
    assert one.get("/healthz").status_code == 200


def test_the_rate_of_a_key_is_its_own(serving):
    limited = serving(limits=with_limits(per_second=0.1, burst=2), require_key=True)
    keys = limited.app._app.state.server.access.keys
    one, two = ({"authorization": f"Bearer {keys.create(Role.VIEWER)[1]}"} for _ in range(2))
    assert [limited.get("/v1/people", headers=one).status_code for _ in range(3)] == [200, 200, 429]
    assert limited.get("/v1/people", headers=one).headers["retry-after"] == "10"
    assert limited.get("/v1/people", headers=two).status_code == 200


def test_a_locked_key_database_does_not_stop_the_server(tmp_path):
    state = toy_state(tmp_path, require_key=True)
    with (
        listening(state) as address,
        closing(sqlite3.connect(state.settings.data / "keys.sqlite")) as other,
    ):
        other.execute("BEGIN EXCLUSIVE")
        done = []
        thread = threading.Thread(
            target=lambda: done.append(status_of(f"{address}/v1/people", 30, WRONG))
        )
        thread.start()
        time.sleep(0.3)
        assert status_of(f"{address}/healthz", 2) == 200
        assert not done
        other.rollback()
        thread.join()
        assert done == [401]


def status_of(url, timeout, headers=()) -> int:
    try:
        asked = urllib.request.Request(url, headers=dict(headers))  # noqa: S310
        with urllib.request.urlopen(asked, timeout=timeout) as answer:  # noqa: S310
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_keys_are_read_in_their_own_threads(client, state, key, monkeypatch):
    names = []
    check = state.access.keys.check

    def noted(text):
        names.append(threading.current_thread().name)
        return check(text)

    monkeypatch.setattr(state.access.keys, "check", noted)
    assert client.get("/v1/people", headers=key).status_code == 200
    assert names
    assert all(name.startswith("mien-keys") for name in names)


def test_only_so_many_requests_wait_for_their_keys(client, state, key, monkeypatch):
    monkeypatch.setattr(state.access, "_waiting", 512)
    refused = client.get("/v1/people", headers=key)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    monkeypatch.setattr(state.access, "_waiting", 0)
    assert client.get("/v1/people", headers=key).status_code == 200
    assert state.access._waiting == 0
