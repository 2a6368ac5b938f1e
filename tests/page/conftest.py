"""A real browser for the page's tests: headless Chromium, driven by Playwright.

A camera is played from a file of real frames: portraits in the public domain that move about.
"""

from __future__ import annotations

import math
import mimetypes
import os
import shutil
from pathlib import Path

import pytest
from page_photos import upright
from PIL import Image

PAGE = Path(__file__).resolve().parents[2] / "src" / "mien" / "server" / "page"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]


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
    browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def camera_file(portraits, tmp_path_factory) -> Path:
    """Return four seconds of two presidents who sway, as motion JPEG of 1280 x 720."""
    path = tmp_path_factory.mktemp("camera") / "two.mjpeg"
    people = [upright(portraits / name, height=620) for name in ("obama.jpg", "biden.jpg")]
    with path.open("wb") as file:
        for moment in range(60):
            frame = Image.new("RGB", (1280, 720), (58, 64, 70))
            for place, person in enumerate(people):
                middle = 350 + 580 * place + 70 * math.sin(math.tau * moment / 60 + 1.7 * place)
                frame.paste(person, (round(middle - person.width / 2), 100))
            frame.save(file, "JPEG", quality=88)
    return path


@pytest.fixture(scope="module")
def camera_browser(playwright, chromium, camera_file):
    """Return a browser whose camera shows `camera_file` over and over."""
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={camera_file}"]
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
