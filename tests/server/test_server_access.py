"""Who gets in: keys, sessions, roles and rate limits, without a server."""

from __future__ import annotations

import asyncio
import re
import threading

import pytest
from fastapi import Request

from mien.errors import KeyNeeded, NotAllowed, ServerBusy, TooManyRequests
from mien.request_limits import RateLimiter
from mien.server.auth.access import (
    Access,
    Caller,
    RoleCheck,
    address_of,
    require_role,
    session_cookie,
)
from mien.server.auth.keys import Keys, Role
from mien.server.auth.web_sessions import (
    COOKIE,
    SECURE_COOKIE,
    WebSession,
    WebSessions,
    is_csrf_token,
)

WRONG = "mien_00000000_" + "A" * 43


@pytest.fixture
def now():
    """Return the time of all limiters, in a list."""
    return [0.0]


@pytest.fixture
def access_of(tmp_path, now):
    """Return access_of(**options): an Access over an empty folder of keys."""
    made = []

    def make(rate: float = 0.0, burst: int = 2, **options) -> Access:
        made.append(Access(Keys(tmp_path), RateLimiter(rate, burst, lambda: now[0]), **options))
        made[0]._wrong._clock = made[0]._keyless._clock = lambda: now[0]
        return made[0]

    yield make
    for each in made:
        each.close()


def asked(
    given="", *, cookie="", method="GET", address="192.0.2.1", csrf="", scheme="http", name=COOKIE
):
    """Return a request."""
    headers = {"authorization": given, "cookie": f"{name}={cookie}", "x-csrf-token": csrf}
    pairs = [(k.encode(), v.encode()) for k, v in headers.items() if v]
    client = (address, 50_000) if address else None
    scope = {"type": "http", "scheme": scheme, "method": method, "path": "/", "server": ("a", 80)}
    return Request({**scope, "headers": pairs, "client": client})


def authorize(access: Access, role: Role = Role.VIEWER, **request) -> Caller:
    return asyncio.run(access.authorize(asked(**request), role))


def caller(access: Access, **request) -> Caller | None:
    return asyncio.run(access.caller(asked(**request)))


def bearer(text: str) -> dict[str, str]:
    return {"given": f"Bearer {text}"}


# When a key is required


@pytest.mark.parametrize(
    ("options", "ever", "needed"),
    [
        ({}, False, False), ({}, True, True), ({"required": True}, False, True),
        ({"open_to_all": True}, True, False),
        ({"open_to_all": True, "required": True}, True, False),
    ],
)  # fmt: skip
def test_when_a_key_is_required(access_of, options, ever, needed):
    access = access_of(**options)
    if ever:
        access.keys.revoke(access.keys.create(Role.VIEWER)[0].id)
    assert asyncio.run(access.requires_key()) is needed
    if needed:
        assert caller(access) is None
        with pytest.raises(KeyNeeded, match="a key is required") as caught:
            authorize(access)
        assert "`Authorization: Bearer KEY`" in caught.value.hint
    else:
        assert caller(access) == Caller("", Role.ADMIN)
        assert authorize(access, Role.ADMIN) == Caller("", Role.ADMIN)


def test_a_server_that_required_a_key_once_goes_on(access_of, monkeypatch):
    access = access_of()
    assert not asyncio.run(access.requires_key())
    access.keys.create(Role.VIEWER)
    assert asyncio.run(access.requires_key())
    monkeypatch.setattr(Keys, "ever_had_key", False)  # as if the database had been replaced
    assert asyncio.run(access.requires_key())


# Keys and sessions


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {} "])
def test_a_key_is_its_callers(access_of, form):
    access = access_of()
    made, text = access.keys.create(Role.OPERATOR)
    access.keys.create(Role.ADMIN)
    assert caller(access, given=form.format(text)) == Caller(made.id, Role.OPERATOR)


@pytest.mark.parametrize("form", ["Basic {}", "{}", "Bearer{}", "Token {}"])
def test_other_schemes_are_refused(access_of, form):
    access = access_of()
    _, text = access.keys.create(Role.OPERATOR)
    for _ in range(20):
        with pytest.raises(KeyNeeded, match="must use the scheme Bearer"):
            caller(access, given=form.format(text))


def test_unknown_and_revoked_keys_are_refused(access_of):
    access = access_of()
    made, text = access.keys.create(Role.OPERATOR)
    other, _ = access.keys.create(Role.OPERATOR)
    assert authorize(access, **bearer(text)).key == made.id
    for wrong in (WRONG, text[:-1], f"mien_{other.id}_{text[14:]}", ""):
        with pytest.raises(KeyNeeded, match="the key is unknown or revoked"):
            authorize(access, **bearer(wrong))
    access.keys.revoke(made.id)
    with pytest.raises(KeyNeeded, match="the key is unknown or revoked"):
        authorize(access, **bearer(text))


def test_a_session_is_that_of_its_key(access_of):
    access = access_of()
    made, text = access.keys.create(Role.OPERATOR)
    access.keys.create(Role.ADMIN)
    cookie, session = access.sessions.start(made.id)
    assert caller(access, cookie=cookie) == Caller(made.id, Role.OPERATOR, session)
    for none in ("", cookie[:-1], "x"):
        assert caller(access, cookie=none) is None
    # A header is what counts where both are sent.
    with pytest.raises(KeyNeeded):
        caller(access, cookie=cookie, **bearer(WRONG))
    assert caller(access, cookie=cookie, **bearer(text)).session is None
    access.keys.revoke(made.id)
    assert caller(access, cookie=cookie) is None


def test_a_session_needs_the_token_for_what_changes_something(access_of):
    access = access_of()
    cookie, session = access.sessions.start(access.keys.create(Role.ADMIN)[0].id)
    other, _ = access.sessions.start(access.keys.create(Role.ADMIN)[0].id)
    for method in ("GET", "HEAD", "OPTIONS"):
        assert authorize(access, cookie=cookie, method=method)
    for method in ("POST", "PUT", "PATCH", "DELETE", "OTHER"):
        assert authorize(access, cookie=cookie, method=method, csrf=session.csrf)
        for cookie_, token in ((cookie, ""), (cookie, session.csrf[:-1]), (other, session.csrf)):
            with pytest.raises(NotAllowed, match="x-csrf-token is missing or does not match"):
                authorize(access, cookie=cookie_, method=method, csrf=token)


def test_a_route_gets_the_caller_that_was_authorized():
    request = asked()
    request.scope["mien.caller"] = given = Caller("3f2a9c01", Role.OPERATOR)
    for role in Role:
        made = require_role(role)
        assert made == RoleCheck(role)
        assert asyncio.run(made(request)) is given


def test_a_key_needs_no_token(access_of):
    access = access_of()
    _, text = access.keys.create(Role.ADMIN)
    assert authorize(access, **bearer(text), method="POST")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("required", Role)
def test_a_role_includes_those_below(access_of, role, required):
    access = access_of()
    made, text = access.keys.create(role)
    if role >= required:
        request = asked(**bearer(text))
        assert asyncio.run(access.authorize(request, required)) == Caller(made.id, role)
        assert request.scope["mien.key"] == made.id
        return
    with pytest.raises(NotAllowed) as refused:
        authorize(access, required, **bearer(text))
    assert str(refused.value) == (
        f"this requires the role {required.word}; the key has the role {role.word}"
    )


def test_a_session_ends_after_12_hours_and_when_it_is_ended(now):
    sessions = WebSessions(idle=0, clock=lambda: now[0])
    cookie, session = sessions.start("3f2a9c01")
    other, _ = sessions.start("3f2a9c01")
    now[0] = 12 * 3600
    assert sessions.find(cookie) == session
    assert session.key == "3f2a9c01"
    assert session.expires == now[0]
    late, _ = sessions.start("3f2a9c01")
    now[0] += 1
    assert sessions.find(cookie) is None
    now[0] = 0  # it is gone for good
    assert sessions.find(cookie) is None
    assert sessions.find(late)
    sessions.end(other)
    sessions.end(other)
    assert sessions.find(other) is None


def test_an_unused_session_ends(now):
    sessions = WebSessions(idle=60, clock=lambda: now[0])
    cookie, session = sessions.start("3f2a9c01")
    unused, _ = sessions.start("3f2a9c01")
    for seconds in (60, 120, 180):
        now[0] = seconds
        assert sessions.find(cookie) == session
    assert [(each.id, idle) for each, idle in sessions.all()] == [(session.id, 0)]
    assert sessions.find(unused) is None
    now[0] = 240.5
    assert sessions.all() == []
    now[0] = 0
    assert sessions.find(cookie) is None
    default = WebSessions(clock=lambda: now[0])
    cookies = [default.start("3f2a9c01")[0] for _ in range(2)]
    now[0] = 1800
    assert default.find(cookies[0])
    now[0] = 1801
    assert (bool(default.find(cookies[0])), default.find(cookies[1])) == (True, None)


def test_sessions_are_listed_and_ended_by_id(now):
    sessions = WebSessions(clock=lambda: now[0])
    made = []
    for n in range(3):
        now[0] = float(n)
        made.append(sessions.start(f"key{n}", f"192.0.2.{n}"))
    now[0] = 5.0
    assert sessions.find(made[0][0])
    rows = [(each.key, each.address, idle) for each, idle in sessions.all()]
    assert rows == [("key2", "192.0.2.2", 3), ("key1", "192.0.2.1", 4), ("key0", "192.0.2.0", 0)]
    ids = [session.id for _, session in made]
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made[0][1].created)
    sessions.end_by_id(ids[1])
    sessions.end_by_id("unknown")
    assert [each.id for each, _ in sessions.all()] == [ids[2], ids[0]]
    assert sessions.find(made[1][0]) is None


def test_cookies_and_tokens_cannot_be_guessed():
    sessions = WebSessions()
    made = [sessions.start("3f2a9c01") for _ in range(2)]
    secrets = {cookie for cookie, _ in made} | {session.csrf for _, session in made}
    assert len(secrets) == 4
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", secret) for secret in secrets)
    assert sessions.find(made[0][0]) == made[0][1]


def test_the_oldest_of_more_than_1000_sessions_ends():
    sessions = WebSessions()
    cookies = [sessions.start("3f2a9c01")[0] for _ in range(1001)]
    assert [n for n, cookie in enumerate(cookies) if not sessions.find(cookie)] == [0]
    for cookie in cookies:
        sessions.end(cookie)
    assert not sessions._used  # nothing is kept of them


def test_a_csrf_token_is_compared_whole():
    session = WebSession("0123456789abcdef", "3f2a9c01", "token", 0.0)
    tokens = ("token", "toke", "tokens", "", "t\xf6ken", "Token")
    assert [is_csrf_token(session, token) for token in tokens] == [True] + [False] * 5


def test_over_tls_the_cookie_has_a_name_that_other_hosts_cannot_set(access_of):
    access = access_of()
    made, _ = access.keys.create(Role.VIEWER)
    cookie, _ = access.sessions.start(made.id)
    for scheme, name in (("http", COOKIE), ("https", SECURE_COOKIE)):
        assert caller(access, cookie=cookie, scheme=scheme, name=name).key == made.id
        other = COOKIE if name == SECURE_COOKIE else SECURE_COOKIE
        assert caller(access, cookie=cookie, scheme=scheme, name=other) is None


# What is recorded


def test_refusals_are_recorded_with_key_address_and_route(access_of):
    class Route:
        path = "/v1/people/{person}"

    found = []
    access = access_of(on_refused=found.append)
    made, text = access.keys.create(Role.VIEWER)
    revoked, revoked_text = access.keys.create(Role.VIEWER)
    access.keys.revoke(revoked.id)
    cookie, _ = access.sessions.start(made.id)

    def refused(role=Role.VIEWER, *, route=True, **request):
        each = asked(method="DELETE", address="2001:db8::7", **request)
        each.scope |= {"route": Route} if route else {}
        with pytest.raises((KeyNeeded, NotAllowed)):
            asyncio.run(access.authorize(each, role))
        (line,) = found
        found.clear()
        assert line.address == "2001:db8::/64"
        assert line.detail == ("DELETE /v1/people/{person}" if route else "DELETE")
        return line.action, line.key

    assert refused(**bearer(WRONG)) == ("key refused", "")
    assert refused(**bearer("no key at all"), route=False) == ("key refused", "")
    assert refused(**bearer(revoked_text)) == ("key refused", revoked.id)
    assert refused(**bearer(f"mien_{made.id}_{'A' * 43}")) == ("key refused", made.id)
    assert refused(Role.ADMIN, **bearer(text)) == ("role refused", made.id)
    assert refused(cookie=cookie) == ("token refused", made.id)
    authorize(access, **bearer(text))
    with pytest.raises(KeyNeeded):
        authorize(access)
    assert not found


def test_a_wrong_key_is_recorded_without_its_id_when_too_many_wait(access_of, monkeypatch):
    found = []
    access = access_of(on_refused=found.append)
    made, _ = access.keys.create(Role.VIEWER)

    def busy(_):
        raise ServerBusy("too many")

    monkeypatch.setattr(access.keys, "known_id", busy)
    with pytest.raises(KeyNeeded):
        authorize(access, **bearer(f"mien_{made.id}_{'A' * 43}"))
    assert [each.key for each in found] == [""]


# Rates


def test_wrong_keys_lock_their_address_out_and_no_valid_key(access_of, now):
    access = access_of()
    made, text = access.keys.create(Role.OPERATOR)
    for _ in range(10):
        with pytest.raises(KeyNeeded):
            authorize(access, **bearer(WRONG))
    for _ in range(2):
        with pytest.raises(TooManyRequests, match=r"^too many wrong keys$") as refused:
            authorize(access, **bearer(WRONG))
        assert refused.value.hint == "Ask again in 5 s."
    assert authorize(access, **bearer(text)).key == made.id
    assert asyncio.run(access.authenticate(text, asked())) == made
    with pytest.raises(TooManyRequests):
        asyncio.run(access.authenticate(WRONG, asked()))
    with pytest.raises(KeyNeeded, match="a key is required"):
        authorize(access)
    with pytest.raises(KeyNeeded):
        authorize(access, **bearer(WRONG), address="192.0.2.2")
    now[0] = 5.0
    with pytest.raises(KeyNeeded):
        authorize(access, **bearer(WRONG))
    with pytest.raises(TooManyRequests):
        authorize(access, **bearer(WRONG))


def test_valid_keys_use_up_no_tries(access_of):
    access = access_of()
    _, text = access.keys.create(Role.OPERATOR)
    for _ in range(30):
        authorize(access, **bearer(text))
    with pytest.raises(KeyNeeded):
        authorize(access, **bearer(WRONG))


def test_wrong_keys_of_an_ipv6_network_count_together(access_of):
    access = access_of(required=True)
    for n in range(10):
        with pytest.raises(KeyNeeded):
            authorize(access, **bearer(WRONG), address=f"2001:db8::{n}")
    with pytest.raises(TooManyRequests):
        authorize(access, **bearer(WRONG), address="2001:db8::ffff")
    with pytest.raises(KeyNeeded):
        authorize(access, **bearer(WRONG), address="2001:db8:0:1::")


def test_requests_without_a_key_are_limited(access_of, now):
    access = access_of(required=True)
    for _ in range(100):
        with pytest.raises(KeyNeeded, match="a key is required"):
            authorize(access)
    with pytest.raises(TooManyRequests, match=r"^too many requests without a key$"):
        authorize(access)
    with pytest.raises(KeyNeeded):
        authorize(access, address="192.0.2.2")
    with pytest.raises(KeyNeeded):
        authorize(access, **bearer(WRONG))  # counted apart
    now[0] = 0.05
    with pytest.raises(KeyNeeded):
        authorize(access)
    with pytest.raises(TooManyRequests):
        authorize(access)


def test_the_rate_is_that_of_a_key_or_of_an_address(access_of):
    access = access_of(rate=1.0, burst=2)
    keyless = [("192.0.2.1", True), ("192.0.2.1", True), ("192.0.2.1", False), ("192.0.2.2", True)]
    for address, allowed in keyless:
        if allowed:
            authorize(access, address=address)
        else:
            with pytest.raises(TooManyRequests, match="more than 1 requests a second"):
                authorize(access, address=address)
    one, two = (access.keys.create(Role.VIEWER)[1] for _ in range(2))
    authorize(access, **bearer(one))
    authorize(access, **bearer(one), address="192.0.2.9")
    with pytest.raises(TooManyRequests):
        authorize(access, **bearer(one), address="192.0.2.10")
    authorize(access, **bearer(two))


def test_a_refused_role_uses_up_no_request(access_of):
    access = access_of(rate=1.0, burst=1)
    _, text = access.keys.create(Role.VIEWER)
    for _ in range(3):
        with pytest.raises(NotAllowed):
            authorize(access, Role.ADMIN, **bearer(text))
    authorize(access, **bearer(text))


def test_a_client_without_an_address():
    assert address_of(asked(address="")) == "-"
    assert address_of(asked()) == "192.0.2.1"


# Threads


def test_only_so_many_requests_wait(access_of, monkeypatch):
    access = access_of(required=True)
    _, text = access.keys.create(Role.VIEWER)
    waits, entered = threading.Event(), threading.Semaphore(0)
    check = access.keys.check

    def slow(given):
        entered.release()
        waits.wait(timeout=20)
        return check(given)

    monkeypatch.setattr(access.keys, "check", slow)

    async def run():
        asking = [asyncio.create_task(access.authenticate(text, asked())) for _ in range(512)]
        await asyncio.sleep(0)
        try:
            with pytest.raises(ServerBusy, match="too many requests wait"):
                await access.authenticate(text, asked())
            for _ in range(2):
                assert entered.acquire(timeout=20)
            assert not entered.acquire(timeout=0.05)  # two threads read keys
        finally:
            waits.set()
        found = await asyncio.gather(*asking)
        assert len({key.id for key in found}) == 1
        assert access._waiting == 0
        assert await access.authenticate(text, asked()) == found[0]

    asyncio.run(run())


def test_a_request_that_failed_waits_no_longer(access_of, monkeypatch):
    access = access_of(required=True)

    def broken(_):
        raise OSError

    monkeypatch.setattr(access.keys, "check", broken)
    with pytest.raises(OSError):  # noqa: PT011
        asyncio.run(access.authenticate(WRONG, asked()))
    assert access._waiting == 0


def test_closing_ends_the_threads(access_of):
    access = access_of(required=True)
    with pytest.raises(KeyNeeded):
        authorize(access, **bearer(WRONG))
    access.close()
    with pytest.raises(RuntimeError):
        authorize(access, **bearer(WRONG))


def test_a_request_without_a_session_has_none():
    assert session_cookie(asked()) == ""
    assert session_cookie(asked(cookie="s" * 43)) == "s" * 43
