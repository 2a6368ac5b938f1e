"""Does the page answer as the library does, and does it ask nobody else?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.errors import NotAVessel
from mien.photo import encode_png
from mien.recognizer import Recognizer
from mien.ship.browser import Visit, asked_by_page, visiting
from mien.ship.page import SHIP
from mien.ship.static_site import Site, serving
from mien.types import Face, Known, Photo, Progress, silent

SIMILARITY = 1e-3
PIXELS = 1.0
"""How far the page's similarities and boxes may lie from the library's on the same pixels."""


@dataclass(frozen=True, slots=True)
class PageCheck:
    """What a check of a page found.

    Attributes:
        photos: how many were compared.
        faces: in them, by the library.
        similarity: the largest difference of a similarity.
        pixels: the largest difference of a box's side.
        disagreements: one sentence each; empty where page and library agree.
        asked: method and address of everything that the page asked for.
    """

    photos: int
    faces: int
    similarity: float
    pixels: float
    disagreements: tuple[str, ...]
    asked: tuple[tuple[str, str], ...]


def check_page(
    folder: Path,
    photos: Sequence[Photo],
    recognizer: Recognizer | None = None,
    progress: Progress = silent,
) -> PageCheck:
    """Serve a page on this machine, open it in Chromium and compare it with the library.

    Browsers decode JPEGs a little differently than Pillow, so the page is given the very pixels
    that the library sees, as PNGs. The page is loaded, asked about each photo, loaded once more
    with its server gone, and asked again about the first.

    Args:
        folder: that `mien.ship.page.ship_page` wrote.
        photos: to compare on.
        recognizer: what the library runs; the one in the folder where it is None.
        progress: told of each photo.

    Raises:
        NotAVessel: the folder is no page, lacks a file, or does not load.
        CheckImpossible: no Chromium or no Playwright here.
    """
    shipped = recognizer_of(folder)
    recognizer = recognizer or shipped
    found = _Found()
    with visiting() as visit:
        with serving(folder) as site:
            visit.open(site.address)
            answers = [_ask(visit, photo, index, len(photos), progress)
                       for index, photo in enumerate(photos)]  # fmt: skip
            if not visit.wait_until_offline():
                found.sentences.append("the page cannot keep itself for use without the network")
        for photo, answer in zip(photos, answers, strict=True):
            found.compare(photo, recognizer.identify(photo), answer)
        if photos and not found.sentences:
            found.sentences += _without_network(visit, site, photos[0], answers[0])
    asked = asked_by_page(visit.log, site.address)
    found.sentences += _strangers(asked, site.address)
    return PageCheck(
        len(photos), found.faces, found.similarity, found.pixels, tuple(found.sentences),
        tuple(asked),
    )  # fmt: skip


def recognizer_of(folder: Path) -> Recognizer:
    """Return the recognizer that is in a page's folder, put together from its parts.

    Raises:
        NotAVessel: the folder is no page, or a file of it is not as it was written.
    """
    try:
        ship = json.loads((folder / SHIP).read_text("utf-8"))
        changed = [
            path
            for path, entry in ship["files"].items()
            if hashlib.sha256((folder / path).read_bytes()).hexdigest() != entry["sha256"]
        ]
        parts = ship["recognizer"]["parts"]
        model = b"".join((folder / part).read_bytes() for part in parts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotAVessel(
            f"{folder} is no page that Mien shipped, or is damaged: {error}",
            hint="Ship it again.",
        ) from error
    if changed:
        raise NotAVessel(
            f"{folder}: {', '.join(changed[:3])} changed since Mien wrote the page",
            hint="Ship it again.",
        )
    return Recognizer(model, name=str(folder))


def _ask(visit: Visit, photo: Photo, index: int, total: int, progress: Progress) -> dict[str, Any]:
    answer = visit.identify(encode_png(photo.pixels), photo.name)
    progress(index + 1, total, "photos in the browser")
    return answer


def _without_network(
    visit: Visit, site: Site, photo: Photo, answer: dict[str, Any]
) -> Iterator[str]:
    """Load the page again with its server gone, and yield what is amiss."""
    try:
        visit.open(site.address)
    except NotAVessel as error:
        yield f"without the network {error}"
        return
    again = visit.identify(encode_png(photo.pixels), photo.name)
    if _names(again) != _names(answer):
        yield f"without the network it says {_names(again)}, with it {_names(answer)}"


def _names(answer: dict[str, Any]) -> list[str | None]:
    return [face["name"] for face in answer.get("faces", [])]


class _Found:
    """Differences, as they are found."""

    def __init__(self) -> None:
        self.faces = 0
        self.similarity = 0.0
        self.pixels = 0.0
        self.sentences: list[str] = []

    def compare(self, photo: Photo, faces: Sequence[Face], answer: dict[str, Any]) -> None:
        self.faces += len(faces)
        rows = answer.get("faces")
        if rows is None:
            self.sentences.append(f"{photo.name}: the page says: {answer.get('error')}")
        elif len(rows) != len(faces):
            self.sentences.append(
                f"{photo.name}: {len(rows)} faces on the page, {len(faces)} by the library"
            )
        else:
            for number, (face, row) in enumerate(zip(faces, rows, strict=True), start=1):
                self.sentences += self._differences(f"{photo.name}, face {number}", face, row)

    def _differences(self, where: str, face: Face, row: dict[str, Any]) -> Iterator[str]:
        name = face.verdict.person if isinstance(face.verdict, Known) else None
        if row["name"] != name:
            yield f"{where}: the page says {row['name']}, the library {name}"
        pixels = float(np.abs(np.array(row["box"]) - face.box).max())
        self.pixels = max(self.pixels, pixels)
        if pixels > PIXELS:
            yield f"{where}: the boxes are {pixels:.1f} pixels apart"
        ours = {candidate.person: candidate.similarity for candidate in face.candidates}
        theirs = {candidate["name"]: candidate["similarity"] for candidate in row["candidates"]}
        # Of people as alike as the last one listed, either may be listed.
        both = ours.keys() & theirs.keys()
        apart = max((abs(ours[name] - theirs[name]) for name in both), default=1.0)
        self.similarity = max(self.similarity, apart)
        if apart > SIMILARITY or len(ours) != len(theirs):
            yield f"{where}: similarities are {apart:.4f} apart"


def _strangers(asked: Sequence[tuple[str, str]], address: str) -> Iterator[str]:
    for method, url in asked:
        if not url.startswith(address):
            yield f"the page asked another address: {url}"
        elif method != "GET":
            yield f"the page sent something: {method} {url}"
