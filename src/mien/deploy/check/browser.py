"""The static page in headless Chromium: its answers and its network requests."""

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
    # Requests to other hosts fail; the log still lists them.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
)

_LOADED = "() => Boolean(globalThis.mien?.engine)"
_OFFLINE = "() => document.documentElement.dataset.offline"

_IDENTIFY = """async ({coded, name, type}) => {
  const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
  const start = performance.now();
  const photo = new File([bytes], name, {type});
  const options = {crops: false, top: 10};
  const {engine} = mien;
  // Pages of version 0.1.0 have no identifyJson; the fields that are compared have the same names.
  const answer = await (engine.identifyJson?.(photo, options) ?? engine.identify(photo, options))
    .catch((error) => ({error: `${error.message} ${error.hint ?? ""}`.trim()}));
  return {...answer, milliseconds: performance.now() - start};
}"""


def chromium_path() -> str:
    """Return the path of Chromium: `MIEN_CHROMIUM`, or the first one on the path.

    Raises:
        CheckImpossible: none is installed.
    """
    named = os.environ.get("MIEN_CHROMIUM", "")
    for program in (named,) if named else _PROGRAMS:
        found = shutil.which(program)
        if found:
            return found
    raise CheckImpossible(
        "no Chromium or Chrome is on this machine",
        hint="Install one, or set the variable MIEN_CHROMIUM to its path: pages are checked in it.",
    )


@dataclass(slots=True)
class Visit:
    """A page that is open in a browser of its own.

    Attributes:
        page: Playwright's page.
        context: Playwright's browser context.
        log: Chromium's network log, JSON; empty until the browser is closed.
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

        messages: list[str] = []
        self.page.on("pageerror", lambda error: messages.append(str(error)))
        self.page.on("console", lambda line: messages.append(line.text))
        try:
            self.page.goto(address, timeout=seconds * 1000)
            self.page.wait_for_function(_LOADED, timeout=seconds * 1000)
        except Error as error:
            shown = self.page.locator("body").inner_text().strip()[:300]
            why = "; ".join([*messages[:3], shown]) or str(error).splitlines()[0]
            raise NotADeployment(f"the page does not load: {why}") from error

    def wait_until_offline(self, *, seconds: float = 120) -> bool:
        """Wait until the page reports whether it works without the network; return the report."""
        self.page.wait_for_function(_OFFLINE, timeout=seconds * 1000)
        return bool(self.page.evaluate(_OFFLINE) == "ready")

    def identify(self, photo: bytes, name: str = "photo") -> dict[str, Any]:
        """Return the engine's answer: a result of `/v1/identify`, and `milliseconds`.

        For a photo that cannot be read, the field `error` has the message and there are no faces.
        """
        coded = base64.b64encode(photo).decode()
        answer: dict[str, Any] = self.page.evaluate(
            _IDENTIFY, {"coded": coded, "name": name, "type": ""}
        )
        return answer


@contextmanager
def visiting(*arguments: str) -> Iterator[Visit]:
    """Start Chromium with an empty profile, which is deleted when the block ends.

    Args:
        arguments: additional command-line arguments of Chromium.

    Raises:
        CheckImpossible: Chromium or Playwright is not installed.
    """
    program = chromium_path()
    try:
        from playwright.sync_api import Error, sync_playwright  # noqa: PLC0415 — optional
    except ImportError as error:
        raise CheckImpossible(
            "the Python package playwright is not installed",
            hint="pip install playwright: it controls the Chromium that a page is checked in.",
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


def requests_of_page(log: str, address: str) -> list[tuple[str, str]]:
    """Return method and URL of every request of a page, from Chromium's network log.

    Requests of the browser itself have no page as their origin; they are left out.

    Args:
        log: `Visit.log`.
        address: URL of the page.

    Raises:
        CheckImpossible: the log is incomplete.
    """
    try:
        parsed = json.loads(log)
    except json.JSONDecodeError as error:
        raise CheckImpossible(
            f"the browser wrote no complete network log: {error}", hint="Run the check again."
        ) from error
    request = parsed["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    origin = address.rstrip("/")
    found = []
    for event in parsed["events"]:
        params = event.get("params", {}) if event["type"] == request else {}
        url = params.get("url", "")
        if url and (params.get("initiator") == origin or url.startswith(address)):
            found.append((params["method"], url))
    return found
