"""Train: a zip in, the work watched, the report read, what it made put in service."""

from __future__ import annotations

import re
import shutil
import zipfile

import pytest

expect = pytest.importorskip("playwright.sync_api").expect

ALBUM = {
    "Joe Biden": ("biden.jpg",),
    "Barack Obama": ("obama.jpg", "obama2.jpg", "obama3.jpg", "obama_partial_face.jpg"),
}
MINUTES = 120_000


@pytest.fixture
def album(portraits, tmp_path):
    """Return a folder with a folder of photos for each person."""
    folder = tmp_path / "album"
    for person, names in ALBUM.items():
        (folder / person).mkdir(parents=True)
        for name in names:
            shutil.copyfile(portraits / name, folder / person / name)
    return folder


def test_from_a_zip_to_a_recognizer_in_service(visit, serving, album, tmp_path):
    archive = tmp_path / "album.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in sorted(album.rglob("*.jpg")):
            zipped.write(path, path.relative_to(album))
    page = visit(serving())
    page.get_by_role("link", name="Train").click()
    start = page.get_by_role("button", name="Start training")
    expect(start).to_be_disabled()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a zip").click()
    chooser.value.set_files(archive)
    expect(page.locator(".picked")).to_contain_text("album.zip")
    page.get_by_label("Name of the recognizer").fill("presidents")
    start.click()

    stages = page.locator(".job-stage")
    expect(stages).to_have_count(3)
    put = page.get_by_role("button", name="Put it in service")
    expect(put).to_be_visible(timeout=MINUTES)
    for place in range(3):
        expect(stages.nth(place)).to_have_attribute("data-state", "over")
    frame = page.locator("iframe")
    assert frame.get_attribute("sandbox") == "allow-scripts"
    report = page.frame_locator("iframe")
    expect(report.get_by_role("heading").first).to_be_visible()

    put.click()
    expect(page.get_by_text("presidents is in service.")).to_be_visible()
    page.get_by_role("link", name="Recognise with it").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(album / "Joe Biden" / "biden.jpg")
    expect(page.locator(".face-card").get_by_role("heading")).to_have_text("Joe Biden")


def test_a_folder_is_summarized_before_the_upload(visit, serving, album):
    page = visit(serving())
    page.get_by_role("link", name="Train").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder").click()
    chooser.value.set_files(album)
    expect(page.locator(".picked")).to_contain_text("2 people, 5 photos")
    expect(page.locator(".picked")).to_contain_text("1 person has fewer than three photos")
    expect(page.locator(".picked-people")).to_contain_text("Barack Obama · 4")
    page.get_by_role("button", name="Choose something else").click()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()


def test_photos_without_people_are_rejected_at_once(visit, serving):
    page = visit(serving())
    page.get_by_role("link", name="Train").click()
    page.locator(".drop-zone").wait_for()
    page.evaluate("""() => {
      const data = new DataTransfer();
      data.items.add(new File(["x"], "loose.jpg", { type: "image/jpeg" }));
      document.querySelector(".drop-zone").dispatchEvent(
        new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    }""")
    expect(page.get_by_text("No people were found in these files.")).to_be_visible()


def test_a_failed_training_reports_the_reason(visit, serving, tmp_path):
    archive = tmp_path / "empty.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("Person/photo.jpg", b"this is no photo")
    page = visit(serving())
    page.get_by_role("link", name="Train").click()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a zip").click()
    chooser.value.set_files(archive)
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("alert").first).to_be_visible(timeout=MINUTES)
    expect(page.get_by_role("button", name=re.compile("Train another|Start"))).to_be_enabled()
