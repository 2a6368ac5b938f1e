"""`mien serve` ends with exit code 0 on SIGINT and on SIGTERM."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from toy_server import file_backend

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
