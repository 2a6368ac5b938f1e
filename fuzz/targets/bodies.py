"""JSON bodies: of the server's routes, and the events of a deployed function.

The first byte of an input says where it goes: to the model of a route. Some inputs pass the whole
way of a request instead, through the server's middleware and route class, which takes far longer.
What a route does with a valid body has other tests.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

from fuzz.changed_json import changed_json
from fuzz.targets import Target

INSTRUMENTED = (
    "mien.server.http", "mien.server.routes", "mien.deploy.service", "mien.problems",
)  # fmt: skip

_WHOLE_WAY = 16
"""One in so many of the bodies passes the whole way of a request."""

_EVENT = 0xFF
"""First byte of an event for a function."""


def target() -> Target:
    """Return the target."""
    event = _function()
    post, paths = _server()
    read = [_reader(model) for model in _models()]

    def run(data: bytes) -> None:
        if data[:1] == bytes([_EVENT]):
            event(data[1:])
        elif data and zlib.crc32(data) % _WHOLE_WAY:
            read[data[0] % len(read)](data[1:])
        elif data:
            post(paths[data[0] % len(paths)], data[1:])

    return Target(run, INSTRUMENTED, _TOKENS, longest=2048)


def changed(data: bytes, rng: random.Random) -> bytes:
    """Return another body for the same place."""
    made = changed_json(data[1:], rng)
    return data if made is None else data[:1] + made.encode("utf-8", "replace")


def _function() -> Callable[[bytes], None]:
    """Return what gives an event to the function of a deployment without a model."""
    from mien.deploy.service import aws
    from mien.deploy.service.messages import Request, Response, as_json, uploads
    from mien.errors import MienError

    class Service:
        """Reads the photos of a request, as the real service does before it looks at them."""

        @classmethod
        def from_environment(cls, _: Path) -> Service:
            return cls()

        def answer(self, request: Request) -> Response:
            try:
                return as_json([len(upload.data) for upload in uploads(request)])
            except MienError as error:
                return as_json(str(error), 400)

    real = aws.RecognizerService
    aws.RecognizerService = Service  # type: ignore[assignment, misc]
    handle = aws.handler_of(Path())
    aws.RecognizerService = real  # type: ignore[misc]

    def call(data: bytes) -> None:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return  # an event is JSON: the host has parsed it
        json.dumps(handle(found, None))

    return call


def _reader(model: Any) -> Callable[[bytes], None]:
    """Return what reads a body as the route of a model does, without the way there."""
    from fastapi.exceptions import RequestValidationError
    from pydantic import ValidationError

    from mien.errors import BadRequest
    from mien.problems import plain_problem
    from mien.server.http.error_responses import _first, problem_response

    def read(body: bytes) -> None:
        try:
            found = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise BadRequest("not JSON") from error  # the web framework's own answer
        try:
            repr(model.model_validate(found))
        except ValidationError as error:
            errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
            problem = plain_problem(422, _first(RequestValidationError(errors)), "")
            problem_response(problem)
            raise BadRequest("not of the model") from error

    return read


def _server() -> tuple[Callable[[str, bytes], None], list[str]]:
    """Return what posts a body to a path, and the paths."""
    from fastapi import APIRouter, Depends, FastAPI

    from mien.server.auth.access import anyone
    from mien.server.http.error_responses import install_error_handlers
    from mien.server.http.guarded_route import GuardedRoute
    from mien.server.http.limits import Limits
    from mien.server.http.prometheus import Metrics
    from mien.server.http.security import AccessRules, SecurityMiddleware

    logging.disable()
    router = APIRouter(route_class=GuardedRoute, dependencies=[Depends(anyone)])
    paths = []
    for number, model in enumerate(_models()):
        paths.append(f"/{number}")

        async def taken(given: Any) -> dict[str, str]:
            return {"given": repr(given)}

        taken.__annotations__["given"] = Annotated[model, ...]
        router.post(paths[-1])(taken)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    install_error_handlers(app)
    app.include_router(router)
    rules = AccessRules(frozenset(), frozenset(), Limits())
    guarded = SecurityMiddleware(app, rules, Metrics())
    loop = asyncio.new_event_loop()

    def post(path: str, body: bytes) -> None:
        messages: list[dict[str, Any]] = [{"type": "http.request", "body": body}]
        answer = bytearray()
        status = []

        async def receive() -> dict[str, Any]:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                status.append(message["status"])
            answer.extend(message.get("body", b""))

        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
            "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
            "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 9),
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json"),
                        (b"content-length", str(len(body)).encode())],
        }  # fmt: skip
        loop.run_until_complete(guarded(scope, receive, send))
        if len(status) != 1 or status[0] >= 500:
            raise AssertionError(f"status {status}: {bytes(answer)!r:.200}")
        json.loads(answer)

    return post, paths


def _models() -> Iterator[type]:
    """Yield the models of all JSON bodies that the server takes."""
    from pydantic import BaseModel

    from mien.server.routes import identify, jobs, people, recognizers, sign_in

    for module in (sign_in, identify, people, recognizers, jobs):
        for route in module.router.routes:
            endpoint = getattr(route, "endpoint", None)
            for parameter in inspect.get_annotations(endpoint, eval_str=True).items():
                name, kind = parameter
                if name != "return" and inspect.isclass(kind) and issubclass(kind, BaseModel):
                    yield kind


_TOKENS = (
    b'{"', b'"}', b'":"', b'","', b'":{"', b"[[[[", b"null", b"true", b"1e999", b"NaN", b"-1",
    b"0.5", b'"name"', b'"consent"', b'"other"', b'"face_token"', b'"not"', b'"is"', b'"key"',
    b'"version"', b"\\ud800", b"\\u0000", b"\xff\xfe", b"\xef\xbb\xbf", b'"body"',
    b'"version":"2.0"',
    b'"isBase64Encoded":true', b'"requestContext"', b'"http"', b'"method":"POST"', b'"rawPath":"/"',
    b'"rawQueryString"', b'"headers"', b'"content-type":"multipart/form-data; boundary=b"',
    b'"queryStringParameters"', b'"httpMethod"', b'"path"', b'"stage"',
)  # fmt: skip
