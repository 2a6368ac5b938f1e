"""The page in a real browser without a window: what it answers and what it asks of the network."""

from __future__ import annotations

import base64
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mien.errors import CheckImpossible, NotADeployment

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

_QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever the page asked of another host could not be answered; that it asks is in the log.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
)

_LOADED = "() => Boolean(globalThis.mien?.engine)"
_OFFLINE = "() => document.documentElement.dataset.offline"

_IDENTIFY = """async ({coded, name, type}) => {
  const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
  const began = performance.now();
  const photo = new File([bytes], name, {type});
  const answer = await mien.engine.identify(photo, {crops: false, top: 10})
    .catch((error) => ({error: `${error.message} ${error.hint ?? ""}`.trim()}));
  return {...answer, milliseconds: performance.now() - began};
}"""


def chromium_path() -> str:
    """Return the path of a Chromium: `MIEN_CHROMIUM`, or one on the path.

    Raises:
        CheckImpossible: there is none.
    """
    named = os.environ.get("MIEN_CHROMIUM", "")
    for program in (named,) if named else _PROGRAMS:
        found = shutil.which(program)
        if found:
            return found
    raise CheckImpossible(
        "no Chromium or Chrome is on this machine",
        hint="Install one, or name it in the variable MIEN_CHROMIUM; a page is checked in it.",
    )


@dataclass(slots=True)
class Visit:
    """A page that is open in a browser of its own.

    Attributes:
        page: of Playwright.
        context: of Playwright.
        log: the browser's own log of the network, JSON; empty until the browser is closed.
    """

    page: Page
    context: BrowserContext
    log: str = ""

    def open(self, address: str, *, seconds: float = 120) -> None:
        """Go to a page and wait until its recognizer is loaded.

        Raises:
            NotADeployment: it does not load.
        """
        from playwright.sync_api import Error  # noqa: PLC0415 — an optional library

        said: list[str] = []
        self.page.on("pageerror", lambda error: said.append(str(error)))
        self.page.on("console", lambda line: said.append(line.text))
        try:
            self.page.goto(address, timeout=seconds * 1000)
            self.page.wait_for_function(_LOADED, timeout=seconds * 1000)
        except Error as error:
            shown = self.page.locator("body").inner_text().strip()[:300]
            why = "; ".join([*said[:3], shown]) or str(error).splitlines()[0]
            raise NotADeployment(f"the page does not load: {why}") from error

    def wait_until_offline(self, *, seconds: float = 120) -> bool:
        """Wait until the page says whether it works without the network, and return that."""
        self.page.wait_for_function(_OFFLINE, timeout=seconds * 1000)
        return bool(self.page.evaluate(_OFFLINE) == "ready")

    def identify(self, photo: bytes, name: str = "photo") -> dict[str, Any]:
        """Return what the page's engine answers: the fields of engine.js and `milliseconds`.

        What goes wrong with the photo is in the field `error`.
        """
        coded = base64.b64encode(photo).decode()
        answer: dict[str, Any] = self.page.evaluate(
            _IDENTIFY, {"coded": coded, "name": name, "type": ""}
        )
        return answer


@contextmanager
def visiting(*arguments: str) -> Iterator[Visit]:
    """Start a browser with an empty profile; all of it is gone afterwards.

    Args:
        arguments: more of Chromium's.

    Raises:
        CheckImpossible: no Chromium, or not Playwright.
    """
    program = chromium_path()
    try:
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 — optional
    except ImportError as error:
        raise CheckImpossible(
            "the Python package playwright is not installed",
            hint="pip install playwright: it drives the Chromium that a page is checked in.",
        ) from error
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with ExitStack() as stack:
        profile = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mien-visit-")))
        log = profile / "network.json"
        playwright = stack.enter_context(sync_playwright())
        try:
            context = playwright.chromium.launch_persistent_context(
                str(profile / "profile"),
                executable_path=program,
                args=[
                    *_QUIET, *(["--no-sandbox"] if root else []), f"--log-net-log={log}", *arguments
                ],
            )  # fmt: skip
        except Error as error:
            raise CheckImpossible(f"{program} does not start: {error}") from error
        visit = Visit(context.pages[0], context)
        try:
            yield visit
        finally:
            context.close()
            visit.log = log.read_text("utf-8", "replace") if log.is_file() else ""


def asked_by_page(log: str, address: str) -> list[tuple[str, str]]:
    """Return method and address of all that a page asked for, from Chromium's own network log.

    What the browser asks on its own account has no page as its origin, and is left out.

    Args:
        log: `Visit.log`.
        address: of the page.

    Raises:
        CheckImpossible: the browser wrote no whole log.
    """
    try:
        told = json.loads(log)
    except json.JSONDecodeError as error:
        raise CheckImpossible(
            f"the browser left no log of the network: {error}", hint="Run the check again."
        ) from error
    request = told["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    origin = address.rstrip("/")
    found = []
    for event in told["events"]:
        asked = event.get("params", {}) if event["type"] == request else {}
        url = asked.get("url", "")
        if url and (asked.get("initiator") == origin or url.startswith(address)):
            found.append((asked["method"], url))
    return found
