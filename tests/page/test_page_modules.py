"""Modules of the page without a server: tracker, texts, face cards, grouping of files."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "src" / "mien" / "server" / "page"

FACE = """
const face = (box, name, probability = 0.98) => ({ box, name, probability, token: null });
"""


def run(modules, module: str, code: str):
    """Run the body of a function with a module of the page as `m`; return its result."""
    return modules.evaluate(f"async () => {{ const m = await import('/{module}'); {FACE} {code} }}")


def test_tracks_keep_their_identity_when_two_people_cross(modules):
    seen = run(
        modules,
        "camera/track.js",
        """
        const tracker = new m.Tracker();
        const ids = [];
        for (let i = 0; i <= 20; i += 1) {
          const a = face([20 * i, 100, 20 * i + 80, 200], "Ann");
          const b = face([400 - 20 * i, 110, 480 - 20 * i, 210], "Ben");
          const tracks = tracker.addFrame(i % 2 ? [a, b] : [b, a], 100 * i);
          ids.push(Object.fromEntries(tracks.map((t) => [t.name, t.id])));
        }
        return ids;
        """,
    )
    assert len({tuple(sorted(each.items())) for each in seen}) == 1
    assert set(seen[0]) == {"Ann", "Ben"}


def test_one_wrong_frame_does_not_rename_a_track_but_many_do(modules):
    names = run(
        modules,
        "camera/track.js",
        """
        const tracker = new m.Tracker();
        const names = ["Ann", "Ann", "Ann", "Ben", "Ann", null, "Ann", ...Array(14).fill("Ben")];
        const track = (name, i) => tracker.addFrame([face([0, 0, 90, 120], name)], 150 * i)[0];
        return names.map((name, i) => track(name, i).name);
        """,
    )
    assert names[:8] == ["Ann"] * 8
    assert names[-1] == "Ben"


def test_a_box_follows_its_face_smoothly(modules):
    drawn = run(
        modules,
        "camera/track.js",
        """
        const tracker = new m.Tracker();
        const lefts = [];
        for (let time = 0; time <= 2000; time += 16) {
          const left = 100 + time / 10 + (time % 160 ? 0 : 6 * Math.sin(time));
          if (time % 160 === 0) tracker.addFrame([face([left, 50, left + 100, 170], "Ann")], time);
          lefts.push(tracker.ease(time)[0].box[0]);
        }
        return lefts;
        """,
    )
    steps = [after - before for before, after in itertools.pairwise(drawn)]
    assert max(map(abs, steps)) < 8  # pixels per animation frame
    assert abs(drawn[-1] - 300) < 15


def test_lost_tracks_end_and_a_name_is_in_view_once(modules):
    counts = run(
        modules,
        "camera/track.js",
        """
        const tracker = new m.Tracker();
        for (let i = 0; i < 5; i += 1) {
          const faces = [face([0, 0, 90, 120], "Ann"), face([500, 0, 590, 120], "Ann", 0.8)];
          tracker.addFrame(faces, 100 * i);
        }
        const names = tracker.tracks.map(({ name }) => name);
        const counts = [1200, 1400].map((time) => tracker.addFrame([], time).length);
        tracker.addFrame([face([0, 0, 90, 120], "Ann")], 1500);
        tracker.ease(7000);
        return [names, ...counts, tracker.tracks.length];
        """,
    )
    assert counts == [["Ann", None], 2, 0, 0]


def test_slow_frames_do_not_end_tracks(modules):
    ids = run(
        modules,
        "camera/track.js",
        """
        const tracker = new m.Tracker();
        const ids = [];
        for (let time = 0; time <= 6000; time += 1500) {
          tracker.addFrame([face([100 + time / 100, 0, 200 + time / 100, 120], "Ann")], time);
          tracker.ease(time + 1400);
          ids.push(...tracker.tracks.map(({ id }) => id));
        }
        return ids;
        """,
    )
    assert ids == [1] * 5


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("falsePositiveText(0.001)", "A stranger would get this score once in 1,000."),
        ("falsePositiveText(0.00043)", "A stranger would get this score once in 2,300."),
        ("falsePositiveText(0.6)", "Most strangers would get a score like this."),
        ("falsePositiveText(0)", "A stranger would get this score less than once in a million."),
        ("falsePositiveText(null)", "False positive rate unknown."),
        ("percent(0.9731)", "97 %"),
        ("percent(0.99999)", "> 99.9 %"),
        ("percent(1)", "> 99.9 %"),
        ("percent(0.0001)", "< 1 %"),
        ("rate(0.0142)", "1.42 %"),
        ("count(1, 'person', 'people')", "1 person"),
        ("count(5756, 'person', 'people')", "5,756 people"),
        ("duration(3905)", "1 h 5 min"),
        ("bytes(1536000)", "1.5 MB"),
        ("day('2026-11-25T16:00:00Z')", "25 November 2026"),
    ],
)
def test_numbers_as_text(modules, code, text):
    assert run(modules, "words.js", f"return m.{code};") == text


@pytest.mark.parametrize(
    ("name", "share", "text"),
    [
        ("Ann", None, "False positive rate unknown."),
        ("Ann", 0.01, "A stranger would get this score once in 100."),
        (None, None, "Not similar enough to a known person. False positive rate unknown."),
        (None, 0.01, "One stranger in 100 gets a score like this: not similar enough for a name."),
    ],
)
def test_a_face_card_shows_the_false_positive_rate_or_that_it_is_unknown(
    modules, name, share, text
):
    face = {
        "name": name,
        "probability": 0.9,
        "falsePositiveRate": share,
        "crop": None,
        "candidates": [{"name": "Ann", "personId": None, "similarity": 0.5, "probability": 0.9}],
    }
    shown = run(
        modules,
        "parts/face-card.js",
        f"return m.faceCard({json.dumps(face)}, 0).querySelector('.face-who').textContent;",
    )
    assert text in shown
    assert "null" not in shown
    assert "NaN" not in shown


def test_files_are_grouped_by_folder_without_hidden_files(modules):
    people = run(
        modules,
        "photos.js",
        """
        const file = (name) => new File(["x"], name);
        const files = ["album/Ann Lee/1.jpg", "album/Ann Lee/2.HEIC", "album/Ben/1.png",
          "album/Ben/notes.txt", "album/.trash/1.jpg", "loose.jpg"]
          .map((path) => ({ path, file: file(path.split("/").at(-1)) }));
        const paths = (theirs) => theirs.map(({ path }) => path);
        return [...m.byPerson(files)].map(([name, theirs]) => [name, paths(theirs)]);
        """,
    )
    assert people == [["Ann Lee", ["Ann Lee/1.jpg", "Ann Lee/2.HEIC"]], ["Ben", ["Ben/1.png"]]]


def test_only_api_modules_make_requests():
    """Only the server engine's modules make requests, so that another engine can replace it."""
    requesting = {"api/http.js", "api/jobs-api.js"}
    for path in PAGE.rglob("*.js"):
        text = path.read_text(encoding="utf-8")
        found = re.search(r"\b(fetch\(|XMLHttpRequest|EventSource|WebSocket|sendBeacon)", text)
        assert not found or path.relative_to(PAGE).as_posix() in requesting, path
    independent = ["recognise", "live"]
    for name in independent:
        text = (PAGE / "views" / f"{name}.js").read_text(encoding="utf-8")
        assert "engine-server" not in text
        assert "-api" not in text


def test_the_page_has_no_foreign_addresses_and_no_inline_code():
    """Nothing is loaded from other hosts, and the content security policy blocks nothing."""
    for path in PAGE.rglob("*"):
        if path.suffix not in {".js", ".css", ".html", ".svg"}:
            continue
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn", text), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|eval\(|new Function", text), (
            path
        )
        assert len(text.splitlines()) < 400, path
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    assert "style=" not in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"\son\w+=", html)
