"""A real browser for the page's tests: headless Chromium, driven by Playwright.

A camera is played from a file of real frames: portraits in the public domain that move about.
"""

from __future__ import annotations

import mimetypes
from pathlib import Path

import pytest
from served import Serving, mien
from staged import CHROMIUM_FLAGS, camera

PAGE = Path(__file__).resolve().parents[2] / "src" / "mien" / "server" / "page"
PATIENCE = 20_000
"""Milliseconds: a busy machine is no fault."""


@pytest.fixture(scope="module")
def playwright():
    """Return Playwright; for a module at a time, as its event loop is in the way of others."""
    sync_api = pytest.importorskip("playwright.sync_api")
    sync_api.expect.set_options(timeout=PATIENCE)
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


@pytest.fixture(scope="session")
def seeded(request, tmp_path_factory) -> Path:
    """Return a gallery that knows Barack Obama and Joe Biden; skips where it cannot be made."""
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
    """Return what starts servers; they stop at the end of the test."""
    servers = Serving(tmp_path, seeded)
    yield servers
    servers.stop()


@pytest.fixture(scope="module")
def knowing(seeded, tmp_path_factory):
    """Return a server that knows Barack Obama and Joe Biden, for tests that change nothing."""
    servers = Serving(tmp_path_factory.mktemp("served"), seeded)
    yield servers(knowing=True)
    servers.stop()


@pytest.fixture
def changing(serving) -> str:
    """Return a server of one's own that knows Barack Obama and Joe Biden."""
    return serving(knowing=True)


@pytest.fixture
def visit(browser):
    """Return a function that opens the page at an address, and checks that all was well."""
    yield from _visits(browser)


@pytest.fixture
def visit_with_camera(camera_browser):
    """Return the same for a browser with two presidents in front of its camera."""
    yield from _visits(camera_browser)


def _visits(browser):
    """Yield a function that opens pages; no error, stopped request or foreign address may occur."""
    contexts, wrong = [], []

    def visit(address: str, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("console", lambda said: _judge(said, wrong))
        page.on("request", lambda request: _same_place(request.url, address, wrong))
        page.goto(address)
        page.get_by_role("heading", level=1).wait_for()
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


def _judge(said, wrong: list[str]) -> None:
    """A refusal that the page shows is no fault of the page; everything else that is logged is."""
    if said.type in {"error", "warning"} and "Failed to load resource" not in said.text:
        wrong.append(f"{said.type}: {said.text}")


def _same_place(url: str, address: str, wrong: list[str]) -> None:
    if not url.startswith((address, "blob:", "data:")):
        wrong.append(f"asked {url}")
