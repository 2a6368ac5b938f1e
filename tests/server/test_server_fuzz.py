"""Damaged photos in damaged forms: the short form of `benchmarks/fuzz_uploads.py`."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from toy_server import listening, picture, toy_state

from fuzz_uploads import Fuzz, fuzz, small
from serving.mutations import ROUTES, case


@pytest.fixture
def toy_photos():
    return [picture(n, kind=kind) for n in range(2) for kind in ("PNG", "JPEG", "WEBP", "GIF")]


def test_malformed_requests_do_not_break_the_server(tmp_path, toy_photos):
    state = toy_state(tmp_path)
    with listening(state) as base:
        state.jobs.close()
        before = threading.active_count()
        place = urlsplit(base)
        server = SimpleNamespace(host=place.hostname, port=place.port)
        run = Fuzz(server, toy_photos, 0, (*ROUTES, "/v1/jobs"))
        asyncio.run(run.begin())
        asyncio.run(run.run(range(300)))
        assert run.found.failures == []
        assert sum(sum(counted.values()) for counted in run.found.statuses.values()) == 300
        assert sum(counted["200"] for counted in run.found.statuses.values()) > 20
        assert threading.active_count() <= before + 40  # the event loop's own pool
        assert not state.queue.waiting


@pytest.mark.weights
@pytest.mark.usefixtures("engine")
def test_a_real_server_survives_malformed_photos(tmp_path, portraits):
    found = [path.read_bytes() for path in sorted(portraits.iterdir())]
    photos = [made for number, data in enumerate(found) for made in small(data, number)]
    result = fuzz(photos, range(200), 7, tmp_path)
    assert result["failures"] == []
    statuses = [status for counted in result["statuses"].values() for status in counted]
    assert set(result["statuses"]) == set(ROUTES)
    assert {"200", "422"} <= set(statuses)


def test_a_fuzz_case_is_determined_by_seed_and_number(toy_photos):
    def made(seed, number):
        return case(seed, number, toy_photos, host="127.0.0.1", handle="people", person="p")

    assert made(3, 40) == made(3, 40)
    assert len({made(3, number).message for number in range(40)}) == 40
    assert made(4, 40).message != made(3, 40).message
