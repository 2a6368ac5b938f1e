"""A static page that runs in a browser for a check: its answers, and its network requests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from mien.deploy.check.browser import Visit, requests_of_page, visiting
from mien.deploy.check.static_site import Site, serving
from mien.deploy.service.core import SETTINGS
from mien.errors import CheckImpossible, NotADeployment
from mien.photo import encode_png
from mien.recognizer import Recognizer

_BLANK_PHOTO = encode_png(np.full((96, 128, 3), 120, np.uint8))


class RunningPage:
    """A page that is open in a browser; call it with a photo's bytes.

    Browsers decode JPEGs slightly differently than Pillow. To compare with the library, pass the
    pixels that the library uses, as a PNG.

    Attributes:
        problems: one sentence per problem other than a differing answer; complete after closing.
    """

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._first: tuple[bytes, dict[str, Any]] | None = None
        self.problems: list[str] = []

    def __call__(self, photo: bytes) -> dict[str, Any]:
        """Return the page's answer; `faces` is None where it failed, with the reason in `error`."""
        answer = {"faces": None, **self._visit.identify(photo)}
        if self._first is None and answer["faces"]:
            self._first = (photo, answer)
        return answer

    def check_blank_photo(self) -> None:
        """Check that the page finds no face in a blank photo."""
        answer = self(_BLANK_PHOTO)
        if answer["faces"] != []:
            found = answer.get("error") or "a face"
            self.problems.append(f"in a photo without a face the page finds: {found}")

    def check_cache(self) -> None:
        """Check that the page stores itself for use without the network."""
        if not self._visit.wait_until_offline():
            self.problems.append("the page cannot store itself for use without the network")

    def check_without_network(self, site: Site) -> None:
        """Load the page again after its server has stopped, and repeat the first photo."""
        try:
            self._visit.open(site.address)
        except NotADeployment as error:
            self.problems.append(f"without the network {error}")
            return
        if self._first:
            photo, before = self._first
            now = self(photo)
            if _names(now) != _names(before):
                self.problems.append(
                    f"without the network it answers {_names(now)}, with it {_names(before)}"
                )

    def check_requests(self, site: Site) -> None:
        """Check in the browser's network log that the page only read its own files."""
        requests = requests_of_page(self._visit.log, site.address)
        if not any(url == site.address for _, url in requests):
            raise CheckImpossible("the browser's network log does not contain the page")
        for method, url in requests:
            if not url.startswith(site.address):
                self.problems.append(f"the page sent a request to another address: {url}")
            elif method != "GET":
                self.problems.append(f"the page sent data: {method} {url}")


@contextmanager
def running_page(out: Path, settings: Mapping[str, Any]) -> Iterator[RunningPage]:
    """Run the page of a folder in Chromium; the checks are complete when the block ends.

    Raises:
        NotADeployment: a file is missing or was changed, or the page does not load.
        CheckImpossible: Chromium or Playwright is not installed.
    """
    _check_files(out, settings)
    with visiting() as visit:
        running = RunningPage(visit)
        with serving(out) as site:
            visit.open(site.address)
            yield running
            running.check_blank_photo()
            running.check_cache()
        running.check_without_network(site)
    running.check_requests(site)


def page_recognizer(out: Path) -> Recognizer:
    """Return the recognizer of a page's folder, joined from its parts.

    Raises:
        NotADeployment: the folder is not a page, or one of its files was changed.
    """
    try:
        settings = json.loads((out / SETTINGS).read_text("utf-8"))
        _check_files(out, settings)
        model = page_model(out, settings)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(out, error) from error
    return Recognizer(model, name=str(out))


def page_model(out: Path, settings: Mapping[str, Any]) -> bytes:
    """Return the bytes of the recognizer file in a page's folder."""
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
            hint="Make it again.",
            code="page-changed",
        )


def _damaged(out: Path, error: Exception) -> NotADeployment:
    return NotADeployment(
        f"{out} is not a page made by Mien, or is damaged: {error}",
        hint="Make it again.",
        code="page-damaged",
    )


def _names(answer: Mapping[str, Any]) -> list[str | None]:
    return [face["name"] for face in answer["faces"] or []]
