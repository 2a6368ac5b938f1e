"""A static web server for checks: serves a folder on the loopback interface only."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}


@dataclass(slots=True)
class Site:
    """A folder that is being served.

    Attributes:
        address: URL of its index page; ends with a slash.
        requests: method and path of each request so far.
    """

    address: str
    requests: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def serving(folder: Path, headers_file: str | None = "_headers", port: int = 0) -> Iterator[Site]:
    """Serve a folder while the block runs.

    Args:
        folder: the site.
        headers_file: name of the file in the folder that lists the headers to send; None for a
            host that sends none.
        port: port to listen on; 0 for any free one.
    """
    path = folder / headers_file if headers_file else None
    rules = parse_headers(path.read_text("utf-8")) if path and path.is_file() else []
    site = Site("")
    handler = partial(_Handler, site=site, rules=rules, hidden=headers_file, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        site.address = f"http://localhost:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()


Rules = list[tuple[str, dict[str, str]]]


def parse_headers(text: str) -> Rules:
    """Return the path patterns of a `_headers` file with their headers, in order."""
    rules: Rules = []
    for line in text.splitlines():
        if line.startswith("/"):
            rules.append((line.strip(), {}))
        elif line.strip() and rules:
            name, _, value = line.strip().partition(":")
            rules[-1][1][name] = value.strip()
    return rules


def headers_of(path: str, rules: Rules) -> Mapping[str, str]:
    """Return the headers for a path: later rules add to earlier ones."""
    found: dict[str, str] = {}
    for pattern, headers in rules:
        if fnmatch(path, pattern):
            found |= headers
    return found


class _Handler(SimpleHTTPRequestHandler):
    def __init__(
        self, *arguments: object, site: Site, rules: Rules, hidden: str | None, directory: str
    ) -> None:
        self._site, self._rules, self._hidden = site, rules, hidden
        self.extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **_TYPES}
        super().__init__(*arguments, directory=directory)  # type: ignore[arg-type]

    def end_headers(self) -> None:
        for name, value in headers_of(self.path.partition("?")[0], self._rules).items():
            self.send_header(name, value)
        super().end_headers()

    def send_head(self) -> Any:
        self._site.requests.append((self.command, self.path))
        return super().send_head()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 — the base class's name
        """Write no log."""
