"""Limits on requests: the token bucket, and bodies in memory together."""

from __future__ import annotations

import asyncio

import pytest
from toy_server import with_limits

from mien.errors import RequestTooSlow, ServerBusy, TooManyRequests
from mien.rate_limits import RateLimiter
from mien.server.http.prometheus import Metrics
from mien.server.http.security import AccessRules, SecurityMiddleware, _LimitedBody


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
