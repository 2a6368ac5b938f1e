"""The photo queue: limits, batches, errors, shutdown."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest
from toy_server import files, listening, picture, shared_engine, toy_state, with_limits

from mien.errors import ServerBusy
from mien.server.http.prometheus import Metrics
from mien.server.inference.photo_queue import PhotoQueue


@pytest.fixture
def start_queue():
    made = []

    def start(workers=1, **limits):
        made.append(PhotoQueue(with_limits(**limits), Metrics(), workers=workers))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_a_batch_returns_each_photo_its_own_result(start_queue):
    queue = start_queue(batch=4, waiting=20)
    gate = threading.Event()
    blocked = queue.submit(gate.wait)
    photos = [(picture(n % 3), f"{n}") for n in range(8)]
    futures = queue.submit_photos(
        photos, shared_engine(), lambda seen: (seen.photo.name, seen.embeddings)
    )
    gate.set()
    assert blocked.result(10)
    results = [future.result(30) for future in futures]
    assert [name for name, _ in results] == [str(n) for n in range(8)]
    for n in range(3):
        similarity = results[n][1].vectors[0] @ results[n + 3][1].vectors[0]
        assert similarity == pytest.approx(1, abs=1e-3)


def test_a_full_queue_rejects_and_recovers(start_queue):
    queue = start_queue(waiting=3)
    gate = threading.Event()
    first = queue.submit(gate.wait)
    while queue.waiting:
        time.sleep(0.01)
    futures = [queue.submit(lambda: 1) for _ in range(3)]
    with pytest.raises(ServerBusy):
        queue.submit(lambda: 1)
    gate.set()
    assert [future.result(10) for future in futures] == [1, 1, 1]
    assert first.result(10)


def test_an_expired_task_is_not_started(start_queue):
    queue = start_queue(seconds=0.05)
    gate = threading.Event()
    queue.submit(gate.wait)
    late = queue.submit(lambda: 1)
    time.sleep(0.2)
    gate.set()
    with pytest.raises(ServerBusy):
        late.result(10)


def test_an_error_affects_only_its_own_photo(start_queue):
    queue = start_queue()
    photos = [(b"broken", "a"), (picture(0), "b")]
    bad, good = queue.submit_photos(photos, shared_engine(), lambda seen: len(seen.detections))
    with pytest.raises(Exception, match="not a photo"):
        bad.result(10)
    assert good.result(10) == 1


def test_closing_finishes_accepted_tasks():
    queue = PhotoQueue(with_limits(), Metrics(), workers=1)
    futures = [queue.submit(lambda n=n: n) for n in range(20)]
    queue.close()
    assert [future.result(0) for future in futures] == list(range(20))
    with pytest.raises(ServerBusy):
        queue.submit(lambda: 1)


def test_overload_is_answered_with_503(tmp_path):
    state = toy_state(tmp_path, limits=with_limits(waiting=2))
    with listening(state) as base:
        import httpx2

        def ask(_):
            url = f"{base}/v1/identify?handle=toy"
            return httpx2.post(url, files=files(picture(0)), timeout=60)

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(ask, range(60)))
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {200, 503}
    assert 200 in statuses
    for answer in answers:
        if answer.status_code == 503:
            assert answer.headers["retry-after"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
def test_sigterm_finishes_accepted_requests(tmp_path):
    script = (
        "import sys, time\n"
        "sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path\n"
        "from toy_server import toy_state\n"
        "from mien.server.run import Address, listen, serve\n"
        "state = toy_state(Path(sys.argv[1]))\n"
        "listener = listen(Address(port=0))\n"
        "state.queue.submit(lambda: time.sleep(1))\n"
        "state.queue.submit(lambda: time.sleep(1))\n"
        "print(listener.getsockname()[1], flush=True)\n"
        "serve(state, Address(), listener)\n"
    )
    here = Path(__file__).parent
    process = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path, here, here.parent],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    port = int(process.stdout.readline())
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body += picture(0) + b"\r\n--x--\r\n"
    connection.request(
        "POST",
        "/v1/identify?handle=toy",
        body,
        {"Content-Type": "multipart/form-data; boundary=x", "Host": "127.0.0.1"},
    )
    time.sleep(0.7)
    process.send_signal(signal.SIGTERM)
    answer = connection.getresponse()
    assert answer.status == 200
    answer.read()
    connection.close()
    _, log = process.communicate(timeout=60)
    assert process.returncode in {0, -signal.SIGTERM}
    assert "Traceback" not in log
