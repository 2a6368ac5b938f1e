import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from unicodedata import category

import hand_worked as hand
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mien.errors import OutputError
from mien.evaluation import Facts, evaluate_head, people_report, write_report
from mien.evaluation.report.charts import log_axis, rate_axis
from mien.evaluation.report.identification import rounded
from mien.html import join, tag

HOSTILE = (
    "<script>alert(1)</script>",
    '" onmouseover="alert(1)" x=\'',
    "</td></table></script><img src=http://evil.example/x onerror=alert(1)>&lt;",
)
FACTS = Facts(
    made=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    command="mien evaluate people.onnx '<b>' -o report.html",
    source="<i>people</i>",
    recognizer="people.onnx",
    licences=("YuNet: MIT", "SFace: Apache-2.0"),
)


class Reader(HTMLParser):
    """Collects the elements of a page and its text."""

    def __init__(self, document):
        super().__init__()
        self.elements, self.text = [], []
        self.feed(document)

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture
def hostile(tmp_path):
    names = dict(zip(hand.NAMES, HOSTILE, strict=True))
    photos = [(names[person], *rest) for person, *rest in hand.PHOTOS]
    (tmp_path / "crops").mkdir()
    for row in range(len(photos) - 1):  # the last crop is lost
        pixels = np.full((112, 112, 3), 20 * row, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "crops" / f"{row}.jpg")
    strangers = hand.dataset([("<svg onload=alert(1)>", 30, "train", "")])
    result = evaluate_head(hand.head(HOSTILE), hand.dataset(photos, tmp_path), strangers=strangers)
    return people_report(result, FACTS)


def test_names_stay_text(hostile):
    page = Reader(hostile)
    names = [name for name, _ in page.elements]
    assert names.count("script") == 1
    assert not any(key.startswith("on") for _, found in page.elements for key in found)
    text = "".join(page.text)
    for name in (*HOSTILE, "<svg onload=alert(1)>", FACTS.source, FACTS.command):
        assert name in text


def test_nothing_is_fetched(hostile):
    page = Reader(hostile)
    for name, attributes in page.elements:
        assert name not in {"link", "iframe", "object", "embed", "base", "form"}
        assert not attributes.get("href", "")
        assert attributes.get("src", "data:image/jpeg;").startswith("data:image/jpeg;")
        assert "style" not in attributes
    style = re.search("<style>(.*?)</style>", hostile, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(a["content"] for n, a in page.elements if a.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_crops_are_shown_and_missing_crops_replaced(hostile):
    page = Reader(hostile)
    assert sum(name == "img" for name, _ in page.elements) >= 5
    assert any("lost" in (found.get("class") or "") for _, found in page.elements)


def test_summary_in_words(hostile):
    text = " ".join("".join(Reader(hostile).text).split())
    assert "Of 5 held-out photos of people it knows, 3 got the right name" in text
    assert "Of 1,000 strangers, 1,000 would be given a name" in text
    for fact in ("d" * 64, "MIT", "Apache-2.0", "2026-01-02T03:04:00+00:00", "2 January 2026"):
        assert fact in text


def test_elements_are_closed(hostile):
    void = {"br", "img", "input", "meta"}
    open_ = []

    class Balance(HTMLParser):
        def handle_starttag(self, name, _):
            if name not in void:
                open_.append(name)

        def handle_endtag(self, name):
            assert open_.pop() == name

    Balance().feed(hostile)
    assert open_ == []


@given(st.text(), st.text())
def test_any_text_comes_back(child, attribute):
    page = Reader(tag("p", child, title=attribute))
    assert page.elements[0] == ("p", {"title": visible(attribute)})
    assert "".join(page.text) == visible(child)


def visible(text):
    """Return a text as HTML may have it: a control character is U+FFFD."""
    return "".join("\ufffd" if category(c) == "Cc" and c not in "\t\n" else c for c in text)


def test_markup_is_not_escaped_twice():
    assert join(tag("b", "a & b"), "<") == "<b>a &amp; b</b>&lt;"


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=5), st.integers(0, 1000))
def test_rounded_counts_add_up(counts, of):
    found = rounded(counts, of)
    if sum(counts):
        assert sum(found) == of
        exact = [value * of / sum(counts) for value in counts]
        assert all(abs(a - b) < 1 for a, b in zip(found, exact, strict=True))


@given(st.floats(0, 0.9999), st.floats(1e-4, 1))
def test_axes_cover_their_range(low, reach):
    high = min(1.0, low + reach)
    axis = rate_axis(low, high, "")
    assert axis.low <= low + 1e-9
    assert axis.high >= high - 1e-9
    assert 2 <= len(axis.ticks) <= 8
    assert len({label for _, label in axis.ticks}) == len(axis.ticks)


def test_logarithmic_axis():
    axis = log_axis(0.001, "")
    assert [label for _, label in axis.ticks] == ["0.1 %", "1 %", "10 %", "100 %"]
    assert [axis.at(v) for v in (0.0, 0.001, 0.01, 1.0)] == pytest.approx([0, 0, 1 / 3, 1])


def test_a_report_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError):
        write_report(tmp_path / "file" / "report.html", join("x"))


def test_a_report_replaces_the_old_one(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(path, join("new"))
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
