"""Event streams hold no thread and are counted."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import replace

import pytest
from toy_server import listening, toy_state, with_limits

from mien.errors import ServerBusy, TooManyRequests
from mien.server.http.event_streams import OpenStreams
from mien.server.training.jobs import Job

RUNNING = Job(
    id="20260101-000000-abcdef", name="x", handle="x", created="", rate=0.01, key="", state="queued"
)


@pytest.fixture
def served(tmp_path):
    """Return the state and the address of a server with an unfinished job that is not run."""
    state = toy_state(tmp_path, limits=with_limits(streams_each=60, streams=70))
    with listening(state) as address:
        with urllib.request.urlopen(f"{address}/healthz", timeout=20):  # noqa: S310
            pass  # the server runs, and did not take up the job
        state.jobs._jobs[RUNNING.id] = RUNNING
        yield state, address


def stream_of(address: str):
    return urllib.request.urlopen(f"{address}/v1/jobs/{RUNNING.id}/events", timeout=20)  # noqa: S310


def wait_until(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_more_streams_than_threads_leave_the_threads_to_others(served):
    state, address = served
    with ExitStack() as stack:
        streams = [stack.enter_context(stream_of(address)) for _ in range(60)]  # 40 threads
        assert all(stream.readline().startswith(b"data: ") for stream in streams)
        assert state.streams.count == 60
        workers = [t for t in threading.enumerate() if "AnyIO" in t.name]
        assert len(workers) < 40
        with urllib.request.urlopen(f"{address}/v1/people", timeout=5) as answer:  # noqa: S310
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError) as refused:
            stream_of(address)
        with refused.value as answer:
            assert (answer.code, answer.headers["retry-after"]) == (429, "5")
    wait_until(lambda: state.streams.count == 0)
    assert not state.jobs._listeners


def test_a_stream_tells_a_change_at_once_and_ends_with_the_job(served):
    state, address = served
    with stream_of(address) as stream:
        assert b'"queued"' in stream.readline()
        started = time.monotonic()
        state.jobs._jobs[RUNNING.id] = replace(RUNNING, state="cancelled")
        state.jobs.notify()
        stream.readline()
        assert b'"cancelled"' in stream.readline()
        assert time.monotonic() - started < 4  # before the next sign of life
        assert stream.read().strip() == b""
    wait_until(lambda: state.streams.count == 0)


def test_a_stream_ends_when_its_job_is_deleted(served):
    state, address = served
    with stream_of(address) as stream:
        stream.readline()
        state.jobs._jobs.clear()
        state.jobs.notify()
        assert stream.read().strip() == b""


def test_streams_are_counted_per_client_and_together():
    streams = OpenStreams(with_limits(streams_each=2, streams=3))
    with streams.opened("a"), streams.opened("a"):
        with pytest.raises(TooManyRequests), streams.opened("a"):
            pass
        with streams.opened("b"):
            assert streams.count == 3
            with pytest.raises(ServerBusy), streams.opened("c"):
                pass
        with streams.opened("c"):
            pass
    assert streams.count == 0
    with streams.opened("a"):
        assert streams.count == 1
