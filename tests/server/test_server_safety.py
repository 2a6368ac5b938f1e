"""Security of the server: requests that must be rejected."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import pytest
from toy_server import BASE, files, picture, toy_state, with_limits

from mien.errors import BadRequest, CannotListen, TooManyRequests, UnsafeStart
from mien.request_limits import RateLimiter
from mien.server.auth.keys import Keys, Role
from mien.server.auth.web_sessions import LIFETIME, WebSessions
from mien.server.run import Address, check_safe, listen, open_backends
from mien.server.state import Settings

PAGE = {"origin": BASE}


@pytest.fixture
def keyed(state):
    """Return keyed(role): a header with a new key of that role."""

    def make(role: Role) -> dict[str, str]:
        _, text = state.access.keys.create(role)
        return {"authorization": f"Bearer {text}"}

    return make


def kind(answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    return answer.json()["type"].removeprefix("urn:mien:problem:")


# Hosts and origins


def test_a_server_without_keys_refuses_other_addresses(tmp_path):
    settings = Settings(tmp_path)
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.org"):  # noqa: S104
        with pytest.raises(UnsafeStart):
            check_safe(Address(host), settings)
    for host in ("127.0.0.1", "::1", "localhost"):
        check_safe(Address(host), settings)
    check_safe(Address("192.0.2.1"), Settings(tmp_path, insecure=True))
    made, _ = Keys(tmp_path).create(Role.ADMIN)
    check_safe(Address("192.0.2.1"), settings)
    Keys(tmp_path).revoke(made.id)
    with pytest.raises(UnsafeStart):
        check_safe(Address("192.0.2.1"), settings)


def test_the_command_refuses_other_addresses_without_keys(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mien", "serve", "--host", "0.0.0.0", "--data", tmp_path],  # noqa: S104
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 19
    assert "mien keys create" in done.stderr


def test_a_port_in_use_is_reported():
    first = listen(Address(port=0))
    with pytest.raises(CannotListen):
        listen(Address(port=first.getsockname()[1]))
    first.close()


def test_unknown_host_names_are_rejected(client):
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""):
        assert kind(client.get("/v1/people", headers={"host": host})) == "not-allowed"
    for host in ("localhost:9", "127.0.0.1", "[::1]:8000", "LOCALHOST"):
        assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9"},
        {"sec-fetch-site": "cross-site"},
    ],
)
def test_cross_site_requests_are_rejected(client, headers):
    assert kind(client.post("/v1/people", json={"name": "X"}, headers=headers)) == "not-allowed"
    assert kind(client.post("/v1/identify", files=files(picture(0)), headers=headers))
    assert client.get("/v1/people").json()["people"] == []


def test_cors_is_limited_to_the_given_origins(serving):
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    shut = serving()
    assert "access-control-allow-origin" not in shut.get("/healthz", headers=asked).headers
    assert "access-control-allow-origin" not in shut.options("/classify/toy", headers=asked).headers
    named = serving(origins=frozenset({"https://app.example"}))
    answer = named.options("/classify/toy", headers=asked)
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    other = {**asked, "origin": "https://evil.example"}
    assert "access-control-allow-origin" not in named.get("/healthz", headers=other).headers


# Keys, roles and sessions


def test_requests_without_a_key_are_rejected_once_a_key_exists(client, keyed):
    keyed(Role.VIEWER)
    for method, path in (
        ("GET", "/v1/people"), ("POST", "/v1/people"), ("POST", "/v1/identify"),
        ("POST", "/v1/verify"), ("POST", "/v1/align"), ("POST", "/v1/embed"),
        ("POST", "/face-align"), ("POST", "/classify/toy"), ("GET", "/v1/recognizer"),
        ("POST", "/v1/corrections"), ("GET", "/v1/jobs"), ("POST", "/v1/jobs"),
        ("GET", "/v1/audit"), ("GET", "/metrics"), ("PUT", "/v1/recognizer/toy/service"),
        ("DELETE", "/v1/people/x"), ("GET", "/v1/people/x/thumbnail"),
        ("GET", "/v1/versions"), ("GET", "/v1/recognizer/toy/versions/x"),
        ("DELETE", "/v1/recognizer/toy/versions/x"), ("DELETE", "/v1/recognizer/toy/service"),
        ("GET", "/v1/sessions"), ("DELETE", "/v1/sessions/x"),
    ):  # fmt: skip
        answer = client.request(method, path)
        assert kind(answer) == "key-needed", path
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/healthz").status_code == 200
    assert client.get("/").status_code == 200


def test_require_key_applies_without_any_key(serving):
    strict = serving(require_key=True)
    assert kind(strict.get("/v1/people")) == "key-needed"
    assert strict.get("/v1/session").json() == {
        "authentication": True,
        "role": None,
        "csrf": None,
    }


def test_wrong_and_revoked_keys_are_rejected(client, state, keyed):
    good = keyed(Role.ADMIN)["authorization"]
    for text in (good[:-1], good + "x", good.swapcase(), "Bearer", "Basic eDp5", "Bearer mien_"):
        answer = client.get("/v1/people", headers={"authorization": text})
        assert answer.status_code in {401, 429}
    (made,) = state.access.keys.all()
    state.access.keys.revoke(made.id)
    assert state.access.keys.check(good.removeprefix("Bearer ")) is None


def test_wrong_keys_are_rate_limited(client, keyed):
    keyed(Role.ADMIN)
    wrong = {"authorization": "Bearer mien_00000000_" + "A" * 43}
    statuses = [client.get("/v1/people", headers=wrong).status_code for _ in range(12)]
    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_keys_are_stored_as_digests(tmp_path):
    _, text = Keys(tmp_path).create(Role.ADMIN, "front desk")
    secret = text.split("_", 2)[2].encode()
    for path in tmp_path.iterdir():
        assert secret not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
    found = Keys(tmp_path).check(text)
    assert found
    assert found.note == "front desk"


def test_roles(client, keyed):
    viewer, operator, admin = (keyed(role) for role in Role)
    new = {"name": "Ada"}
    assert kind(client.post("/v1/people", json=new, headers=viewer)) == "not-allowed"
    assert kind(client.post("/v1/embed", files=files(picture(0)), headers=viewer)) == "not-allowed"
    assert kind(client.get("/v1/jobs", headers=viewer)) == "not-allowed"
    assert kind(client.get("/v1/audit", headers=operator)) == "not-allowed"
    service = "/v1/recognizer/toy/service"
    choice = {"version": "given"}
    assert kind(client.put(service, json=choice, headers=operator)) == "not-allowed"
    done = client.post("/v1/identify", files=files(picture(0)), headers=viewer)
    assert done.status_code == 200
    assert client.post("/v1/people", json=new, headers=operator).status_code == 201
    assert client.put(service, json=choice, headers=admin).status_code == 200


def test_session_requests_need_the_csrf_token(client, state, keyed):
    text = keyed(Role.OPERATOR)["authorization"].removeprefix("Bearer ")
    assert kind(client.post("/v1/session", json={"key": text + "x"})) == "key-needed"
    answer = client.post("/v1/session", json={"key": text})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    csrf = answer.json()["csrf"]
    assert client.get("/v1/people").status_code == 200
    for token in ("", "x", csrf[:-1]):
        forged = client.post("/v1/people", json={"name": "X"}, headers={"x-csrf-token": token})
        assert kind(forged) == "not-allowed"
    signed = {"x-csrf-token": csrf, **PAGE}
    assert client.post("/v1/people", json={"name": "X"}, headers=signed).status_code == 201
    assert kind(client.delete("/v1/session")) == "not-allowed"
    state.access.keys.revoke(state.access.keys.all()[0].id)
    keyed(Role.ADMIN)
    assert kind(client.get("/v1/people")) == "key-needed"


def test_a_session_expires_and_ends():
    now = [0.0]
    sessions = WebSessions(clock=lambda: now[0])
    cookie, made = sessions.start("k")
    assert sessions.find(cookie) == made
    now[0] = LIFETIME + 1
    assert sessions.find(cookie) is None
    cookie, _ = sessions.start("k")
    sessions.end(cookie)
    assert sessions.find(cookie) is None


# Limits


def test_requests_are_rate_limited(serving):
    slow = serving(limits=with_limits(per_second=0.01, burst=3))
    statuses = [slow.get("/v1/people").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    assert int(slow.get("/v1/people").headers["retry-after"]) > 50


def test_a_token_bucket_refills():
    now = [0.0]
    limiter = RateLimiter(2.0, 2, lambda: now[0])
    limiter.take("a")
    limiter.take("a")
    with pytest.raises(TooManyRequests):
        limiter.take("a")
    limiter.take("b")
    now[0] = 0.5
    limiter.take("a")


def test_large_bodies_are_rejected(serving):
    small = serving(limits=with_limits(body=50_000, upload=60_000))

    def chunks():
        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        yield head
        for _ in range(100):
            yield bytes(10_000)

    big = files(bytes(60_000))
    assert kind(small.post("/v1/identify", files=big)) == "request-too-large"
    streamed = {"content-type": "multipart/form-data; boundary=x"}
    for path in ("/v1/identify", "/v1/jobs", "/face-align"):
        answer = small.post(path, content=chunks(), headers=streamed)
        assert kind(answer) == "request-too-large", path
    assert kind(small.post("/v1/people", content=bytes(60_000))) == "request-too-large"


def test_too_many_files_and_large_fields_are_rejected(serving):
    few = serving(limits=with_limits(photos=2))
    answer = few.post("/v1/identify", files=files(b"a", b"b", b"c"))
    assert kind(answer) == "request-too-large"
    answer = few.post("/v1/jobs", files=files(b"a"), data={"name": "x" * 100_000})
    assert kind(answer) == "request-too-large"


def test_the_memory_of_all_bodies_is_limited(serving):
    full = serving(limits=with_limits(held=1000))
    answer = full.post("/v1/identify", files=files(bytes(2000)))
    assert kind(answer) == "server-busy"
    assert answer.headers["retry-after"]
    assert full.post("/v1/people", json={"name": "Ada"}).status_code == 201


def test_the_number_of_faces_is_limited(serving):
    two = serving(limits=with_limits(faces=2))
    answer = two.post("/v1/identify?handle=toy", files=files(picture(0, faces=3)))
    assert len(answer.json()["results"][0]["faces"]) == 2


def test_a_decompression_bomb_is_rejected(client):
    bomb = (
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x01\x00\x00\x00\x01\x00\x00\x08\x02\x00\x00\x00"
        b"\x00\x00\x00\x00"
    )
    (row,) = client.post("/v1/identify", files=files(bomb)).json()["results"]
    assert row["error"]["status"] in {413, 422}


# Headers, logs and stored data


def test_every_response_has_the_security_headers(client):
    for answer in (client.get("/"), client.get("/nothing"), client.get("/v1/people")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert "http" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"


def test_over_tls_browsers_must_stay_with_it(client):
    name = "strict-transport-security"
    assert name not in client.get("/healthz").headers
    assert client.get("https://127.0.0.1:8000/healthz").headers[name] == "max-age=31536000"


def test_the_log_contains_no_names_and_no_photos(client, caplog):
    with caplog.at_level("INFO", logger="mien.server"):
        client.post("/v1/people", json={"name": "Secret Name"})
        client.get("/v1/people?handle=Secret")
        photo = [("file", ("Secret.png", picture(0), "image/png"))]
        client.post("/v1/identify?handle=toy", files=photo)
        client.get("/v1/people/Secret%20Name")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 4
    assert "Secret" not in "".join(lines)
    assert '"route": "/v1/people/{person}"' in lines[-1]


def test_the_audit_trail_records_actions_by_key(client, keyed):
    operator, admin = keyed(Role.OPERATOR), keyed(Role.ADMIN)
    made = client.post("/v1/people", json={"name": "Ada"}, headers=operator).json()
    taken = client.post(
        f"/v1/people/{made['id']}/photos?force=true", files=files(picture(0)), headers=operator
    )
    assert taken.json()["results"][0]["taken"]
    client.post("/v1/identify", files=files(picture(0)), headers=operator)
    client.delete(f"/v1/people/{made['id']}", headers=operator)
    answer = client.get("/v1/audit", headers=admin)
    rows = answer.json()["events"]
    who = operator["authorization"].split("_")[1]
    done = {row["action"] for row in rows if row["person"] == made["id"] and row["key"] == who}
    assert {"enrolled", "looked up", "forgotten"} <= done
    assert "Ada" not in answer.text


def test_client_file_names_are_never_used_as_paths(client, state, tmp_path):
    names = [
        "../../evil/one.png",
        "/etc/evil.png",
        "..\\..\\evil.png",
        "Ada \N{GRINNING FACE}/a.png",
    ]
    photos = [("file", (name, picture(n), "image/png")) for n, name in enumerate(names)]
    state.jobs.close()
    client.post("/v1/identify?handle=toy", files=photos)
    client.post("/v1/jobs", files=photos)
    data = state.settings.data
    for path in data.rglob("*"):
        assert "evil" not in path.name
        assert "\N{GRINNING FACE}" not in path.name
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("name", ["../evil.jpg", "/evil.jpg", "a/../../evil.jpg", "C:/evil.jpg"])
def test_a_zip_with_paths_outside_is_rejected(client, state, name):
    answer = client.post("/v1/jobs", files=[("file", ("a.zip", zipped({name: picture(0)})))])
    assert kind(answer) == "unsafe-archive"
    assert not list((state.settings.data / "jobs").iterdir())


def test_a_zip_bomb_is_rejected(client):
    bomb = zipped({"Ada/a.jpg": bytes(50 << 20)}, zipfile.ZIP_DEFLATED)
    assert kind(client.post("/v1/jobs", files=[("file", ("a.zip", bomb))])) == "unsafe-archive"


def test_zips_with_very_many_members_are_refused_while_their_lists_are_read(client, monkeypatch):
    """`zipfile` takes half a kilobyte for each, and all archives of an upload count together."""
    monkeypatch.setattr("mien.server.training.job_photos._MAX_MEMBERS", 5)
    few, more = ({f"Ada/{n}.png": picture(0) for n in range(count)} for count in (3, 6))
    one, other = zipped(few), zipped(few)
    for sent in ([zipped(more)], [one, other]):
        answer = client.post("/v1/jobs", files=[("file", ("a.zip", data)) for data in sent])
        assert kind(answer) == "unsafe-archive"
        assert "more than 5 members" in answer.json()["detail"]


def test_files_other_than_photos_are_not_stored(client, state):
    state.jobs.close()
    mixed = zipped({"Ada/a.png": picture(0), "Ada/b.png": b"#!/bin/sh\nevil", "Ada/c.exe": b"MZ"})
    answer = client.post("/v1/jobs", files=[("file", ("a.zip", mixed))])
    assert (answer.status_code, answer.json()["photos"]) == (201, 1)
    for path in (state.settings.data / "jobs").rglob("*"):
        assert path.is_dir() or b"evil" not in path.read_bytes()


def zipped(members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_a_server_state_closes(tmp_path):
    toy_state(tmp_path).close()


def test_a_file_cannot_have_the_name_of_the_gallery(tmp_path):
    file = tmp_path / "people.onnx"
    with pytest.raises(BadRequest, match="'people' is the name of the gallery"):
        open_backends({"people": file}, tmp_path / "office", tmp_path)
