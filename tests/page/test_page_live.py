"""Live: the camera's people named and followed, several times a second."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

WATCH = """async () => {
  const seen = [];
  for (let i = 0; i < 12; i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    seen.push(Object.fromEntries([...document.querySelectorAll(".live-screen .box")].map((box) =>
      [box.textContent, [box.dataset.track, parseFloat(box.style.left)]])));
  }
  return seen;
}"""


def start(page):
    page.get_by_role("link", name="Live").click()
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator(".in-view-row")).to_have_count(2)


def test_moving_people_are_named_and_keep_their_tracks(visit_with_camera, knowing):
    page = visit_with_camera(knowing)
    start(page)
    rows = page.locator(".in-view-row")
    expect(rows.get_by_role("heading", name="Barack Obama")).to_be_visible()
    expect(rows.get_by_role("heading", name="Joe Biden")).to_be_visible()
    seen = page.evaluate(WATCH)
    for name in ("Barack Obama", "Joe Biden"):
        moments = [moment[name] for moment in seen if name in moment]
        assert len(moments) > len(seen) / 2
        tracks = {track for track, _ in moments}
        places = [place for _, place in moments]
        assert len(tracks) == 1  # one identity all the way
        assert max(places) - min(places) > 1  # and it went with the face
    expect(page.locator(".readout")).to_have_text(re.compile(r"[\d.]+ frames per second"))


def test_mirroring_flips_picture_and_boxes(visit_with_camera, knowing):
    page = visit_with_camera(knowing)
    start(page)
    first = page.locator(".live-screen .box").filter(has_text="Barack Obama")
    mirrored = first.evaluate("box => parseFloat(box.style.left)")
    page.get_by_role("button", name="Mirror").click()
    expect(page.locator(".live-screen.mirrored")).to_have_count(0)
    page.wait_for_timeout(200)
    plain = first.evaluate("box => parseFloat(box.style.left)")
    assert mirrored > 50 > plain


def test_the_camera_is_off_after_stopping_or_leaving(visit_with_camera, knowing):
    page = visit_with_camera(knowing)
    start(page)
    page.get_by_role("button", name="Stop the camera").click()
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()
    start(page)
    page.evaluate("window.stream = document.querySelector('video').srcObject")
    page.get_by_role("link", name="About").click()
    page.get_by_role("heading", name="About", level=1).wait_for()
    for _ in range(100):
        states = page.evaluate("window.stream.getTracks().map(({ readyState }) => readyState)")
        if states == ["ended"]:
            break
        page.wait_for_timeout(50)
    assert states == ["ended"]


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("NotAllowedError", "The browser was not allowed to use the camera."),
        ("NotFoundError", "No camera was found."),
        ("NotReadableError", "The camera is in use by another program."),
    ],
)
def test_camera_errors_are_explained(visit, knowing, error, says):
    page = visit(knowing)
    page.evaluate(
        "name => { navigator.mediaDevices.getUserMedia = async () => {"
        " throw new DOMException('no', name); }; }",
        error,
    )
    page.get_by_role("link", name="Live").click()
    page.get_by_role("button", name="Start the camera").click()
    expect(page.get_by_role("alert").filter(has_text=says)).to_be_visible()
    expect(page.get_by_role("button", name="Start the camera")).to_be_visible()


def test_an_unknown_person_is_named_in_the_live_view(visit_with_camera, serving):
    """With an empty gallery all faces are unknown, until the user names one."""
    page = visit_with_camera(serving())
    start(page)
    row = page.locator(".in-view-row").first
    expect(row.get_by_role("heading")).to_have_text("Unknown")
    row.get_by_role("button", name="Name").click()
    expect(page.get_by_role("combobox", name="This is")).to_be_focused()
    page.keyboard.type("Mister President")
    page.keyboard.press("Enter")
    expect(page.locator(".in-view-row").filter(has_text="Mister President")).to_have_count(1)
