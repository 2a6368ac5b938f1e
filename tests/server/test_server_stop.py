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


@pytest.fixture
def running(tmp_path):
    """Return a running `mien serve` over a recognizer file."""
    file_backend().recognizer.save(tmp_path / "toy.onnx")
    process = subprocess.Popen(
        [
            sys.executable, "-m", "mien", "serve", tmp_path / "toy.onnx", "--port", "0",
            "--data", tmp_path / "data",
        ],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
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
