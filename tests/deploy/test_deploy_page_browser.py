"""The page in a browser: the library's answers, no requests to others, no network needed."""

from __future__ import annotations

import pytest
from toy_page import (
    PEOPLE,
    checked,
    names,
    needs_browser,
    needs_runtime,
    squares,
    tamper,
    toy_recognizer,
)

from mien.deploy import static_page as pages
from mien.deploy.check.browser import requests_of_page, visiting
from mien.deploy.check.static_site import serving
from mien.deploy.static_page import deploy_page

WAITING = """async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  while (!registration.waiting) await new Promise((resolve) => setTimeout(resolve, 50));
}"""


LEAVING = """async () => {
  navigator.sendBeacon("https://elsewhere.example/beacon", "x");
  const image = new Image();
  image.src = "https://elsewhere.example/image.png";
  document.body.append(image);
  return fetch("https://elsewhere.example/").then(() => "sent", () => "stopped");
}"""


@pytest.fixture(scope="module")
def recognizer():
    needs_browser()
    needs_runtime()
    return toy_recognizer()


@pytest.fixture(scope="module")
def folder(recognizer, tmp_path_factory):
    return deploy_page(recognizer, tmp_path_factory.mktemp("page") / "out").folder


def test_page_agrees_with_the_library_and_sends_nothing(folder):
    photos = [
        squares(0),
        squares(5),
        squares(1, cells=[(10, 10), (40, 45), (30, 12)]),
        squares(2, cells=[]),
        squares(3, height=1200, width=1700, cells=[(80, 99)]),
    ]
    check = checked(folder, photos)
    assert check.disagreements == []
    assert check.photos == 5
    assert check.faces >= 5
    assert check.similarity < 1e-3
    assert check.pixels < 1


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        ("local/pixels.js", "data[to] = rgba[from];", "data[to] = rgba[from + 1];", "faces"),
        ("local/worker.js", "row(named.similarities, index)[place],", "0.5,", "apart"),
    ],
    ids=["a colour", "a similarity"],
)
def test_changed_code_is_found(recognizer, tmp_path, path, old, new, message):
    folder = deploy_page(recognizer, tmp_path / "out").folder
    tamper(folder, path, old, new)
    check = checked(folder, [squares(0), squares(5)])
    assert check.disagreements
    assert message in check.disagreements[0]


def test_requests_to_another_host_are_found(recognizer, tmp_path, monkeypatch):
    """Even where the policy allows them and the host does not answer."""
    monkeypatch.setattr(pages, "HEADERS", {"X-Content-Type-Options": "nosniff"})
    monkeypatch.setattr(pages, "_for_static_host", lambda html: html)
    folder = deploy_page(recognizer, tmp_path / "out").folder
    ask = 'navigator.sendBeacon("https://elsewhere.example/", "x"); globalThis.mien ='
    tamper(folder, "engine-local.js", "globalThis.mien =", ask)
    disagreements = checked(folder, [squares(0)]).disagreements
    assert disagreements
    assert "https://elsewhere.example/" in disagreements[0]


@pytest.mark.parametrize("headers", ["_headers", None], ids=["headers", "no headers"])
def test_threads_need_the_headers_or_a_second_visit(folder, headers):
    with visiting() as visit, serving(folder, headers) as site:
        visit.open(site.address)
        isolated = visit.page.evaluate("crossOriginIsolated")
        assert isolated == (headers is not None)
        if not isolated:
            assert visit.page.evaluate("mien.engine.threads") == 1
        assert names(visit, 0) == [PEOPLE[0]]
        assert visit.wait_until_offline()
        visit.open(site.address)
        assert visit.page.evaluate("crossOriginIsolated")
        assert names(visit, 0) == [PEOPLE[0]]


def test_parts_are_loaded_once_and_nothing_is_sent(recognizer, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "PART_BYTES", 10_000)
    folder = deploy_page(recognizer, tmp_path / "out").folder
    with visiting() as visit, serving(folder) as site:
        visit.open(site.address)
        assert names(visit, 0) == [PEOPLE[0]]
        visit.wait_until_offline()
        assert visit.page.evaluate(LEAVING) == "stopped"
    large = [path for _, path in site.requests if ".onnx" in path or path.endswith(".wasm")]
    assert len(large) == len(set(large)) > 2
    requests = requests_of_page(visit.log, site.address)
    assert requests
    assert not [url for _, url in requests if "elsewhere" in url]


def test_new_version_replaces_the_old_one(recognizer, tmp_path):
    folder = tmp_path / "out"
    first = deploy_page(recognizer, folder)
    with visiting() as visit, serving(folder) as site:
        visit.open(site.address)
        visit.wait_until_offline()
        second = deploy_page(toy_recognizer(threshold=-1.0), folder)
        before = len(site.requests)
        visit.open(site.address)  # still the cached old version; the new one loads meanwhile
        assert names(visit, 5) == [None]
        visit.page.evaluate(WAITING)
        visit.open(site.address)
        assert names(visit, 5) != [None]
        kept = visit.page.evaluate("caches.keys()")
    assert [name.rpartition(":")[2] for name in kept] == [second.version]
    assert first.version != second.version
    again = [path for _, path in site.requests[before:]]
    assert not [
        path for path in again if path.endswith(".wasm")
    ]  # unchanged files are not loaded again
