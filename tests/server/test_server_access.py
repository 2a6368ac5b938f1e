"""Who gets in: keys, sessions, roles and rate limits, without a server."""

from __future__ import annotations

import asyncio
import threading

import pytest
from fastapi import Request

from mien.errors import KeyNeeded, NotAllowed, ServerBusy, TooManyRequests
from mien.request_limits import RateLimiter
from mien.server.auth.access import Access, Caller, address_of
from mien.server.auth.keys import Keys, Role

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


def asked(given: str = "", *, cookie: str = "", method: str = "GET", address="192.0.2.1", csrf=""):
    """Return a request."""
    headers = {"authorization": given, "cookie": f"mien_session={cookie}", "x-csrf-token": csrf}
    pairs = [(k.encode(), v.encode()) for k, v in headers.items() if v]
    client = (address, 50_000) if address else None
    return Request({"type": "http", "method": method, "headers": pairs, "client": client})


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
        with pytest.raises(KeyNeeded, match="a key is required"):
            authorize(access)
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


# Rates


def test_wrong_keys_lock_their_address_out_and_no_valid_key(access_of, now):
    access = access_of()
    made, text = access.keys.create(Role.OPERATOR)
    for _ in range(10):
        with pytest.raises(KeyNeeded):
            authorize(access, **bearer(WRONG))
    for _ in range(2):
        with pytest.raises(TooManyRequests, match="too many wrong keys") as refused:
            authorize(access, **bearer(WRONG))
        assert refused.value.hint == "Ask again in 5 s."
    assert authorize(access, **bearer(text)).key == made.id
    assert asyncio.run(access.authenticate(text, "192.0.2.1")) == made
    with pytest.raises(TooManyRequests):
        asyncio.run(access.authenticate(WRONG, "192.0.2.1"))
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
    with pytest.raises(TooManyRequests, match="too many requests without a key"):
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
        waits.wait()
        return check(given)

    monkeypatch.setattr(access.keys, "check", slow)

    async def run():
        asking = [asyncio.create_task(access.authenticate(text, "-")) for _ in range(512)]
        await asyncio.sleep(0)
        with pytest.raises(ServerBusy, match="too many requests wait"):
            await access.authenticate(text, "-")
        for _ in range(2):
            assert entered.acquire(timeout=20)
        assert not entered.acquire(timeout=0.05)  # two threads read keys
        waits.set()
        found = await asyncio.gather(*asking)
        assert len({key.id for key in found}) == 1
        assert access._waiting == 0
        assert await access.authenticate(text, "-") == found[0]

    asyncio.run(run())


def test_a_request_that_failed_waits_no_longer(access_of, monkeypatch):
    access = access_of(required=True)

    def broken(_):
        raise OSError

    monkeypatch.setattr(access.keys, "check", broken)
    with pytest.raises(OSError):  # noqa: PT011
        asyncio.run(access.authenticate(WRONG, "-"))
    assert access._waiting == 0


def test_closing_ends_the_threads(access_of):
    access = access_of(required=True)
    with pytest.raises(KeyNeeded):
        authorize(access, **bearer(WRONG))
    access.close()
    with pytest.raises(RuntimeError):
        authorize(access, **bearer(WRONG))
