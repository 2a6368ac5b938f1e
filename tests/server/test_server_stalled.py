"""Clients that do not read, do not send or pipeline: in virtual time, without sockets."""

from __future__ import annotations

import asyncio
from functools import wraps

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from virtual_time import PIECE, Connection, ToyServer, get, in_virtual_time, post

from mien.server.http.connections import ConnectionLimits

BASES = [H11Protocol, HttpToolsProtocol]
SIZE = 16 * len(PIECE)


@pytest.fixture(params=BASES, ids=["h11", "httptools"])
def base(request):
    """Return a protocol class of uvicorn."""
    return request.param


async def settle(seconds: float = 0.001) -> None:
    """Let everything happen that takes no longer."""
    await asyncio.sleep(seconds)


def virtual(test):
    """Run an asynchronous test in virtual time."""

    @wraps(test)
    def run(*arguments, **named):
        in_virtual_time(test(*arguments, **named))

    return run


def assert_clean(server):
    """Assert that the server keeps nothing of its connections."""
    assert not server.state.connections
    assert not server.state.tasks
    assert not server.kind.open_per_address


# Reading


@pytest.mark.parametrize("path", ["/large", "/at-once"])
@virtual
async def test_a_client_that_does_not_read_is_disconnected(base, path):
    server = ToyServer(base=base)
    client = Connection(server, room=100_000).send(get(path))
    await settle(29)
    assert not client.lost
    await settle(2)
    assert client.lost
    await settle()
    assert len(client.received) == 100_000
    assert_clean(server)


@virtual
async def test_no_more_is_written_than_the_client_takes(base):
    client = Connection(ToyServer(base=base), room=100_000).send(get("/large"))
    await settle()
    assert client.get_write_buffer_size() <= len(PIECE)
    client.read(100_000)
    await settle()
    assert client.get_write_buffer_size() <= len(PIECE)
    assert len(client.received) == 200_000


@virtual
async def test_a_client_that_reads_a_byte_now_and_then_is_disconnected(base):
    client = Connection(ToyServer(base=base), room=100_000).send(get("/large"))
    for _ in range(31):
        client.read(1000)
        await settle(1)
    assert client.lost


@pytest.mark.parametrize("path", ["/large", "/at-once"])
@virtual
async def test_a_slow_reader_gets_all_of_a_large_response(base, path):
    server = ToyServer(base=base)
    client = Connection(server, room=100_000).send(get(path))
    for _ in range(200):
        client.read(5000)
        await settle(1)
    assert client.received.endswith(b"x")
    assert client.received.count(b"x") == SIZE
    await settle(40)
    assert_clean(server)


@virtual
async def test_a_pause_of_a_reader_is_allowed(base):
    client = Connection(ToyServer(base=base), room=100_000).send(get("/large"))
    for _ in range(8):
        await settle(29)
        client.read(150_000)
    assert client.received.count(b"x") == SIZE


@virtual
async def test_a_connection_has_one_timer(base):
    server = ToyServer(base=base)
    client = Connection(server, room=100_000)
    for _ in range(30):
        client.send(get("/at-once"))
        await settle()
        client.read(SIZE + 1000)
        await settle()
    assert client.statuses == [b"200"] * 30
    scheduled = asyncio.get_running_loop()._scheduled
    checks = [each for each in scheduled if "_check" in repr(each) and not each.cancelled()]
    assert len(checks) == 1
    client.abort()
    await settle()
    assert checks[0].cancelled()


@virtual
async def test_a_closed_connection_does_not_wait_for_its_client(base):
    server = ToyServer(base=base)
    client = Connection(server, room=100_000).send(get("/at-once", "Connection: close"))
    await settle()
    assert client.is_closing()
    assert not client.lost
    await settle(31)
    assert client.lost
    assert_clean(server)


@virtual
async def test_requests_of_a_client_that_does_not_read_do_not_extend_its_time(base):
    server = ToyServer(base=base, total=1)
    client = Connection(server, room=100_000).send(get("/large"))
    for byte in get()[:6]:
        await settle(1)
        client.send(bytes([byte]))
    Connection(server, "192.0.2.2")
    assert client.lost


# Sending


@virtual
async def test_time_without_a_request_and_for_its_headers_is_limited(base):
    server = ToyServer(base=base)
    silent, slow = Connection(server), Connection(server)
    for byte in get("/a/path/of/many/letters")[:29]:
        slow.send(bytes([byte]))
        await settle(1)
    assert (silent.lost, slow.lost) == (False, False)
    await settle(2)
    assert (silent.lost, slow.lost) == (True, True)
    await settle()
    assert_clean(server)


@virtual
async def test_the_idle_time_begins_with_the_end_of_a_response(base):
    server = ToyServer(base=base)
    client = Connection(server)
    await settle(9)
    client.send(get("/work"))
    await settle(49)  # of which 20 are work
    assert not client.lost
    await settle(2)
    assert client.lost
    refreshed = Connection(server)
    for _ in range(3):
        await settle(29)
        refreshed.send(get())
    assert refreshed.statuses == [b"200"] * 2
    await settle()
    assert refreshed.statuses == [b"200"] * 3


@virtual
async def test_headers_have_at_most_512_kib():
    server = ToyServer(base=HttpToolsProtocol)
    for size, lost in ((512 << 10, False), ((512 << 10) + 1, True)):
        client = Connection(server).send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        client.send(b"x" * (size - len(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")))
        assert client.lost is lost
    long = b"x" * (300 << 10)
    client = Connection(server)
    for _ in range(3):  # each request has its own
        client.send(get("/", f"X: {long.decode()}"))
        await settle()
    assert client.statuses == [b"200"] * 3
    client.send(post("/body", b"a", 2 << 20))
    for _ in range(3):
        client.send(b"b" * (400 << 10))  # a body is no header
    assert not client.lost


@virtual
async def test_work_takes_as_long_as_it_takes(base):
    server = ToyServer(base=base, idle=5, writing=5, stalled=1)
    client = Connection(server).send(get("/work"))
    await settle(19)
    assert not client.lost
    await settle(2)
    assert client.statuses == [b"200"]
    await settle(6)
    assert client.lost


# Pipelining


@virtual
async def test_only_so_many_requests_of_one_read_are_answered():
    server = ToyServer(base=HttpToolsProtocol, pipelined=8)
    client = Connection(server).send(get() * 60)
    assert len(client.protocol.pipeline) == 8
    client.send(get() * 60)
    await settle()
    assert client.statuses == [b"200"] * 9
    assert client.received.count(b"connection: close") == 1
    assert client.lost
    assert len(server.requests) == 9
    assert_clean(server)


@virtual
async def test_as_many_requests_as_allowed_leave_the_connection_open():
    server = ToyServer(base=HttpToolsProtocol, pipelined=8)
    client = Connection(server)
    for _ in range(3):
        client.send(get() * 9)
        await settle()
    assert client.statuses == [b"200"] * 27
    assert not client.lost


@virtual
async def test_h11_answers_one_request_after_the_other():
    server = ToyServer(base=H11Protocol)
    client = Connection(server).send(get() * 60)
    assert len(server.state.tasks) == 1
    await settle()
    assert client.statuses == [b"200"] * 60


@virtual
async def test_the_body_of_a_refused_request_reaches_no_other_one():
    server = ToyServer(base=HttpToolsProtocol, pipelined=1)
    asked = [post("/body", letter * 5) for letter in (b"a", b"b", b"c", b"d")]
    client = Connection(server).send(b"".join(asked))
    client.send(b"e" * 100)
    await settle()
    assert server.bodies == [b"aaaaa", b"bbbbb"]
    assert client.statuses == [b"200"] * 2
    assert client.lost


@virtual
async def test_without_pipelining_the_request_in_progress_is_answered():
    server = ToyServer(base=HttpToolsProtocol, pipelined=0)
    client = Connection(server).send(get("/work") + get())
    await settle(21)
    assert (server.requests, client.statuses, client.lost) == (["/work"], [b"200"], True)
    again = Connection(server)
    for count in (1, 2):
        again.send(get())
        await settle()
        assert again.statuses == [b"200"] * count


@virtual
async def test_pipelined_requests_end_with_their_connection(caplog):
    server = ToyServer(base=HttpToolsProtocol, pipelined=8)
    reads = Connection(server).send(post("/body", b"a", 9))
    reads.send(b"a" * 8 + get("/large") * 3)
    works = Connection(server, room=100).send(get("/work") * 3)
    waits = Connection(server).send(get("/body") + get() * 3)
    await settle(1)
    for client in (reads, works, waits):
        client.abort()
    await settle(21)
    assert_clean(server)
    assert not caplog.records


@virtual
async def test_pipelined_requests_wait_until_the_client_reads(caplog):
    server = ToyServer(base=HttpToolsProtocol, pipelined=8)
    client = Connection(server, room=100_000).send(get("/large") * 9)
    await settle(20)
    assert len(server.requests) == 1
    await settle(11)
    assert client.lost
    assert_clean(server)
    assert len(server.requests) == 1
    assert not caplog.records


# A full server


async def four_kinds(server):
    """Return connections: idle, not read, its body not sent, working."""
    kinds = [
        Connection(server, "192.0.2.1"),
        Connection(server, "192.0.2.2", room=100_000).send(get("/large")),
        Connection(server, "192.0.2.3").send(post("/body", b"a", 9)),
        Connection(server, "192.0.2.4").send(get("/work")),
    ]
    await settle()
    return kinds


@virtual
async def test_the_idle_then_the_stalled_make_room_when_the_server_is_full(base):
    server = ToyServer(base=base, total=4, stalled=5)
    idle, unread, unsent, working = await four_kinds(server)
    await settle(4)
    one = Connection(server, "192.0.2.5").send(get("/work"))
    assert [c.lost for c in (idle, unread, unsent, working, one)] == [True] + [False] * 4
    refused = Connection(server, "192.0.2.6").send(get("/work"))
    await settle(0.5)
    assert refused.lost  # nothing is idle, and nothing has stalled for 5 s
    unread.read(10)
    await settle(0.6)
    two = Connection(server, "192.0.2.7").send(get("/work"))
    assert [c.lost for c in (unread, unsent, working, one, two)] == [False, True] + [False] * 3
    await settle(5)
    three = Connection(server, "192.0.2.8").send(get("/work"))
    assert [c.lost for c in (unread, working, one, two, three)] == [True] + [False] * 4
    await settle()
    assert len(server.state.connections) == 4


@virtual
async def test_the_longest_idle_connection_goes_first(base):
    server = ToyServer(base=base, total=3)
    first = Connection(server)
    await settle(1)
    second = Connection(server)
    await settle(1)
    first.send(get())
    await settle(1)
    third = Connection(server)
    Connection(server)
    assert [c.lost for c in (first, second, third)] == [False, True, False]
    Connection(server)
    assert [c.lost for c in (first, third)] == [True, False]


@virtual
async def test_a_connection_with_pipelined_requests_makes_room():
    server = ToyServer(base=HttpToolsProtocol, pipelined=8, total=3)
    plain = Connection(server).send(get("/work"))
    few = Connection(server).send(get("/work") * 2)
    many = Connection(server).send(get("/work") * 5)
    more = [Connection(server).send(get("/work")) for _ in range(3)]
    await settle()
    assert [c.lost for c in (plain, few, many)] == [False, True, True]
    assert [c.lost for c in more] == [False, False, True]


@virtual
async def test_an_upload_that_arrives_is_not_stalled(base):
    server = ToyServer(base=base, total=1, stalled=5)
    client = Connection(server).send(post("/body", b"a", 100))
    for _ in range(20):
        await settle(4)
        client.send(b"a")
    assert not client.lost
    refused = Connection(server)
    await settle()
    assert (client.lost, refused.lost) == (False, True)


@virtual
async def test_clients_that_neither_read_nor_stop_asking_leave_the_server_to_others():
    """520 connections of two addresses with 60 requests each, whose answers are not read."""
    server = ToyServer(base=HttpToolsProtocol)
    attack = [Connection(server, f"192.0.2.{n % 2}", room=500).send(get() * 60) for n in range(520)]
    assert len(server.state.connections) <= 512
    one = Connection(server, "192.0.2.7").send(get())
    await settle()
    assert one.statuses == [b"200"]
    assert len(server.requests) <= 520 * 2
    await settle(61)
    assert all(c.lost for c in attack)
    await settle()
    assert_clean(server)


# Addresses


@virtual
async def test_connections_of_one_address_are_limited(base):
    server = ToyServer(base=base, per_address=3)
    own = [Connection(server, "192.0.2.1").send(get("/work")) for _ in range(4)]
    other = Connection(server, "192.0.2.2").send(get("/work"))
    await settle()
    assert [c.lost for c in own] == [False] * 3 + [True]
    assert not other.lost
    own[0].abort()
    await settle()
    again = Connection(server, "192.0.2.1").send(get("/work"))
    await settle(21)
    assert again.statuses == other.statuses == own[1].statuses == [b"200"]
    idle = Connection(server, "192.0.2.1")
    await settle()
    assert own[1].lost or own[2].lost  # its own idle ones make room
    assert not idle.lost
    assert not other.lost


@virtual
async def test_an_ipv6_network_is_one_address():
    server = ToyServer(per_address=1)
    Connection(server, "2001:db8::1").send(get("/work"))
    same = Connection(server, "2001:db8::2")
    other = Connection(server, "2001:db8:0:1::1")
    await settle()
    assert (same.lost, other.lost) == (True, False)


@pytest.mark.parametrize(
    ("exempt", "lost"),
    [
        ((), True), (("192.0.2.1",), False), (("192.0.2.0/24",), False), (("*",), False),
        (("192.0.3.0/24", "192.0.2.2"), True), (("name", "192.0.2.0/24"), True),
    ],
)  # fmt: skip
@virtual
async def test_connections_of_a_proxy_are_not_limited_by_address(exempt, lost):
    server = ToyServer(per_address=1, total=3, exempt=exempt)
    Connection(server).send(get("/work"))
    second = Connection(server).send(get("/work"))
    await settle()
    assert second.lost is lost
    rest = [Connection(server).send(get("/work")) for _ in range(2)]
    await settle()
    assert rest[1].lost  # by `total`


@virtual
async def test_no_limit_per_address(base):
    server = ToyServer(base=base, per_address=0)
    clients = [Connection(server).send(get("/work")) for _ in range(512)]
    await settle()
    assert not any(c.lost for c in clients)


@virtual
async def test_256_clients_of_one_address_work_by_default():
    server = ToyServer()
    clients = [Connection(server).send(get("/work")) for _ in range(256)]
    await settle(21)
    assert all(c.statuses == [b"200"] for c in clients)


def test_the_limits_are_those_of_the_guide():
    assert ConnectionLimits() == ConnectionLimits(
        total=512, per_address=320, idle=30, writing=30, slowest=4096, stalled=5, stopping=30,
        pipelined=1,
    )  # fmt: skip


@virtual
async def test_a_client_that_reads_at_the_slowest_rate_is_served(base):
    server = ToyServer(base=base, writing=10, slowest=1000)
    clients = [Connection(server, room=100_000).send(get("/at-once")) for _ in range(2)]
    for _ in range(3):
        await settle(9)
        clients[0].read(10_000)
        clients[1].read(9_999)
        await settle(1.001)
    assert [c.lost for c in clients] == [False, True]


# A server that stops


@virtual
async def test_a_server_that_stops_waits_for_work_and_not_for_stalled_clients(base):
    server = ToyServer(base=base, stalled=5)
    idle, unread, unsent, working = await four_kinds(server)
    closed = Connection(server, "192.0.2.5", room=100_000)
    closed.send(get("/at-once", "Connection: close"))
    await settle()
    server.stop()
    await settle()
    assert [c.lost for c in (idle, unread, unsent, working, closed)] == [True] + [False] * 4
    await settle(6)
    assert [c.lost for c in (unread, unsent, working, closed)] == [True, True, False, True]
    await settle(15)
    assert working.statuses == [b"200"]
    await settle(1)
    assert_clean(server)


@virtual
async def test_a_trickle_does_not_keep_a_server_that_stops(base):
    server = ToyServer(base=base, stopping=30)
    upload = Connection(server).send(post("/body", b"a", 100))
    reader = Connection(server, room=100_000).send(get("/at-once"))
    await settle()
    server.stop()
    for _ in range(29):
        upload.send(b"a")
        reader.read(5000)
        await settle(1)
    assert not upload.lost
    assert not reader.lost
    await settle(2)
    assert upload.lost
    assert reader.lost
    await settle()
    assert_clean(server)


@virtual
async def test_a_response_that_is_read_is_finished_by_a_server_that_stops(base):
    server = ToyServer(base=base)
    client = Connection(server, room=100_000).send(get("/large"))
    await settle()
    server.stop()
    for _ in range(11):
        client.read(100_000)
        await settle(2)
    assert client.received.count(b"x") == SIZE
    await settle(2)
    assert_clean(server)
