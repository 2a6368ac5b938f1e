"""Take the screenshots of the page for the documents, with the public-domain portraits.

    python scripts/page_pictures.py            # needs chromium and the development extras

A gallery of two presidents is created in a temporary folder and served on the loopback interface; a
headless browser with a camera that plays a file visits each view. No other people are shown.
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from portraits import fetch
from staged import CHROMIUM_FLAGS, camera, group

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
DESK = {"viewport": {"width": 1280, "height": 830}, "device_scale_factor": 1}
PHONE = {"viewport": {"width": 390, "height": 800}, "device_scale_factor": 2}
ALBUM = {
    "Barack Obama": ("obama.jpg", "obama2.jpg", "obama3.jpg"),
    "Joe Biden": ("biden.jpg",),
}
READY_SECONDS = 60


@dataclass(frozen=True)
class Scene:
    """What the screenshots show.

    Attributes:
        browser: its camera shows two presidents.
        address: of the served page.
        photos: photos to identify.
    """

    browser: Browser
    address: str
    photos: list[Path]


def mien(*arguments: str) -> None:
    """Run a command of `mien`."""
    subprocess.run([sys.executable, "-m", "mien", *arguments], check=True)


@contextmanager
def served(folder: Path, portraits: Path) -> Iterator[str]:
    """Serve a gallery of the portraits; yields the address of the page."""
    gallery = folder / "gallery"
    mien("gallery", "create", str(gallery), "--thumbnails")
    for person, names in ALBUM.items():
        photos = [str(portraits / name) for name in names]
        mien("gallery", "add", str(gallery), person, *photos, "--consent", "a public portrait")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "mien", "serve", "--gallery", str(gallery), "--port", port]
    server = subprocess.Popen([*command, "--data", str(folder / "data")])
    address = f"http://127.0.0.1:{port}/"
    try:
        wait_for(f"{address}readyz")
        yield address
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str) -> None:
    """Wait until `address` answers 200; raises TimeoutError where it does not."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address) as answer:  # noqa: S310 — loopback
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.1)
    raise TimeoutError(f"{address} does not answer")


def screenshot(page: Page, name: str) -> None:
    """Write a screenshot to docs/pictures."""
    page.wait_for_timeout(400)
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(PICTURES / f"page-{name}.jpg", quality=86, optimize=True)


def identified(scene: Scene, name: str, **look: Any) -> None:
    """Take a screenshot of a photo with its faces named."""
    page = scene.browser.new_page(**look)
    page.goto(scene.address)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(scene.photos)
    page.locator(".face-card.known").first.wait_for()
    page.locator(".strip .badge.good").nth(len(scene.photos) - 1).wait_for()
    screenshot(page, name)
    page.close()


def live(scene: Scene, name: str, **look: Any) -> None:
    """Take a screenshot of the camera with two people in view."""
    page = scene.browser.new_page(permissions=["camera"], **look)
    page.goto(f"{scene.address}#/live")
    page.get_by_role("button", name="Start the camera").click()
    page.locator(".in-view-row").nth(1).wait_for()
    page.wait_for_timeout(4000)
    screenshot(page, name)
    page.close()


def view(scene: Scene, route: str, ready: str, name: str, **look: Any) -> None:
    """Take a screenshot of a view as it opens."""
    page = scene.browser.new_page(**look)
    page.goto(f"{scene.address}#/{route}")
    page.locator(ready).first.wait_for()
    screenshot(page, name)
    page.close()


def all_views(scene: Scene) -> None:
    """Take every screenshot."""
    identified(scene, "recognise", color_scheme="light", **DESK)
    identified(scene, "recognise-phone", color_scheme="dark", **PHONE)
    live(scene, "live", color_scheme="dark", **DESK)
    view(scene, "people", ".person-name", "people", color_scheme="light", **DESK)
    view(scene, "train", "form.card", "train", color_scheme="light", **DESK)
    view(scene, "about", ".weights", "about-phone", color_scheme="light", **PHONE)


def main() -> None:
    """Take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="path of the browser")
    parser.add_argument("--portraits", type=Path, default=Path("demo/portraits"))
    arguments = parser.parse_args()
    fetch(arguments.portraits)
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mien-") as scratch:
        folder = Path(scratch)
        two = [arguments.portraits / name for name in ("obama.jpg", "biden.jpg")]
        one = group(two, folder / "two.jpg")
        video = camera(two, folder / "camera.mjpeg", sway=10)
        flags = [*CHROMIUM_FLAGS, f"--use-file-for-fake-video-capture={video}"]
        with served(folder, arguments.portraits) as address, sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=arguments.chromium, args=flags)
            all_views(Scene(browser, address, [one, arguments.portraits / "obama2.jpg"]))
            browser.close()


if __name__ == "__main__":
    main()
