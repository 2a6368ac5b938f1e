"""The page of a deployed app or function, in a real browser: it asks its user for the key."""

from __future__ import annotations

import threading
from io import BytesIO
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from staged import CHROMIUM_FLAGS
from toy_deployments import photo, write_deployment

from mien.deploy.service.wsgi import application_of

TIMEOUT = 20_000


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


class Server(ThreadingMixIn, WSGIServer):
    """A thread per connection: browsers open some that they do not use."""

    daemon_threads = True


def ending_bodies(application):
    """Return the application with bodies that end, as gunicorn's do and wsgiref's do not."""

    def ended(environ, start):
        size = int(environ.get("CONTENT_LENGTH") or 0)
        return application(
            {**environ, "wsgi.input": BytesIO(environ["wsgi.input"].read(size))}, start
        )

    return ended


@pytest.fixture
def address(tmp_path, monkeypatch):
    """Return the address of a running app with the key `secret`."""
    monkeypatch.setenv("MIEN_API_KEY", "secret")
    application = ending_bodies(application_of(write_deployment(tmp_path / "app")))
    with make_server("127.0.0.1", 0, application, Server, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_page_asks_for_the_key(address, chromium, tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    picture = tmp_path / "me.png"
    picture.write_bytes(photo([(12, 8)]))
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=[*CHROMIUM_FLAGS])
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT)
        page.goto(address)
        key = page.get_by_label("Key")
        assert not key.is_visible()
        page.get_by_label("Photo").set_input_files(picture)
        for text in ("wrong", "secret"):
            key.wait_for()
            assert key.get_attribute("type") == "password"
            assert "needs a key" in page.get_by_role("status").inner_text()
            key.fill(text)
            with page.expect_response(lambda answer: "identify" in answer.url) as answered:
                key.press("Enter")
            assert answered.value.status == (200 if text == "secret" else 401)
        page.locator("#faces tr").wait_for()
        assert not key.is_visible()
        page.get_by_label("Photo").set_input_files([])
        page.get_by_label("Photo").set_input_files(picture)  # the key is remembered
        page.locator("#faces tr").wait_for()
        browser.close()
