"""Limits on requests: the token bucket, and bodies in memory together."""

from __future__ import annotations

import asyncio

import pytest
from toy_server import with_limits
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from mien.errors import RequestTooSlow, ServerBusy, TooManyRequests
from mien.request_limits import RateLimiter, network_of
from mien.server.http.connections import ConnectionLimits
from mien.server.http.limits import Limits
from mien.server.http.prometheus import Metrics
from mien.server.http.security import AccessRules, SecurityMiddleware, _LimitedBody
from mien.server.run import Address, connection_limits


def test_the_rate_limiter_forgets_the_name_that_asked_longest_ago(monkeypatch):
    monkeypatch.setattr(RateLimiter, "_NAMES", 2)
    limiter = RateLimiter(1.0, 1, lambda: 0.0)
    limiter.take("a")
    limiter.take("b")
    limiter.take("c")  # a is forgotten
    limiter.take("a")  # and b
    for name in ("c", "a"):
        with pytest.raises(TooManyRequests):
            limiter.take(name)
    limiter.take("b")


def test_a_refused_request_takes_no_token():
    now = [0.0]
    limiter = RateLimiter(0.1, 1, lambda: now[0])
    limiter.take("a")
    for seconds in (0.0, 4.0, 9.5):
        now[0] = seconds
        with pytest.raises(TooManyRequests) as refused:
            limiter.take("a", "too many")
        assert str(refused.value) == "too many"
        assert f" {int(10.999 - seconds)} s" in refused.value.hint
    now[0] = 10.0
    limiter.take("a")


def test_a_bucket_never_holds_more_than_its_burst():
    now = [0.0]
    limiter = RateLimiter(5.0, 2, lambda: now[0])
    limiter.take("a")
    now[0] = 1000.0
    limiter.take("a")
    limiter.take("a")
    with pytest.raises(TooManyRequests):
        limiter.take("a")


def test_a_rate_of_0_is_no_limit():
    limiter = RateLimiter(0, 1, lambda: 0.0)
    for _ in range(3):
        limiter.take("a")


def test_the_error_names_the_rate_and_the_whole_seconds_to_wait():
    limiter = RateLimiter(2.5, 1, lambda: 0.0)
    limiter.take("a")
    with pytest.raises(TooManyRequests, match=r"^more than 2\.5 requests a second$") as refused:
        limiter.take("a")
    assert refused.value.hint == "Ask again in 1 s."


def test_the_limiter_remembers_10000_names():
    limiter = RateLimiter(1.0, 1, lambda: 0.0)
    for n in range(10_001):
        limiter.take(str(n))
    with pytest.raises(TooManyRequests):
        limiter.take("1")
    limiter.take("0")  # the first is forgotten


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("-", "-"),
        ("2001:db8::8000:0:0:1", "2001:db8::/64"), ("2001:db8:0:1::", "2001:db8:0:1::/64"),
    ],
)  # fmt: skip
def test_the_network_of_an_address(address, network):
    assert network_of(address) == network


def middleware_of(**limits) -> SecurityMiddleware:
    async def answer(_, receive, __):
        await receive()
        await receive()

    rules = AccessRules(frozenset(), frozenset(), with_limits(**limits))
    return SecurityMiddleware(answer, rules, Metrics())


def scope_of(path: str = "/v1/identify") -> dict:
    return {"type": "http", "method": "POST", "path": path, "headers": []}


def test_bodies_of_several_requests_are_counted_together():
    """A second request is refused while the first holds its body, and accepted afterwards."""
    middleware = middleware_of(held=150)

    async def check():
        held = asyncio.Event()
        statuses = []

        async def send(message):
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        def body():
            pieces = [{"type": "http.request", "body": bytes(100), "more_body": True}]

            async def receive():
                if pieces:
                    return pieces.pop()
                await held.wait()
                return {"type": "http.request", "body": b"", "more_body": False}

            return receive

        first = asyncio.create_task(middleware(scope_of(), body(), send))
        await asyncio.sleep(0.05)
        assert middleware._reserved == 100
        await middleware(scope_of(), body(), send)
        assert statuses == [503]
        held.set()
        await first
        assert middleware._reserved == 0
        await middleware(scope_of(), body(), send)
        assert statuses == [503]
        assert middleware._reserved == 0

    asyncio.run(check())


def test_requests_in_progress_are_counted_per_address():
    """The address that a trusted proxy has forwarded."""
    middleware = middleware_of(per_address=2)
    trusting = ProxyHeadersMiddleware(middleware, ["192.0.2.1"])
    answered = []

    async def ask(forwarded, proxy="192.0.2.1", *, ends=None):
        async def receive():
            if ends is not None:
                await ends.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            if message["type"] == "http.response.start":
                answered.append((forwarded, message["status"]))
                assert (b"retry-after", b"1") in message["headers"]

        headers = [(b"x-forwarded-for", forwarded.encode())]
        scope = {**scope_of(), "headers": headers, "client": (proxy, 1), "scheme": "http"}
        await trusting(scope, receive, send)

    async def check():
        ends = asyncio.Event()
        first = ["192.0.2.7", "192.0.2.7", "192.0.2.8", "2001:db8::1", "2001:db8::2"]
        held = [asyncio.create_task(ask(each, ends=ends)) for each in first]
        await asyncio.sleep(0)
        for each in ("192.0.2.7", "192.0.2.8", "2001:db8::3", "192.0.2.9"):
            await ask(each)
        assert answered == [("192.0.2.7", 429), ("2001:db8::3", 429)]
        await ask("192.0.2.7", proxy="192.0.2.2")  # which is not trusted
        ends.set()
        await asyncio.gather(*held)
        await ask("192.0.2.7")
        assert len(answered) == 2
        assert not middleware._in_progress

    asyncio.run(check())


def test_connections_of_proxies_are_exempt_from_the_limit_per_address():
    address = Address(proxies=("192.0.2.1", "192.0.2.2"))
    limits = connection_limits(Limits(per_address=7), address)
    assert limits == ConnectionLimits(per_address=7, exempt=("192.0.2.1", "192.0.2.2"))
    assert connection_limits(Limits(), Address()) == ConnectionLimits()


def test_without_a_limit_per_address_any_number_may_be_in_progress():
    middleware = middleware_of(per_address=0)
    for limit, client in ((0, None), (1, None), (1, ("192.0.2.1", 1))):
        middleware = middleware_of(per_address=limit)
        with middleware._counted({"client": client}):
            if limit:
                with pytest.raises(TooManyRequests), middleware._counted({"client": client}):
                    pass
            else:
                with middleware._counted({"client": client}):
                    pass
        assert not middleware._in_progress


def test_a_reservation_up_to_the_limit_is_accepted():
    middleware = middleware_of(held=100)
    middleware.reserve(60)
    middleware.reserve(40)
    with pytest.raises(ServerBusy):
        middleware.reserve(1)


def test_a_larger_body_may_take_longer():
    middleware = middleware_of(seconds=30.0, slowest=1000)
    assert middleware.body_timeout(0) == 30.0
    assert middleware.body_timeout(5000) == 35.0


def test_the_time_for_a_body_is_that_of_all_its_pieces():
    """Pieces that each arrive in time are refused when together they take too long."""
    middleware = middleware_of(seconds=0.3, slowest=1 << 30)

    async def receive():
        await asyncio.sleep(0.1)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def check():
        body = _LimitedBody(middleware, scope_of(), receive)
        for _ in range(10):
            await body()

    with pytest.raises(RequestTooSlow):
        asyncio.run(check())


def test_uploads_of_training_photos_may_be_larger():
    middleware = middleware_of(body=10, upload=20, json=5)
    assert middleware.max_body("/v1/jobs") == 20
    assert middleware.max_body("/v1/jobs/x") == middleware.max_body("/v1/identify") == 10
    assert middleware.max_json == 5
