"""A real browser for the page's tests: headless Chromium, driven by Playwright.

The camera is simulated with a file of frames: moving portraits in the public domain.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

import pytest
from served import Serving, mien
from staged import CHROMIUM_FLAGS, camera

PAGE = Path(__file__).resolve().parents[2] / "src" / "mien" / "server" / "page"
TIMEOUT = 20_000
"""Milliseconds, for busy machines."""


@pytest.fixture(scope="module")
def playwright():
    """Return Playwright, per module: its event loop disturbs other tests."""
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=TIMEOUT)
    with sync_api.sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(playwright, chromium):
    """Return a headless browser."""
    browser = playwright.chromium.launch(executable_path=chromium, args=[*CHROMIUM_FLAGS])
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def camera_file(portraits, tmp_path_factory) -> Path:
    """Return four seconds of two moving portraits, as motion JPEG of 1280 x 720 pixels."""
    target = tmp_path_factory.mktemp("camera") / "two.mjpeg"
    return camera([portraits / "obama.jpg", portraits / "biden.jpg"], target)


@pytest.fixture(scope="module")
def camera_browser(playwright, chromium, camera_file):
    """Return a browser whose camera shows `camera_file` in a loop."""
    flags = [*CHROMIUM_FLAGS, f"--use-file-for-fake-video-capture={camera_file}"]
    browser = playwright.chromium.launch(executable_path=chromium, args=flags)
    yield browser
    browser.close()


@pytest.fixture
def modules(browser):
    """Return a blank page that can import the page's modules, without a server."""
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


@pytest.fixture(scope="session")
def seeded(request, tmp_path_factory) -> Path:
    """Return a gallery of Barack Obama and Joe Biden; skips if it cannot be created."""
    request.getfixturevalue("engine")
    portraits = request.getfixturevalue("portraits")
    gallery = tmp_path_factory.mktemp("seeded") / "gallery"
    mien("gallery", "create", gallery, "--thumbnails")
    mien(
        "gallery", "add", gallery, "Barack Obama", portraits / "obama.jpg", portraits / "32bit.png"
    )
    mien("gallery", "add", gallery, "Joe Biden", portraits / "biden.jpg")
    return gallery


@pytest.fixture
def serving(seeded, tmp_path):
    """Return a function that starts servers, which are stopped at the end of the test."""
    servers = Serving(tmp_path, seeded)
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def knowing(seeded, tmp_path_factory):
    """Return a server with Barack Obama and Joe Biden, for tests without changes."""
    servers = Serving(tmp_path_factory.mktemp("served"), seeded)
    yield servers(knowing=True)
    servers.stop()


@pytest.fixture
def changing(serving) -> str:
    """Return a new server with Barack Obama and Joe Biden."""
    return serving(knowing=True)


@pytest.fixture
def visit(browser):
    """Return a function that opens the page at an address and checks for errors."""
    yield from _visits(browser)


@pytest.fixture
def visit_with_camera(camera_browser):
    """Return the same for a browser with two people in front of its camera."""
    yield from _visits(camera_browser)


def _visits(browser):
    """Yield a function that opens pages; fails on errors and on requests to other addresses."""
    contexts, wrong = [], []

    def visit(address: str, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda message: _check_message(message, wrong))
        page.on("request", lambda request: _check_address(request.url, address, wrong))
        page.goto(address)
        page.get_by_role("heading", level=1).wait_for()
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


def _check_message(message, wrong: list[str]) -> None:
    """Collect logged errors and warnings, except failed requests, which the page shows itself."""
    if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
        wrong.append(f"{message.type}: {message.text}")


def _check_address(url: str, address: str, wrong: list[str]) -> None:
    if not url.startswith((address, "blob:", "data:")):
        wrong.append(f"requested {url}")
