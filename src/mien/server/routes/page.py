"""The web page: static files of the folder `page`."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, Request
from starlette.responses import Response

from mien.server.auth.access import anyone
from mien.server.http.guarded_route import GuardedRoute

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
    router = APIRouter(
        route_class=GuardedRoute, dependencies=[Depends(anyone)], include_in_schema=False
    )
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file() and not path.name.endswith(".md"):
            _serve(router, "/" + path.relative_to(FOLDER).as_posix(), path)
    index = FOLDER / "index.html"
    if index.is_file():
        _serve(router, "/", index)
    app.include_router(router)


def _serve(router: APIRouter, address: str, path: Path) -> None:
    kind = _KINDS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
    # Once, as anyone may ask for it.
    data = path.read_bytes()
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'

    async def file(request: Request) -> Response:
        headers = {"etag": tag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(data, media_type=kind, headers=headers)

    router.add_api_route(address, file, methods=["GET", "HEAD"])
