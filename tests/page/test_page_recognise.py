"""Recognise: photos chosen, dropped, pasted and taken, named on the screen, and corrected."""

from __future__ import annotations

import base64
import re

import pytest
from PIL import Image
from staged import group

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def photo(portraits, tmp_path):
    """Return a photo of Barack Obama and Joe Biden next to each other."""
    return group([portraits / "obama.jpg", portraits / "biden.jpg"], tmp_path / "two.jpg")


def choose(page, *photos):
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=re.compile("Choose photos|More photos")).click()
    chooser.value.set_files(photos)


def give(page, event: str, photo):
    """Drop or paste a photo as a browser does: with a transfer of files."""
    page.evaluate(
        """([event, bytes]) => {
          const data = new DataTransfer();
          const raw = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
          data.items.add(new File([raw], "given.jpg", { type: "image/jpeg" }));
          const options = { bubbles: true, cancelable: true };
          const made = event === "paste"
            ? new ClipboardEvent(event, { ...options, clipboardData: data })
            : new DragEvent(event, { ...options, dataTransfer: data });
          document.querySelector(".recognise").dispatchEvent(made);
        }""",
        [event, base64.b64encode(photo.read_bytes()).decode()],
    )


def test_a_photo_gets_boxes_crops_and_names(visit, knowing, photo):
    page = visit(knowing)
    choose(page, photo)
    cards = page.locator(".face-card")
    expect(cards).to_have_count(2)
    expect(cards.nth(0).get_by_role("heading")).to_have_text("Barack Obama")
    expect(cards.nth(1).get_by_role("heading")).to_have_text("Joe Biden")
    expect(cards.nth(0)).to_contain_text(re.compile(r"A stranger would get this score"))
    expect(cards.nth(0).locator(".candidate")).to_have_count(2)
    crop = cards.nth(0).get_by_role("img")
    assert crop.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [112, 112]
    boxes = page.get_by_role("group", name="Faces in the photo").get_by_role("button")
    expect(boxes).to_have_count(2)
    shown = page.locator(".stage-photo").bounding_box()
    for place in range(2):
        box = boxes.nth(place).bounding_box()
        middle = (box["x"] + box["width"] / 2 - shown["x"]) / shown["width"]
        assert abs(middle - (0.25 + 0.5 * place)) < 0.12  # each over its own half


def test_a_box_and_its_card_are_selected_together(visit, knowing, photo):
    page = visit(knowing)
    choose(page, photo)
    page.get_by_role("button", name="Face 2 of 2: Joe Biden").click()
    expect(page.locator(".face-card").nth(1)).to_have_class(re.compile("chosen"))
    assert page.get_by_role("button", name="Face 2 of 2: Joe Biden").get_attribute("aria-pressed")


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_photo_is_dropped_and_pasted(visit, knowing, photo, event):
    page = visit(knowing)
    give(page, event, photo)
    expect(page.locator(".face-card")).to_have_count(2)


def test_a_photo_is_taken_with_the_camera(visit_with_camera, knowing):
    page = visit_with_camera(knowing)
    page.get_by_role("button", name="Take a photo").click()
    shutter = page.get_by_role("button", name="Take the photo")
    expect(shutter).to_be_enabled()
    shutter.click()
    expect(page.locator(".face-card").get_by_role("heading")).to_have_text(
        ["Barack Obama", "Joe Biden"]
    )


def test_several_photos_are_shown_in_a_strip(visit, knowing, photo, portraits):
    page = visit(knowing)
    choose(page, photo, portraits / "obama2.jpg")
    strip = page.get_by_role("list", name="Photos").get_by_role("button")
    expect(strip).to_have_count(2)
    expect(page.get_by_role("button", name="Photo 2: obama2.jpg, Barack Obama.")).to_be_visible()
    strip.nth(1).click()
    expect(page.locator(".face-card")).to_have_count(1)


def test_the_upload_shows_its_progress(visit, knowing, photo):
    page = visit(knowing)
    wire = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
    wire.send("Network.emulateNetworkConditions", slow)
    choose(page, photo)
    expect(page.locator(".stage-busy")).to_contain_text(re.compile(r"Sending [1-9]\d? %"))
    expect(page.locator(".face-card.known")).to_have_count(2, timeout=20_000)


def test_a_photo_without_a_face_and_a_damaged_file(visit, knowing, tmp_path):
    page = visit(knowing)
    wall = tmp_path / "wall.png"
    Image.new("RGB", (320, 240), (90, 120, 90)).save(wall)
    choose(page, wall)
    expect(page.locator(".results")).to_contain_text("No face was found in this photo.")
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"\xff\xd8\xff\xe0 no more of it")
    choose(page, damaged)
    expect(page.locator(".results").get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.get_by_role("button", name="Remove this photo").click()
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("button", name="Choose photos")).to_be_visible()


def test_a_photo_that_the_browser_cannot_show_is_identified(visit, knowing):
    from pathlib import Path

    page = visit(knowing)
    choose(page, Path(__file__).resolve().parents[1] / "photo" / "golden" / "upright.heic")
    expect(page.locator(".stage-sheet")).to_be_visible()
    expect(page.locator(".results")).to_contain_text(re.compile("face"))


def test_a_face_is_corrected_to_a_new_person(visit, changing, portraits):
    """Correct an answer, then name the unknown face as a new person."""
    page = visit(changing)
    choose(page, portraits / "biden.jpg")
    card = page.locator(".face-card")
    card.get_by_role("button", name="Not Joe Biden").click()
    expect(page.locator(".face-card.unknown")).to_have_count(1)
    card.get_by_role("button", name="This is…").click()
    expect(card.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("Joseph R. B")
    expect(page.get_by_role("option", name="Joseph R. B")).to_be_visible()
    page.keyboard.press("Enter")
    expect(card.get_by_role("heading")).to_have_text("Joseph R. B")
    page.get_by_role("link", name="People").click()
    expect(page.locator(".person-name")).to_have_text(["Barack Obama", "Joe Biden", "Joseph R. B"])


def test_a_candidate_is_confirmed_with_one_click(visit, changing, portraits):
    page = visit(changing)
    choose(page, portraits / "obama2.jpg")
    card = page.locator(".face-card")
    card.get_by_role("button", name="Not Barack Obama").click()
    expect(page.locator(".face-card.unknown")).to_have_count(1)
    card.get_by_role("button", name="This is Barack Obama").click()
    expect(card.get_by_role("heading")).to_have_text("Barack Obama")
