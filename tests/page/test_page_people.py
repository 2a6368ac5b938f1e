"""People: added with many photos at once, renamed, merged and forgotten."""

from __future__ import annotations

import pytest
from PIL import Image

expect = pytest.importorskip("playwright.sync_api").expect


def choose(page, *photos):
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(photos)


def people(page):
    page.get_by_role("navigation").get_by_role("link", name="People").click()
    return page.locator(".person-card")


def test_an_empty_gallery_offers_to_add_a_person(visit, serving):
    page = visit(serving())
    expect(people(page)).to_have_count(0)
    expect(page.get_by_role("heading", name="No people yet")).to_be_visible()
    page.locator(".empty").get_by_role("link", name="Add a person").click()
    expect(page.get_by_role("heading", name="Add a person")).to_be_focused()


def test_a_person_with_several_photos_and_their_results(visit, serving, portraits, tmp_path):
    wall = tmp_path / "wall.png"
    Image.new("RGB", (320, 240), (90, 120, 90)).save(wall)
    page = visit(serving())
    people(page)
    page.locator(".empty").get_by_role("link", name="Add a person").click()
    page.get_by_label("Name").fill("Barack Obama")
    page.get_by_label("Consent").fill("an official portrait")
    names = ("obama.jpg", "obama2.jpg", "biden.jpg")
    choose(page, *(portraits / name for name in names), wall)
    page.get_by_role("button", name="Add this person with 4 photos").click()
    rows = page.locator(".taken-row")
    expect(page.get_by_role("status").filter(has_text="2 enrolled, 2 not.")).to_be_visible()
    states = [rows.nth(place).get_attribute("data-state") for place in range(4)]
    assert states == ["taken", "taken", "refused", "refused"]
    expect(rows.nth(2)).to_contain_text("Does not look like the other photos")
    expect(rows.nth(2)).to_contain_text("0.")  # the evidence: the similarity
    expect(rows.nth(3)).to_contain_text("No face found")
    expect(rows.nth(3).get_by_role("button")).to_have_count(0)
    rows.nth(2).get_by_role("button", name="Enrol it anyway").click()
    expect(rows.nth(2)).to_have_attribute("data-state", "taken")
    page.get_by_role("link", name="Show the person").click()
    expect(page.get_by_role("heading", name="Barack Obama")).to_be_visible()
    expect(page.locator(".photo-rows li")).to_have_count(3)
    expect(page.locator(".person-head")).to_contain_text("official portrait")


def test_a_photo_is_forgotten(visit, changing):
    page = visit(changing)
    people(page).filter(has_text="Barack Obama").click()
    rows = page.locator(".photo-rows li")
    before = rows.count() if rows.first.wait_for() is None else 0
    rows.first.get_by_role("button").click()
    page.get_by_role("button", name="Forget the photo", exact=True).click()
    expect(rows).to_have_count(before - 1)


def test_a_person_is_renamed_found_merged_and_forgotten(visit, changing):
    page = visit(changing)
    people(page).filter(has_text="Joe Biden").click()
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Name").fill("Joseph Biden")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Joseph Biden")).to_be_visible()

    cards = people(page)
    page.get_by_role("searchbox", name="Find a person").fill("joseph")
    expect(cards).to_have_count(1)
    page.get_by_role("searchbox", name="Find a person").fill("no such name")
    expect(page.get_by_role("heading", name="No person is called")).to_be_visible()
    page.get_by_role("searchbox", name="Find a person").fill("")

    cards.filter(has_text="Joseph Biden").click()
    page.get_by_role("button", name="Merge…").click()
    expect(page.get_by_role("combobox", name="Who else is Joseph Biden?")).to_be_focused()
    page.keyboard.type("bar")
    expect(page.get_by_role("option", name="Barack Obama")).to_be_visible()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Merge", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(people(page)).to_have_count(1)

    cards.click()
    page.get_by_role("button", name="Forget…").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Forget…").click()
    page.get_by_role("button", name="Forget for good").click()
    expect(page.get_by_role("heading", name="No people yet")).to_be_visible()


def test_a_name_in_use_is_reported(visit, changing, portraits):
    page = visit(changing)
    people(page)
    page.get_by_role("link", name="Add a person").click()
    page.get_by_label("Name").fill("Joe Biden")
    choose(page, portraits / "biden.jpg")
    page.get_by_role("button", name="Add this person with 1 photo").click()
    expect(page.get_by_role("alert").filter(has_text="Joe Biden")).to_be_visible()
