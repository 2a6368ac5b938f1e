"""The security middleware alone: what it refuses, adds, counts and logs."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from virtual_time import in_virtual_time

from mien.errors import BadRequest, NotAllowed, RequestTooLarge, RequestTooSlow
from mien.server.http.limits import Limits
from mien.server.http.prometheus import Metrics
from mien.server.http.security import (
    AccessRules,
    SecurityMiddleware,
    _LimitedBody,
    check,
    header,
)

PLAIN = {
    "content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy",
    "cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy",
    "cache-control", "x-request-id",
}  # fmt: skip


def rules_of(hosts=(), origins=(), **limits) -> AccessRules:
    return AccessRules(frozenset(hosts), frozenset(origins), replace(Limits(), **limits))


def scope_of(method="POST", path="/v1/identify", **headers) -> dict:
    pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return {"type": "http", "method": method, "path": path, "headers": pairs}


def body_of(*pieces: bytes):
    """Return what receives a body in pieces, then that the client has gone."""
    left = list(pieces)

    async def receive():
        if not left:
            return {"type": "http.disconnect"}
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    return receive


async def answer(_, receive, send):
    """Answer with the length of the body; with a header of its own."""
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    headers = [(b"X-Frame-Options", b"SAMEORIGIN"), (b"x-size", b"%d" % size)]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def ask(middleware, scope=None, receive=None) -> tuple[int, dict[str, str], dict]:
    """Return status, headers and JSON of a response."""
    sent = []

    async def send(message):
        sent.append(message)

    await middleware(scope or scope_of(), receive or body_of(b""), send)
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    assert len(headers) == len(sent[0]["headers"])
    body = b"".join(message["body"] for message in sent[1:])
    return sent[0]["status"], headers, json.loads(body) if body else {}


def asked(rules=None, scope=None, receive=None, app=answer):
    return asyncio.run(ask(SecurityMiddleware(app, rules or rules_of(), Metrics()), scope, receive))


# Hosts and origins


@pytest.mark.parametrize(
    ("host", "accepted"),
    [
        ("faces.example", True), ("faces.example:8000", True), ("FACES.example.", True),
        ("[::1]:8000", True), ("::1", False), ("other.example", False), ("", False),
        ("faces.example.evil", False), ("evil-faces.example", False), ("[::1", False),
        ("a@faces.example", True), ("faces.example@evil", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_the_given_hosts_are_accepted(host, accepted, method):
    rules = rules_of(hosts=("faces.example", "::1"))
    scope = scope_of(method, host=host)
    if accepted:
        check(scope, rules)
    else:
        with pytest.raises(NotAllowed, match="this host name is not allowed"):
            check(scope, rules)
    check(scope, rules_of())  # any name


@pytest.mark.parametrize(
    ("sent", "accepted"),
    [
        ({}, True), ({"origin": "http://a"}, True), ({"origin": "https://a"}, True),
        ({"origin": "https://b"}, True), ({"origin": "http://b"}, False),
        ({"origin": "http://a:1"}, False), ({"origin": "null"}, False),
        ({"sec_fetch_site": "cross-site"}, False), ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "same-site"}, True), ({"sec_fetch_site": "none"}, True),
        ({"origin": "https://b", "sec_fetch_site": "cross-site"}, True),
        ({"origin": "https://c", "sec_fetch_site": "same-origin"}, False),
    ],
)  # fmt: skip
def test_pages_of_other_sites_are_refused(sent, accepted):
    rules = rules_of(origins=("https://b",))
    for method in ("POST", "PUT", "PATCH", "DELETE", "OTHER"):
        scope = scope_of(method, host="a", **sent)
        if accepted:
            check(scope, rules)
        else:
            with pytest.raises(NotAllowed, match="pages of other sites may not send this request"):
                check(scope, rules)
    for method in ("GET", "HEAD", "OPTIONS"):
        check(scope_of(method, host="a", **sent), rules)


def test_the_first_of_several_headers_counts():
    scope = scope_of() | {"headers": [(b"host", b"a"), (b"host", b"b"), (b"x", b"\xe9")]}
    assert (header(scope, b"host"), header(scope, b"x"), header(scope, b"y")) == ("a", "\xe9", "")


def test_a_refused_request_does_not_reach_the_application():
    async def never(*_):
        raise AssertionError

    rules = rules_of(hosts=("a",), body=10)
    status, headers, problem = asked(rules, scope_of(host="b"), app=never)
    assert (status, problem["status"]) == (403, 403)
    assert set(headers) >= PLAIN
    sizes = {"9": AssertionError, "11": 413, "x": 422}
    for length, expected in sizes.items():
        scope = scope_of(host="a", content_length=length)
        if expected is AssertionError:
            with pytest.raises(AssertionError):
                asked(rules, scope, app=never)
        else:
            assert asked(rules, scope, app=never)[0] == expected


# Bodies


@pytest.mark.parametrize(
    ("length", "error"),
    [
        ("", None), ("0", None), ("100", None), ("0000000100", None), ("101", RequestTooLarge),
        ("9" * 18, RequestTooLarge), ("9" * 19, RequestTooLarge), ("9" * 5000, RequestTooLarge),
        ("0" * 18, None), ("0" * 19, RequestTooLarge),
        ("x", BadRequest), ("-1", BadRequest), ("+1", BadRequest), ("1.0", BadRequest),
        (" 1", BadRequest), ("1, 1", BadRequest), ("1_0", BadRequest),
    ],
)  # fmt: skip
def test_a_content_length_is_a_number_within_the_limit(length, error):
    middleware = SecurityMiddleware(answer, rules_of(body=100), Metrics())
    scope = scope_of(content_length=length) if length else scope_of()
    body = _LimitedBody(middleware, scope, body_of())
    if error is None:
        body.check_length()
    else:
        with pytest.raises(error):
            body.check_length()


def test_a_body_up_to_the_limit_is_read():
    rules = rules_of(body=100)
    assert asked(rules, receive=body_of(bytes(60), bytes(40)))[1]["x-size"] == "100"
    status, _, problem = asked(rules, receive=body_of(bytes(60), bytes(41)))
    assert (status, problem["status"]) == (413, 413)


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (2 << 10, "this request may have at most 2 KiB"),
        ((1 << 20) - 1, "this request may have at most 1023 KiB"),
        (1 << 20, "a request may have at most 1 MiB"),
        (5 << 20, "a request may have at most 5 MiB"),
    ],
)  # fmt: skip
def test_a_refused_size_names_the_limit(limit, text):
    scope = scope_of(content_length=str(limit + 1))
    assert asked(rules_of(body=limit), scope)[2]["detail"] == text


def test_json_has_a_limit_of_its_own():
    async def with_json(scope, receive, send):
        scope["mien.body"].limit_to_json()
        await answer(scope, receive, send)

    rules = rules_of(body=100, json=50, upload=200)
    for path in ("/v1/people", "/v1/jobs"):
        for size, status in ((50, 201), (51, 413)):
            announced = scope_of(path=path, content_length=str(size))
            assert asked(rules, announced, body_of(bytes(size)), with_json)[0] == status
            assert asked(rules, scope_of(path=path), body_of(bytes(size)), with_json)[0] == status
    small = rules_of(body=30, json=50)
    assert asked(small, scope_of(), body_of(bytes(31)), with_json)[0] == 413
    unread = body_of(b"a")
    assert asked(rules, scope_of(content_length="51"), unread, with_json)[0] == 413
    assert asyncio.run(unread())["body"] == b"a"


def test_patience_grows_with_what_has_arrived():
    """At the slowest rate a body may arrive for ever; below it, it is refused."""

    def arrive(rate: float, pieces: int):
        async def receive():
            await asyncio.sleep(1)
            return {"type": "http.request", "body": bytes(int(rate)), "more_body": True}

        async def read():
            rules = rules_of(seconds=10.0, slowest=1000, body=1 << 30)
            middleware = SecurityMiddleware(answer, rules, Metrics())
            body = _LimitedBody(middleware, scope_of(), receive)
            for _ in range(pieces):
                await body()
            return body.received

        return in_virtual_time(read())

    assert arrive(1000, 200) == 200_000
    assert arrive(500, 18) == 9000  # in 18 s of 18.5 s
    for rate, pieces in ((500, 20), (0, 11), (1, 11), (900, 102)):
        with pytest.raises(RequestTooSlow):
            arrive(rate, pieces)
    assert arrive(0, 9) == 0


def test_time_that_the_application_takes_is_not_the_clients():
    async def read():
        middleware = SecurityMiddleware(answer, rules_of(seconds=10.0), Metrics())
        body = _LimitedBody(middleware, scope_of(), body_of(b"a", b"b"))
        await body()
        await asyncio.sleep(60)
        assert (await body())["body"] == b"b"
        await asyncio.sleep(60)
        return await body()

    assert in_virtual_time(read()) == {"type": "http.disconnect"}


def test_a_client_may_wait_for_ever_for_its_answer():
    """The end of a body that was read is not limited in time: event streams wait for it."""

    async def read():
        async def receive():
            if left:
                return left.pop()
            await asyncio.sleep(10_000)
            return {"type": "http.disconnect"}

        left = [{"type": "http.request", "body": b"a", "more_body": False}]
        middleware = SecurityMiddleware(answer, rules_of(seconds=10.0), Metrics())
        body = _LimitedBody(middleware, scope_of(), receive)
        await body()
        return await body()

    assert in_virtual_time(read()) == {"type": "http.disconnect"}


def test_memory_of_bodies_is_given_back_after_errors_too():
    async def broken(_, receive, __):
        await receive()
        raise ValueError

    async def check_():
        middleware = SecurityMiddleware(broken, rules_of(held=100), Metrics())
        for _ in range(3):
            with pytest.raises(ValueError):  # noqa: PT011
                await ask(middleware, receive=body_of(bytes(100)))
            assert middleware._reserved == 0
        status, headers, _ = await ask(middleware, receive=body_of(bytes(101)))
        assert (status, headers["retry-after"]) == (503, "1")
        assert middleware._reserved == 0

    asyncio.run(check_())


# Responses


def test_security_headers_are_added_and_replace_none():
    status, headers, _ = asked()
    assert status == 201
    assert set(headers) == PLAIN | {"x-size"}
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert len(headers["x-request-id"]) == 16
    assert headers["cache-control"] == "no-store"
    assert asked()[1]["x-request-id"] != headers["x-request-id"]


def test_over_tls_browsers_are_asked_to_stay_with_it():
    for scheme, value in (("https", "max-age=31536000"), ("http", None)):
        _, headers, _ = asked(scope={**scope_of(), "scheme": scheme}, receive=body_of(b""))
        assert headers.get("strict-transport-security") == value


def test_an_error_after_the_response_has_begun_is_not_answered():
    async def late(_, __, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise NotAllowed("too late")

    with pytest.raises(NotAllowed):
        asked(app=late)


def test_other_protocols_pass():
    seen = []

    async def inner(*given):
        seen.append(given)

    middleware = SecurityMiddleware(inner, rules_of(hosts=("a",)), Metrics())
    asyncio.run(middleware({"type": "lifespan"}, "receive", "send"))
    assert seen == [({"type": "lifespan"}, "receive", "send")]


def test_a_request_is_logged_and_counted(caplog):
    class Route:
        path = "/v1/people/{person}"

    async def routed(scope, receive, send):
        scope["route"], scope["mien.key"] = Route, "3f2a9c01"
        await answer(scope, receive, send)

    metrics = Metrics()
    middleware = SecurityMiddleware(routed, rules_of(hosts=("a",)), metrics)
    with caplog.at_level("INFO", logger="mien.server.requests"):
        _, headers, _ = asyncio.run(ask(middleware, scope_of("PUT", "/v1/people/Ada", host="a")))
        asyncio.run(ask(middleware, scope_of("PUT", "/v1/people/Ada", host="b")))
    one, two = (json.loads(record.getMessage()) for record in caplog.records)
    assert 0 <= one.pop("ms") < 60_000
    assert one == {
        "request": headers["x-request-id"], "method": "PUT", "route": "/v1/people/{person}",
        "status": 201, "key": "3f2a9c01",
    }  # fmt: skip
    assert (two["route"], two["status"], two["key"]) == ("other", 403, "")
    text = metrics.text().decode()
    assert 'method="PUT",route="/v1/people/{person}",status="201"} 1.0' in text
    assert 'method="PUT",route="other",status="403"} 1.0' in text
