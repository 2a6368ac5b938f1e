"""The site of `make docs`: complete, without broken links, and asking nothing of other hosts."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import mien

pytest.importorskip("sphinx")

ROOT = Path(__file__).resolve().parents[2]
STRICT = ("--quiet", "--fail-on-warning", "--fresh-env")


def build(docs: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build a site as `make docs` does."""
    command = [sys.executable, "-m", "sphinx", *STRICT, "-d", f"{site}.doctrees", docs, site]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = build(ROOT / "docs", folder)
    assert done.returncode == 0, done.stderr
    return folder


class Page(HTMLParser):
    """What a page of the site links to, loads and can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids.add(given.get("id", ""))
        self.loads += [given[name] for name in ("src", "srcset", "data", "poster") if name in given]
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif "href" in given:  # <link>, <use>, <base>
            self.loads.append(given["href"])
        self.loads += re.findall(_CSS, given.get("style", ""))


_CSS = re.compile(r"""(?:url\(|@import)\s*["']?([^"')]+)""")
_JS = re.compile(
    r"""(?:fetch|import|importScripts|open|Worker|WebSocket|EventSource|sendBeacon)"""
    r"""\(\s*["'`]((?:https?:|wss?:)?//[^"'`]+)|\.src\s*=\s*["'`]((?:https?:)?//[^"'`]+)"""
)


def is_elsewhere(address: str) -> bool:
    return bool(urlsplit(address.strip()).netloc)


def test_no_file_loads_anything_of_another_host(site):
    for path in sorted(site.rglob("*.html")):
        assert not [address for address in Page(path).loads if is_elsewhere(address)], path
    for path in sorted(site.rglob("*.css")):
        found = _CSS.findall(path.read_text(encoding="utf-8"))
        assert not [address for address in found if is_elsewhere(address)], path
    for path in sorted(site.rglob("*.js")):
        assert not _JS.findall(path.read_text(encoding="utf-8")), path


def test_every_link_inside_the_site_leads_somewhere(site):
    pages = {path: Page(path) for path in site.rglob("*.html")}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.name}: {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].ids, f"{path.name}: {link}"


def test_the_reference_has_every_public_name_with_its_docstring(site):
    reference = (site / "api.html").read_text(encoding="utf-8")
    ids = Page(site / "api.html").ids
    for name in mien.__all__:
        value = getattr(mien, name)
        assert f"mien.{name}" in ids, name
        if inspect.isclass(value) or inspect.isroutine(value):
            assert inspect.getdoc(value), name
        for member, function in public_members(value):
            assert f"mien.{name}.{member}" in ids, f"{name}.{member}"
            assert inspect.getdoc(function), f"{name}.{member}"
    assert "system-message" not in reference


def public_members(owner: object) -> list[tuple[str, object]]:
    """Return the methods and properties that a class itself defines."""
    return [
        (name, value)
        for name, value in (vars(owner).items() if inspect.isclass(owner) else ())
        if not name.startswith("_")
        and isinstance(value, property | classmethod | staticmethod | type(public_members))
    ]


def test_a_broken_link_and_a_name_without_a_docstring_fail_the_build(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "README.md", tmp_path)
    with (tmp_path / "docs" / "dataset.md").open("a", encoding="utf-8") as page:
        page.write("\n[a](nowhere.md) [b](training.md#nowhere) [c](#nowhere)\n")
    with (tmp_path / "docs" / "conf.py").open("a", encoding="utf-8") as conf:
        conf.write("\nmien.train.__doc__ = None\nmien.Photo.width = property(lambda self: 1)\n")
    done = build(tmp_path / "docs", tmp_path / "site")
    assert done.returncode == 1
    for wanted in ("nowhere.md", "'nowhere'", "mien.train has no", "mien.Photo.width has no"):
        assert wanted in done.stderr, done.stderr
    assert done.stderr.count("nowhere") >= 3


def test_the_search_finds_words_and_names(site, chromium):
    api = pytest.importorskip("playwright.sync_api")
    asked: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        for words, title in (("threshold", "Training"), ("read_photo", "mien.read_photo")):
            page.goto(f"{(site / 'search.html').as_uri()}?q={words}")
            page.locator("#search-results li a", has_text=title).first.wait_for(timeout=20_000)
        browser.close()
    assert asked
    assert all(url.startswith("file:") for url in asked), asked
