"""`mien serve` ends with exit code 0 on SIGINT and on SIGTERM."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from toy_server import file_backend, picture, toy_state

from faults import read_only_disk
from mien.server import run
from mien.server.http.connections import ConnectionLimits
from mien.server.run import Address, _Server, listen

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no signals like these there")


def serve(folder):
    """Start `mien serve` over a recognizer file."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "mien", "serve", folder / "toy.onnx", "--port", "0",
            "--data", folder / "data",
        ],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def running(tmp_path):
    """Return a running `mien serve`."""
    file_backend().recognizer.save(tmp_path / "toy.onnx")
    process = serve(tmp_path)
    address = next(line for line in process.stderr if "Mien is at" in line).split()[3]
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{address}healthz", timeout=10).close()  # noqa: S310
            break
        except OSError:
            time.sleep(0.1)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_server_exits_with_code_0(running, how):
    running.send_signal(how)
    _, log = running.communicate(timeout=60)
    assert running.returncode == 0
    assert log.count("Mien has stopped") == 1
    for word in ("error", "interrupted", "Traceback"):
        assert word not in log


def test_a_second_server_on_the_data_folder_is_refused_until_the_first_ends(running, tmp_path):
    second = serve(tmp_path)
    _, log = second.communicate(timeout=60)
    assert second.returncode == 19
    assert "another server uses the data folder" in log
    assert "--data" in log
    assert "Traceback" not in log
    running.kill()
    running.wait()
    third = serve(tmp_path)
    try:
        assert any("Mien is at" in line for line in third.stderr)
    finally:
        third.terminate()
        third.communicate(timeout=60)


def test_a_server_on_a_read_only_disk_identifies(running, tmp_path):
    running.terminate()
    running.communicate(timeout=60)
    with read_only_disk(tmp_path):
        process = serve(tmp_path)
        try:
            address = next(line for line in process.stderr if "Mien is at" in line).split()[3]
            answer = identify(address)
        finally:
            process.terminate()
            process.communicate(timeout=60)
    assert process.returncode == 0
    assert answer["results"][0]["faces"][0]["name"] == "Ada"


def test_a_server_that_stops_does_not_wait_for_stalled_clients(tmp_path, monkeypatch, caplog):
    """An upload that stalls and a response that is not read, in a server in this process."""
    servers = []
    limits = ConnectionLimits(stalled=0.2, pipelined=1000)
    monkeypatch.setattr(run, "connection_limits", lambda *_: limits)
    monkeypatch.setattr(run, "configure_logging", lambda: None)
    monkeypatch.setattr(
        run, "_Server", lambda *given: servers.append(_Server(*given)) or servers[0]
    )
    state = toy_state(tmp_path)
    with listen(Address(port=0)) as listener, socket.socket() as unread:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=run.serve, args=(state, Address(), listener))
        thread.start()
        with socket.create_connection(("127.0.0.1", port)) as upload:
            form = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 9999"
            upload.sendall(
                f"POST /v1/identify HTTP/1.1\r\nHost: localhost\r\n{form}\r\n\r\n--x".encode()
            )
            unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            unread.connect(("127.0.0.1", port))
            wait_until(lambda: servers and len(servers[0].server_state.connections) == 2)
            while not any(each.flow.write_paused for each in servers[0].server_state.connections):
                unread.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
                time.sleep(0.01)
            wait_until(lambda: len(servers[0].server_state.tasks) == 2)
            servers[0].handle_exit(signal.SIGTERM, None)
            thread.join(timeout=30)
            assert not thread.is_alive()
    assert not servers[0].server_state.connections
    assert not [each for each in caplog.records if each.levelname in {"WARNING", "ERROR"}]


def wait_until(condition) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def identify(address):
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
    body = part + b"Content-Type: image/png\r\n\r\n" + picture(0) + b"\r\n--b--\r\n"
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    request = urllib.request.Request(f"{address}v1/identify", body, form)  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.load(answer)
