"""What the server keeps: trained recognizers and signed-in browsers, seen and ended on the page."""

from __future__ import annotations

import pytest
from served import Serving, mien
from test_page_frame import faults

expect = pytest.importorskip("playwright.sync_api").expect

SIGN_OUT = """async () => {
  const { csrf } = await (await fetch("/v1/session")).json();
  await fetch("/v1/session", { method: "DELETE", headers: { "X-CSRF-Token": csrf } });
}"""

OLD, NEW = "20260101-000000-aaaaaa", "20260201-000000-bbbbbb"


@pytest.fixture(scope="module")
def presidents(seeded, tmp_path_factory):
    """Return a recognizer file of the people in the gallery `seeded`."""
    path = tmp_path_factory.mktemp("trained") / "presidents.onnx"
    mien("gallery", "to-onnx", seeded, "-o", path)
    return path


@pytest.fixture(scope="module")
def servers(seeded, presidents, tmp_path_factory):
    """Return a running server with keys that has trained the recognizer twice."""
    made = Serving(tmp_path_factory.mktemp("keeping"), seeded)
    trained = [("presidents", version, presidents) for version in (OLD, NEW)]
    made(keys=["viewer", "admin"], knowing=True, trained=trained)
    yield made
    made.stop()


@pytest.fixture
def signed_in(visit, servers):
    """Return a function that opens the page in another browser, signed in with a role."""

    pages = []

    def sign_in(role):
        page = visit(servers.address)
        page.get_by_label("Key").fill(servers.keys[role])
        page.keyboard.press("Enter")
        page.locator(".drop-card").wait_for()
        pages.append(page)
        return page

    yield sign_in
    # The server is that of the other tests too, which come in any order.
    for page in pages:
        page.evaluate(SIGN_OUT)


def about(page):
    page.get_by_role("navigation").get_by_role("link", name="About").click()
    return page.get_by_role("region", name="Trained recognizers").get_by_role("listitem")


def test_a_signed_in_browser_is_signed_out_from_another(signed_in):
    desk, chief = signed_in("viewer"), signed_in("admin")
    for page, shown in ((desk, 1), (chief, 2)):
        page.get_by_role("navigation").get_by_role("link", name="About").click()
        rows = page.get_by_role("region", name="Signed in").get_by_role("listitem")
        expect(rows).to_have_count(shown)
    expect(rows.nth(0)).to_contain_text("this browser")
    rows.nth(1).get_by_role("button", name="Sign out").click()
    expect(rows).to_have_count(1)
    desk.get_by_role("navigation").get_by_role("link", name="People").click()
    expect(desk.get_by_label("Key")).to_be_visible()


def test_recognizers_are_put_in_service_downloaded_and_deleted(signed_in, servers, presidents):
    """And the page offers to delete those that still hold a person who is forgotten."""
    page = signed_in("admin")
    rows = about(page)
    expect(rows).to_have_count(2)
    assert faults(page) == []
    with page.expect_download() as download:
        rows.nth(1).get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == f"presidents-{OLD}.onnx"
    assert download.value.path().read_bytes() == presidents.read_bytes()
    rows.nth(0).get_by_role("button", name="Put in service").click()
    expect(rows.nth(0)).to_contain_text("in service")
    expect(rows.nth(0).get_by_role("button", name="Delete")).to_have_count(0)

    page.get_by_role("navigation").get_by_role("link", name="People").click()
    page.locator(".person-card").filter(has_text="Barack Obama").click()
    page.get_by_role("button", name="Forget…").click()
    page.get_by_role("button", name="Forget for good").click()
    left = page.get_by_role("dialog", name="What is left of Barack Obama")
    expect(left.get_by_role("listitem")).to_have_count(2)
    expect(left.get_by_role("listitem").nth(0)).to_contain_text("take it out of service")
    left.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(left.get_by_role("listitem")).to_have_count(1)
    left.get_by_role("button", name="Close").last.click()

    rows = about(page)
    expect(rows).to_have_count(1)
    rows.get_by_role("button", name="Take out of service").click()
    rows.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete for good").click()
    expect(rows).to_have_count(0)
    assert not list(servers.data.rglob("*.onnx"))
