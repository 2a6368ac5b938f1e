"""App deployment: installed into a new environment as a host does it, and used over HTTP."""

from __future__ import annotations

import base64
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
from toy_deployments import form, large_jpeg, portrait_recognizer, toy_recognizer

from mien.deploy import app_folder as app
from mien.deploy.app_folder import deploy_app
from mien.deploy.packaging.libraries import this_python
from mien.errors import DeploymentTooLarge
from mien.photo import decode_photo

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run there")


@pytest.fixture(scope="module")
def recognizer(engine, portraits):
    return portrait_recognizer(engine, portraits).stored_as("int8")


@pytest.fixture(scope="module")
def deployed(recognizer, tmp_path_factory):
    out = tmp_path_factory.mktemp("app") / "out"
    return deploy_app(recognizer, out, handle="us", python=this_python())


@pytest.fixture(scope="module")
def python(deployed, tmp_path_factory):
    """Return the Python of an environment with the app's requirements installed."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    # Python compiles only the modules that the app imports, on its first run.
    quick = ["--no-compile", "--only-binary=:all:", "--disable-pip-version-check"]
    subprocess.run([*pip, *quick, "-r", deployed.folder / "requirements.txt"], check=True)
    return python


@contextmanager
def served(folder, python, **environment):
    """Run an app; yield its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [python, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "wsgi:application"],
        cwd=folder,
        env={"PORT": str(port), "MIEN_THREADS": "1", **environment},
        stderr=subprocess.PIPE,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                assert get_json(f"{address}/healthz") == {"status": "ok"}
                break
            except urllib.error.URLError:
                assert process.poll() is None, process.stderr.read().decode()
                time.sleep(0.1)
        yield address, process
    finally:
        process.kill()
        process.communicate()


def get_json(url, data=None, headers=None):
    request = urllib.request.Request(url, data, headers or {})  # noqa: S310 — an address of this machine
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        return json.loads(answer.read())


def send(url, data, name="me.jpg"):
    headers, body = form(data, name=name)
    return get_json(url, body, headers)


@pytest.fixture(scope="module")
def address(deployed, python):
    with served(deployed.folder, python) as (url, _):
        yield url


@pytest.mark.weights
def test_face_align_and_classify(address, portraits):
    path = min(portraits.iterdir())
    jpeg = base64.b64decode(send(f"{address}/face-align", path.read_bytes()).split(",")[1])
    assert decode_photo(jpeg, name="aligned").pixels.shape == (600, 600, 3)
    best = send(f"{address}/classify/us", jpeg)[0]
    assert best["class_name"] == path.stem
    assert best["confidence"] > 0.5  # two of the portraits look alike


@pytest.mark.weights
def test_large_photos_broken_photos_and_the_page(address, portraits):
    path = min(portraits.iterdir())
    (row,) = send(f"{address}/v1/identify?top=1", large_jpeg(6_000_000, path))["results"]
    assert [face["name"] for face in row["faces"]] == [path.stem]
    with pytest.raises(urllib.error.HTTPError) as refused:
        send(f"{address}/v1/align", path.read_bytes()[:2000])
    with refused.value as answer:
        assert answer.code == 422
        assert json.loads(answer.read())["detail"]
    with urllib.request.urlopen(f"{address}/", timeout=10) as page:  # noqa: S310
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.weights
def test_request_is_answered_before_the_app_stops(deployed, python, portraits):
    data = max(portraits.iterdir(), key=lambda path: path.stat().st_size).read_bytes()
    answers = []
    with served(deployed.folder, python) as (url, process):
        request = threading.Thread(target=lambda: answers.append(send(f"{url}/v1/identify", data)))
        request.start()
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        request.join(timeout=30)
        assert process.wait(timeout=30) == 0
    assert answers[0]["results"][0]["faces"]


def test_files_that_hosts_read_are_there(tmp_path):
    out = tmp_path / "out"
    deployed = deploy_app(toy_recognizer(), out, handle="squares", cors="*")
    assert (out / "Procfile").read_text() == "web: gunicorn wsgi:application\n"
    assert (out / ".python-version").read_text() == "3.13\n"
    lines = (out / "requirements.txt").read_text().splitlines()
    pins = [line.split("==")[0] for line in lines if not line.startswith(" ")]
    assert set(pins) >= set(deployed.libraries)
    assert all("==" in line or line.startswith("    --hash=sha256:") for line in lines)
    assert "FROM python:3.13-slim" in (out / "Dockerfile").read_text()
    assert "| onnxruntime |" in (out / "README.md").read_text()
    assert json.loads((out / "ship.json").read_text())["cors"] == "*"
    assert "MIEN_API_KEY: " in (out / "compose.yaml").read_text()
    assert "`MIEN_API_KEY`" in (out / "README.md").read_text()
    texts = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    assert not [text for text in texts if b"@SIZES@" in text or b"@PYTHON@" in text]
    assert 50_000_000 < deployed.limits[0].bytes < 300_000_000


def test_app_over_the_limit_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(app, "SLUG", 10_000)
    with pytest.raises(DeploymentTooLarge, match="slug"):
        deploy_app(toy_recognizer(), tmp_path / "out", handle="squares")
    assert not list(tmp_path.iterdir())
