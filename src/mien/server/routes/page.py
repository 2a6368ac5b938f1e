"""The web page: static files of the folder `page`."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.responses import Response

FOLDER = Path(__file__).parent.parent / "page"

_KINDS = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


def add_page(app: FastAPI) -> None:
    """Add a route per existing file, so that no client path reaches the file system."""
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file() and not path.name.endswith(".md"):
            _serve(app, "/" + path.relative_to(FOLDER).as_posix(), path)
    index = FOLDER / "index.html"
    if index.is_file():
        _serve(app, "/", index)


def _serve(app: FastAPI, address: str, path: Path) -> None:
    kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"

    async def file(request: Request) -> Response:
        data = path.read_bytes()
        tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=kind, headers=headers)

    app.add_api_route(address, file, methods=["GET", "HEAD"], include_in_schema=False)
