"""Download of LFW from a test server."""

import hashlib
import http.server
import threading

import pytest

from mien.dataset.sources import lfw
from mien.dataset.sources.specs import open_sources
from mien.errors import DatasetError, SourceNotFound

ARCHIVE = bytes(range(256)) * 4000


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    """Return the handler of a test server that can interrupt and records the requested ranges."""

    class Handler(http.server.BaseHTTPRequestHandler):
        ranges, breaks_after = [], None

        def do_GET(self):
            Handler.ranges.append(self.headers.get("Range"))
            begin = int((self.headers.get("Range") or "bytes=0-")[6:-1])
            if begin >= len(ARCHIVE):
                self.send_error(416)
                return
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(ARCHIVE) - begin))
            self.end_headers()
            self.wfile.write(ARCHIVE[begin : Handler.breaks_after])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(lfw, "URL", f"http://127.0.0.1:{server.server_port}/lfw.tgz")
    monkeypatch.setattr(lfw, "MD5", hashlib.md5(ARCHIVE, usedforsecurity=False).hexdigest())
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MIEN_OFFLINE", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield Handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_lfw_is_downloaded_once(publisher):
    seen = []
    path = lfw.fetch_lfw(lambda *progress: seen.append(progress))
    assert path.read_bytes() == ARCHIVE
    assert seen[-1] == (len(ARCHIVE), len(ARCHIVE), "fetching LFW")
    (source,) = open_sources(["lfw"])
    assert (source.label, source.location) == ("lfw", path)
    assert publisher.ranges == [None]


def test_an_interrupted_download_continues(publisher):
    publisher.breaks_after = 300_000
    with pytest.raises((SourceNotFound, DatasetError)):
        lfw.fetch_lfw()
    publisher.breaks_after = None
    assert lfw.fetch_lfw().read_bytes() == ARCHIVE
    assert publisher.ranges == [None, "bytes=300000-"]


def test_a_file_with_another_digest_is_removed(publisher, monkeypatch):
    monkeypatch.setattr(lfw, "MD5", "0" * 32)
    with pytest.raises(DatasetError, match="not the LFW archive") as caught:
        lfw.fetch_lfw()
    assert "lfw:PATH" in caught.value.hint
    assert not list((lfw.default_home() / "datasets").glob("*.part"))
    assert publisher.ranges == [None]


def test_an_unreachable_publisher(publisher, monkeypatch):
    monkeypatch.setattr(lfw, "URL", "http://127.0.0.1:9/lfw.tgz")
    with pytest.raises(SourceNotFound, match="cannot be fetched") as caught:
        lfw.fetch_lfw()
    assert "lfw:PATH" in caught.value.hint
    assert publisher.ranges == []
