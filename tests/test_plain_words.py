"""The project speaks the field's own terms: words of a private dialect do not come back.

Searched are code, comments, docstrings, messages, identifiers, help texts and documents. A word
that is part of a stored format keeps its name; such places are listed with their reason.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

REPLACED = {
    r"roads?": "pipeline",
    r"vessels?": "deployment",
    r"told": "printed, reported, shown",
    r"whoever": "the person who, callers that",
    r"whom (it|they)": "people to compare against",
    r"somebody(?!-else)": "a person, someone",  # `like-somebody-else` is a stored reason
    r"somebodys": "a person's",
    r"anew": "again",
    r"elders?": "early",
    r"amiss": "wrong",
    r"doors?": "input aliases",
    r"skins?(?!.colou?r)": "adapter",
    r"wish(es)?": "request",
    r"speaks? against": "objection, failed check",
    r"nobody(?! (is )?(in a photo )?twice)": "none, no person, unknown",
    r"in spite of": "even if",
    r"newcomers?": "new person, imported person",
    r"sightings?": "face sample, error case",
    r"mounts?(?!ed)": "backend",
    r"at birth": "on construction",
    r"the nouns": "value types",
    r"standing": "support",
    r"bears? (the|a|it)": "supports",
    r"says? of itself": "states, metadata",
    r"tell nobody": "no-op",
    r"a (person|photo|face|object|line|core|row|stranger) each": "per person, per photo",
    r"of old": "earlier",
}
"""What is not written, and what is written instead."""

FOLDERS = ("src", "docs", "tests", "benchmarks", "scripts")
ENDINGS = {".py", ".md", ".js", ".html", ".toml", ".yaml", ".sh", ".conf"}

AS_THEY_WERE = ROOT / "tests" / "compatibility"
"""Files of earlier versions, and the questions that name what those answered."""

KEPT: dict[tuple[str, str], str] = {
    ("tests/test_plain_words.py", ""): "the list itself",
    ("CHANGELOG.md", "standing"): "a former name",
    ("tests/faults.py", "mount"): "the command that mounts a disk",
    ("src/mien/server/page/parts/add-photos.js", "somebody"): "a reason in the API",
    (
        "src/mien/deploy/service/core.py",
        "vessel",
    ): "key of ship.json and of /v1/recognizer in version 0.1.0",
    ("tests/deploy/test_deploy_parity.py", "vessel"): "key of ship.json in version 0.1.0",
    ("tests/deploy/test_deploy_service.py", "vessel"): "key of /v1/recognizer in version 0.1.0",
    (
        "src/mien/deploy/static/local/people.js",
        "sightings",
    ): "name of an object store in visitors' browsers",
    (
        "src/mien/deploy/static/local/enrolment.js",
        "somebody",
    ): "reason code like-somebody-else, which the gallery has too",
    ("tests/deploy/test_deploy_page_people.py", "somebody"): "reason code like-somebody-else",
}
"""(path, word) of places where a word stays, with the reason; an empty word stands for all."""


def _files() -> list[Path]:
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "Makefile"]
    for folder in FOLDERS:
        found += [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in ENDINGS]
    return [path for path in found if AS_THEY_WERE not in path.parents]


@pytest.mark.parametrize("word", REPLACED)
def test_words_of_a_private_dialect_are_gone(word):
    # An identifier is made of words too: only letters on either side make another word.
    pattern = re.compile(rf"(?<![a-z]){word}(?![a-z])".replace(" ", r"[ _\n#]+"), re.IGNORECASE)
    places = []
    for path in _files():
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        for found in pattern.finditer(text):
            if any(p == name and w in ("", found.group().lower()) for p, w in KEPT):
                continue
            line = text.count("\n", 0, found.start()) + 1
            places.append(f"{name}:{line}: {found.group()!r}")
    assert not places, f"write {REPLACED[word]!r}:\n" + "\n".join(places)
