"""A page, run in a browser so that it can be asked, and watched while it answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mien.deploy.check.browser import Visit, asked_by_page, visiting
from mien.deploy.check.static_site import Site, serving
from mien.deploy.static_page import SHIP
from mien.errors import CheckImpossible, NotADeployment
from mien.photo import encode_png
from mien.recognizer import Recognizer

_NOBODY = encode_png(np.full((96, 128, 3), 120, np.uint8))


class RunningPage:
    """A page that is open in a browser; call it with a photo's bytes.

    Browsers decode JPEGs a little differently than Pillow: to compare it with the library, give it
    the very pixels that the library sees, as a PNG.

    Attributes:
        amiss: a sentence for each thing that is wrong but for answers; whole when it is closed.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._first: tuple[bytes, dict[str, Any]] | None = None
        self.amiss: list[str] = []

    def __call__(self, photo: bytes) -> dict[str, Any]:
        """Return the answer's `faces`; None where the page says what is wrong in `error`."""
        answer = {"faces": None, **self._visit.identify(photo)}
        if self._first is None and answer["faces"]:
            self._first = (photo, answer)
        return answer

    def look_round(self) -> None:
        """Try a photo of nobody, and whether the page keeps itself for use without the network."""
        nobody = self(_NOBODY)
        if nobody["faces"] != []:
            told = nobody.get("error") or "a face"
            self.amiss.append(f"of a photo without a face the page says: {told}")
        if not self._visit.wait_until_offline():
            self.amiss.append("the page cannot keep itself for use without the network")

    def without_network(self, site: Site) -> None:
        """Load the page again, its server gone, and ask about the first face once more."""
        try:
            self._visit.open(site.address)
        except NotADeployment as error:
            self.amiss.append(f"without the network {error}")
            return
        if self._first:
            photo, before = self._first
            now = self(photo)
            if _names(now) != _names(before):
                told = f"without the network it says {_names(now)}, with it {_names(before)}"
                self.amiss.append(told)

    def read_log(self, site: Site) -> None:
        """Take from the browser's own log whom the page asked for what."""
        asked = asked_by_page(self._visit.log, site.address)
        if not any(url == site.address for _, url in asked):
            raise CheckImpossible("the browser's log of the network does not tell of the page")
        for method, url in asked:
            if not url.startswith(site.address):
                self.amiss.append(f"the page asked another address: {url}")
            elif method != "GET":
                self.amiss.append(f"the page sent something: {method} {url}")


@contextmanager
def running_page(out: Path, settings: Mapping[str, Any]) -> Iterator[RunningPage]:
    """Yield a way to ask the page of a folder, in Chromium; see what is amiss when it is closed.

    Raises:
        NotADeployment: a file is missing or was changed, or it does not load.
        CheckImpossible: no Chromium or no Playwright here.
    """
    _check_files(out, settings)
    with visiting() as visit:
        running = RunningPage(visit)
        with serving(out) as site:
            visit.open(site.address)
            yield running
            running.look_round()
        running.without_network(site)
    running.read_log(site)


def page_recognizer(out: Path) -> Recognizer:
    """Return the recognizer that is in a page's folder, put together from its parts.

    Raises:
        NotADeployment: the folder is no page, or a file of it is not as it was written.
    """
    try:
        settings = json.loads((out / SHIP).read_text("utf-8"))
        _check_files(out, settings)
        model = page_model(out, settings)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(out, error) from error
    return Recognizer(model, name=str(out))


def page_model(out: Path, settings: Mapping[str, Any]) -> bytes:
    """Return the bytes of the recognizer in a page's folder."""
    return b"".join((out / part).read_bytes() for part in settings["recognizer"]["parts"])


def _check_files(out: Path, settings: Mapping[str, Any]) -> None:
    try:
        changed = [
            path
            for path, entry in settings["files"].items()
            if hashlib.sha256((out / path).read_bytes()).hexdigest() != entry["sha256"]
        ]
    except (OSError, KeyError, AttributeError, TypeError) as error:
        raise _damaged(out, error) from error
    if changed:
        raise NotADeployment(
            f"{out}: {', '.join(changed[:3])} changed since Mien wrote the page",
            hint="Make it again with `mien deploy page`.",
        )


def _damaged(out: Path, error: Exception) -> NotADeployment:
    return NotADeployment(
        f"{out} is no page that Mien shipped, or is damaged: {error}",
        hint="Make it again with `mien deploy page`.",
    )


def _names(answer: Mapping[str, Any]) -> list[str | None]:
    return [face["name"] for face in answer["faces"] or []]
