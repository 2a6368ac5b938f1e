"""Routes that authorize the client, by the request's headers, before they read its body."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from mien.errors import RequestTooSlow
from mien.server.auth.access import Access, RoleCheck, anyone
from mien.server.auth.keys import Role

_LARGE_JSON = 8 << 10
"""From this many bytes on, JSON is parsed in a thread: other requests go on meanwhile."""


class GuardedRoute(APIRoute):
    """A route that states who may call it: `require_role` or `anyone` is among its dependencies.

    FastAPI reads and parses a JSON body before it calls dependencies. Here the client is authorized
    first, and then the JSON is read, up to `Limits.json` bytes.

    Raises:
        TypeError: the route does not state who may call it.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of a request: FastAPI's, after authorization."""
        handler = super().get_route_handler()
        role = _required_role(self.dependant, self.path)
        takes_json = self.body_field is not None

        async def guarded(request: Request) -> Response:
            if role is not None:
                access: Access = request.app.state.server.access
                request.scope["mien.caller"] = await access.authorize(request, role)
            if takes_json:
                request = await _with_json(request)
            return await handler(request)

        return guarded


class _JsonRequest(Request):
    """A request whose JSON is parsed in a thread if it is large."""

    async def json(self) -> Any:
        body = await self.body()
        if len(body) < _LARGE_JSON:
            return json.loads(body)
        return await run_in_threadpool(json.loads, body)


async def _with_json(request: Request) -> Request:
    """Return the request with its body, which is JSON, in memory.

    Raises:
        RequestTooLarge: it has more than `Limits.json` bytes.
        RequestTooSlow: it did not arrive in time.
    """
    request.scope["mien.body"].limit_to_json()
    found = _JsonRequest(request.scope, request.receive)
    try:
        # Here, as FastAPI would answer every error of reading with 400.
        await found.body()
    except ClientDisconnect as error:
        raise RequestTooSlow(
            "the client disconnected before the body was complete", hint="Send it again."
        ) from error
    return found


def _required_role(dependant: Dependant, path: str) -> Role | None:
    """Return the highest role that a route's checks require; None if anyone may call it."""
    calls = list(_calls(dependant))
    roles = [call.role for call in calls if isinstance(call, RoleCheck)]
    if not roles and anyone not in calls:
        raise TypeError(f"{path} does not state who may call it: add require_role or anyone")
    return max(roles) if roles else None


def _calls(dependant: Dependant) -> Iterator[object]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)
