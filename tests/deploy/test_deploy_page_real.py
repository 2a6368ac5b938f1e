"""The page with the real models: portraits, and the camera."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from real_page import OBAMA, real_recognizer
from toy_page import needs_browser, needs_runtime

from mien.deploy.check.browser import visiting
from mien.deploy.check.parity import check_deployment
from mien.deploy.check.static_site import serving
from mien.deploy.static_page import deploy_page


@pytest.fixture(scope="module")
def folder(engine, portraits, tmp_path_factory):
    needs_browser()
    needs_runtime()
    recognizer = real_recognizer(engine, portraits)
    return deploy_page(recognizer, tmp_path_factory.mktemp("page") / "out").folder


def test_page_agrees_with_the_library_on_portraits(folder, portraits):
    photos = sorted(portraits.iterdir())
    check = check_deployment(folder, photos).agreement
    assert check.disagreements == []
    assert check.faces == len(photos)
    assert check.similarity < 1e-3
    assert check.pixels < 1


def test_live_view_names_the_person_in_front_of_the_camera(folder, portraits, tmp_path):
    camera = tmp_path / "camera.mjpeg"
    with Image.open(portraits / "obama.jpg") as picture:
        person = picture.convert("RGB")
        person.thumbnail((600, 460))
    frame = Image.new("RGB", (640, 480), (58, 64, 70))
    frame.paste(person, (150, 10))
    buffer = io.BytesIO()
    frame.save(buffer, "JPEG", quality=92)
    camera.write_bytes(buffer.getvalue() * 10)
    flags = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    film = f"--use-file-for-fake-video-capture={camera}"
    with serving(folder) as site, visiting(*flags, film) as visit:
        visit.open(site.address)
        visit.page.goto(f"{site.address}#/live")
        visit.page.get_by_role("button", name="Start the camera").click()
        visit.page.get_by_text(OBAMA).first.wait_for(timeout=30_000)
