"""A real browser for the page's tests: headless Chromium, driven by Playwright.

A camera is played from a file of real frames: portraits in the public domain that move about.
"""

from __future__ import annotations

import mimetypes
import os
import shutil
from pathlib import Path

import pytest
from staged import CHROMIUM_FLAGS, camera

PAGE = Path(__file__).resolve().parents[2] / "src" / "mien" / "server" / "page"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium; skips where there is none."""
    wanted = os.environ.get("MIEN_CHROMIUM")
    found = wanted or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found or not Path(found).exists():
        pytest.skip("no chromium here; install it, or name one in MIEN_CHROMIUM")
    return found


@pytest.fixture(scope="module")
def playwright():
    """Return Playwright; for a module at a time, as its event loop is in the way of others."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright, chromium):
    """Return a headless browser with no camera of interest."""
    browser = playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_FLAGS])
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def camera_file(portraits, tmp_path_factory) -> Path:
    """Return four seconds of two presidents who sway, as motion JPEG of 1280 x 720."""
    target = tmp_path_factory.mktemp("camera") / "two.mjpeg"
    return camera([portraits / "obama.jpg", portraits / "biden.jpg"], target)


@pytest.fixture(scope="module")
def camera_browser(playwright, chromium, camera_file):
    """Return a browser whose camera shows `camera_file` over and over."""
    flags = [*CHROMIUM_FLAGS, f"--use-file-for-fake-video-capture={camera_file}"]
    browser = playwright.chromium.launch(executable_path=chromium, args=flags)
    yield browser
    browser.close()


@pytest.fixture
def modules(browser):
    """Return a blank page on which the page's modules can be imported, with no server at all."""
    context = browser.new_context()
    context.route("http://page.test/**", _serve)
    page = context.new_page()
    page.goto("http://page.test/blank")
    yield page
    context.close()


def _serve(route) -> None:
    path = PAGE / route.request.url.removeprefix("http://page.test/")
    if not path.is_file():
        route.fulfill(status=200, content_type="text/html", body="<!doctype html><title>x</title>")
        return
    kind = "text/javascript" if path.suffix == ".js" else mimetypes.guess_type(path.name)[0]
    route.fulfill(status=200, content_type=kind, body=path.read_bytes())
