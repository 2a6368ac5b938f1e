"""The frame around the views: signing in, keyboard, phones, colours, accessibility."""

from __future__ import annotations

import re

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe

VIEWS = ("recognise", "live", "people", "people/new", "train", "about")
READY = {
    "recognise": ".drop-card",
    "live": ".live-idle",
    "people": ".person-card .person-name",
    "people/new": ".drop-zone",
    "train": "form.card",
    "about": ".weights",
}


def go(page, view):
    page.evaluate(f"location.hash = '#/{view}'")
    page.locator(READY[view]).first.wait_for()


def faults(page) -> list[str]:
    """Return what axe-core finds wrong, in words."""
    return [
        f"{fault['id']}: {node['html'][:160]}"
        for fault in Axe().run(page).response["violations"]
        for node in fault["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_accessible_in_light_and_dark(visit, knowing, scheme, portraits):
    page = visit(knowing, color_scheme=scheme)
    for view in VIEWS:
        go(page, view)
        assert faults(page) == [], view
    go(page, "recognise")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(portraits / "obama.jpg")
    page.get_by_role("button", name=re.compile("someone else")).click()
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("j")
    expect(page.get_by_role("listbox").get_by_role("option").first).to_be_visible()
    assert faults(page) == []
    page.evaluate("location.hash = '#/people'")
    page.locator(".person-card").first.click()
    page.get_by_role("button", name="Forget…").click()
    assert faults(page) == []


@pytest.mark.parametrize("width", [320, 390, 820])
def test_nothing_is_wider_than_the_screen(visit, knowing, width):
    page = visit(knowing, viewport={"width": width, "height": 800})
    for view in VIEWS:
        go(page, view)
        wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, view
        tabs = page.get_by_role("navigation", name="Views").bounding_box()
        assert tabs["x"] >= 0
        assert tabs["x"] + tabs["width"] <= width
        if width < 720:
            assert tabs["y"] + tabs["height"] == 800  # at the foot, near the thumb


def test_keyboard_and_screen_reader(visit, knowing):
    page = visit(knowing)
    page.locator(".drop-card").wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_role("link", name="People").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="People")).to_be_focused()
    expect(page.get_by_role("link", name="People")).to_have_attribute("aria-current", "page")
    assert page.title() == "People · Mien"


def test_colours_follow_the_system_until_the_user_chooses(visit, knowing):
    page = visit(knowing, color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    page.get_by_role("button", name="Light colours").wait_for()
    dark = page.evaluate(paper)
    page.get_by_role("button", name="Light colours").click()
    light = page.evaluate(paper)
    assert light != dark
    page.reload()
    page.get_by_role("button", name="Dark colours").wait_for()
    assert page.evaluate(paper) == light


def test_reduced_motion_is_respected(visit, knowing):
    page = visit(knowing, reduced_motion="reduce")
    page.locator(".drop-card").wait_for()
    style = page.locator(".button").first.evaluate("it => getComputedStyle(it).transitionDuration")
    assert all(float(each.removesuffix("s")) < 0.001 for each in style.split(", "))


def test_signing_in_and_out(visit, serving):
    page = visit(serving(keys=["admin"]))
    key = page.get_by_label("Key")
    expect(key).to_be_focused()
    assert faults(page) == []
    key.fill("mien_not-a-key")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="This key is unknown")).to_be_visible()
    key.fill(serving.keys["admin"])
    page.keyboard.press("Enter")
    page.locator(".drop-card").wait_for()
    page.reload()
    page.locator(".drop-card").wait_for()
    page.get_by_role("link", name="People").click()
    page.get_by_role("link", name="Add a person").last.wait_for()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Key")).to_be_visible()


def test_a_viewer_sees_only_permitted_views(visit, serving):
    page = visit(serving(keys=["viewer"]))
    page.get_by_label("Key").fill(serving.keys["viewer"])
    page.keyboard.press("Enter")
    page.locator(".drop-card").wait_for()
    tabs = page.get_by_role("navigation", name="Views")
    expect(tabs.get_by_role("link", name="Train")).to_have_count(0)
    expect(page.get_by_role("link", name="Add a person")).to_have_count(0)


def test_an_unreachable_server_is_reported(visit, serving, portraits):
    url = serving()
    page = visit(url)
    page.locator(".drop-card").wait_for()
    serving.stop()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose photos").click()
    chooser.value.set_files(portraits / "obama.jpg")
    gone = page.get_by_role("alert").filter(has_text="The server does not answer.")
    expect(gone).to_be_visible()


def test_the_page_complies_with_the_strict_content_security_policy(visit, knowing):
    page = visit(knowing)
    answer = page.request.get(knowing)
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "unsafe-eval" not in policy
    assert re.search(r"default-src 'none'|default-src 'self'", policy)
    for view in VIEWS:
        go(page, view)  # `visit` fails on anything the policy had to stop
