"""The page's folder: its files, their sizes, its policy."""

from __future__ import annotations

import json
import re
from hashlib import sha256

import numpy as np
import pytest
from toy_page import PEOPLE, needs_runtime, squares, toy_recognizer

from mien.deploy import static_page as pages
from mien.deploy.check.running_page import page_recognizer
from mien.deploy.check.static_site import headers_of, parse_headers
from mien.deploy.service.core import SETTINGS
from mien.deploy.static_page import HEADERS_FILE, deploy_page
from mien.errors import NotADeployment

LIMIT = 25 << 20


@pytest.fixture(scope="module")
def recognizer():
    needs_runtime()
    return toy_recognizer()


@pytest.fixture(scope="module")
def deployed(recognizer, tmp_path_factory):
    return deploy_page(recognizer, tmp_path_factory.mktemp("page") / "out")


def texts(folder):
    """Yield the page's own text files."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".js", ".css", ".html", ".svg"} and "runtime" not in path.parts:
            yield path, path.read_text("utf-8")


def test_every_file_is_listed_and_within_the_limit(deployed):
    there = {
        path.relative_to(deployed.folder).as_posix(): path.stat().st_size
        for path in deployed.folder.rglob("*")
        if path.is_file()
    }
    assert deployed.files == there
    assert max(there.values()) < LIMIT
    assert sum(part.bytes for part in deployed.parts) < sum(there.values())
    assert all(0 < part.packed <= part.bytes for part in deployed.parts)
    assert {"onnxruntime-web", "recognizer", "fonts"} < {part.name for part in deployed.parts}
    settings = json.loads((deployed.folder / SETTINGS).read_text("utf-8"))
    not_loaded = {HEADERS_FILE, "README.md", "bom.cdx.json", "SHA256SUMS"}
    assert settings["files"].keys() == there.keys() - not_loaded - {SETTINGS, "sw.js"}
    for path, entry in settings["files"].items():
        data = (deployed.folder / path).read_bytes()
        assert entry == {"bytes": len(data), "sha256": sha256(data).hexdigest()}
    assert not [path for path in settings["files"] if path.endswith(".md")]
    worker = (deployed.folder / "sw.js").read_text("utf-8")
    assert "{{" not in worker
    assert deployed.version in worker
    for path in there.keys() - not_loaded - {"sw.js"}:
        assert sha256((deployed.folder / path).read_bytes()).hexdigest() in worker


def test_recognizer_is_stored_unchanged(recognizer, deployed):
    back = page_recognizer(deployed.folder)
    assert back.to_bytes() == recognizer.to_bytes()
    described = json.loads((deployed.folder / SETTINGS).read_text("utf-8"))["recognizer"]
    assert tuple(described["about"]["people"]) == PEOPLE
    where = described["prototypes"]
    shape = (where["dimension"], where["people"])
    data = recognizer.to_bytes()[where["offset"] :][: 4 * shape[0] * shape[1]]
    stored = np.frombuffer(data, np.float32).reshape(shape)
    assert np.array_equal(stored.T, recognizer.head.prototypes)


def test_large_recognizer_is_split(recognizer, tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "PART_BYTES", 10_000)
    deployed = deploy_page(recognizer, tmp_path / "out")
    parts = [path for path in deployed.files if re.fullmatch(r"recognizer/\w+\.onnx\.\d+", path)]
    assert len(parts) == -(-recognizer.size // 10_000) > 1
    assert page_recognizer(tmp_path / "out").to_bytes() == recognizer.to_bytes()


def test_version_is_a_hash_of_the_content(recognizer, deployed, tmp_path, monkeypatch):
    again = deploy_page(recognizer, tmp_path / "again")
    assert again.version == deployed.version
    assert (tmp_path / "again" / "sw.js").read_bytes() == (deployed.folder / "sw.js").read_bytes()
    other = deploy_page(toy_recognizer(threshold=0.5), tmp_path / "other")
    monkeypatch.setitem(pages.HEADERS, "Permissions-Policy", "camera=()")
    headers = deploy_page(recognizer, tmp_path / "headers")
    assert len({deployed.version, other.version, headers.version}) == 3


def test_no_file_of_the_page_names_another_host(deployed):
    """XML namespaces excepted, which are never fetched."""
    for path, text in texts(deployed.folder):
        found = set(re.findall(r"https?://[\w.-]+", text)) - {"http://www.w3.org"}
        assert not found, (path, found)


def test_policy_is_in_the_page_and_in_the_headers(deployed):
    html = (deployed.folder / "index.html").read_text("utf-8")
    before, _, after = html.partition('http-equiv="Content-Security-Policy"')
    assert "<script" not in before
    assert "<link" not in before
    assert "default-src 'none'" in after
    assert "openapi" not in html
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=", html)
    rules = parse_headers((deployed.folder / HEADERS_FILE).read_text("utf-8"))
    first, model = headers_of("/", rules), headers_of("/recognizer/x.onnx", rules)
    assert "default-src 'none'" in first["Content-Security-Policy"]
    assert "unsafe-inline" not in first["Content-Security-Policy"]
    assert first["Cross-Origin-Opener-Policy"] == "same-origin"
    assert first["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert "immutable" in model["Cache-Control"]
    assert headers_of("/sw.js", rules)["Cache-Control"] == "no-cache"


def test_licences_are_included(recognizer, deployed):
    text = (deployed.folder / "LICENCES.txt").read_text("utf-8")
    for weights in (recognizer.about.detector, recognizer.about.embedder):
        assert weights.id in text
        assert weights.licence in text
        assert weights.trained_on in text
    assert "onnxruntime-web 1." in text
    assert "Microsoft" in (deployed.folder / "licences" / "onnxruntime-web.txt").read_text("utf-8")


def test_folders_that_are_not_pages(recognizer, tmp_path):
    with pytest.raises(NotADeployment, match="not a page"):
        page_recognizer(tmp_path)
    out = tmp_path / "out"
    deploy_page(recognizer, out)
    (model,) = [path for path in (out / "recognizer").iterdir() if "compare" not in path.name]
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    with pytest.raises(NotADeployment, match="changed since") as caught:
        page_recognizer(out)
    assert model.name in str(caught.value)
    (out / SETTINGS).write_text('{"deployment": "page"}')
    with pytest.raises(NotADeployment, match="damaged"):
        page_recognizer(out)


def test_toy_recognizer_names_its_first_person(recognizer):
    (known,) = recognizer.identify(squares(0))
    (stranger,) = recognizer.identify(squares(5))
    assert known.name == PEOPLE[0]
    assert stranger.name is None
