"""Authentication and authorization of requests, by API key or session cookie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request

from mien.errors import KeyNeeded, NotAllowed, ServerBusy
from mien.request_limits import WRONG_BURST, WRONG_PER_SECOND, RateLimiter, network_of
from mien.server.auth.keys import Key, Keys, Role
from mien.server.auth.refusals import Refusal
from mien.server.auth.web_sessions import (
    CSRF_HEADER,
    WebSession,
    WebSessions,
    cookie_name,
    is_csrf_token,
)

T = TypeVar("T")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_KEYLESS_PER_SECOND, _KEYLESS_BURST = 20.0, 100
"""Requests without a key per address, where one is required; further ones get status 429."""

_THREADS, _MAX_WAITING = 2, 512
"""Threads that read the keys, and requests that may wait for them."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated client.

    Attributes:
        key: id of the key; empty if none is required.
        role: role of the key; admin if none is required.
        session: set if the client sent a session cookie instead of a key.
    """

    key: str
    role: Role
    session: WebSession | None = None


class Access:
    """Authenticates and authorizes requests.

    The keys are read in threads of its own: a database that another process has locked delays the
    requests that need it, and no others.

    Args:
        keys: the keys in the data folder.
        limiter: rate limit of requests.
        required: require a key even if none was ever created.
        open_to_all: never require a key, even if some exist.
        sessions: the web sessions.
        on_refused: called with each refused key, role or CSRF token.
    """

    def __init__(
        self,
        keys: Keys,
        limiter: RateLimiter,
        *,
        required: bool = False,
        open_to_all: bool = False,
        sessions: WebSessions | None = None,
        on_refused: Callable[[Refusal], None] = lambda _: None,
    ) -> None:
        self.keys = keys
        self.sessions = sessions or WebSessions()
        self._on_refused = on_refused
        self._limiter = limiter
        self._wrong = RateLimiter(WRONG_PER_SECOND, WRONG_BURST)
        self._keyless = RateLimiter(_KEYLESS_PER_SECOND, _KEYLESS_BURST)
        self._required = required
        self._open_to_all = open_to_all
        self._threads = ThreadPoolExecutor(_THREADS, "mien-keys")
        self._waiting = 0

    def close(self) -> None:
        """End the threads that read the keys."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def requires_key(self) -> bool:
        """Return whether requests need a key."""
        if self._open_to_all or self._required:
            return not self._open_to_all
        # Revoking the last key must not open the server, so that this is never unset.
        self._required = await self._in_thread(self._ever_had_key)
        return self._required

    async def caller(self, request: Request) -> Caller | None:
        """Return the client; None if a key is required and none is sent.

        Raises:
            KeyNeeded: the key is unknown or revoked.
            TooManyRequests: too many wrong keys from this address.
            ServerBusy: too many requests wait for their keys to be read.
        """
        if not await self.requires_key():
            return Caller("", Role.ADMIN)
        given = request.headers.get("authorization", "")
        if given:
            scheme, _, text = given.partition(" ")
            if scheme.lower() != "bearer":
                raise _key_needed("the Authorization header must use the scheme Bearer")
            key = await self.authenticate(text.strip(), request)
            return Caller(key.id, key.role)
        session = self.sessions.find(session_cookie(request))
        if session is None:
            return None
        session_key = await self._in_thread(self.keys.valid_key, session.key)
        return Caller(session_key.id, session_key.role, session) if session_key else None

    async def authenticate(self, text: str, request: Request) -> Key:
        """Return the key of a key text.

        A valid key is accepted however many wrong ones were sent from its address: others may
        share the address.

        Raises:
            KeyNeeded: the key is unknown or revoked.
            TooManyRequests: too many wrong keys from this address.
            ServerBusy: too many requests wait for their keys to be read.
        """
        key = await self._in_thread(self.keys.check, text)
        if key is None:
            await self._note_wrong_key(text, request)
            address = network_of(address_of(request))
            self._wrong.take(address, "too many wrong keys")
            raise _key_needed("the key is unknown or revoked")
        return key

    async def authorize(self, request: Request, role: Role) -> Caller:
        """Return the client if its role is sufficient. Reads the headers, never the body.

        Raises:
            KeyNeeded: no valid key or session.
            NotAllowed: the role is too low, or the CSRF token is missing.
            TooManyRequests: the rate limit is exceeded.
            ServerBusy: too many requests wait for their keys to be read.
        """
        caller = await self.caller(request)
        if caller is None:
            self._keyless.take(network_of(address_of(request)), "too many requests without a key")
            raise _key_needed("a key is required")
        if caller.session and request.method not in SAFE_METHODS:
            try:
                check_csrf(caller.session, request)
            except NotAllowed:
                self._on_refused(_refusal("token refused", caller.key, request))
                raise
        if caller.role < role:
            self._on_refused(_refusal("role refused", caller.key, request))
            raise NotAllowed(
                f"this requires the role {role.word}; the key has the role {caller.role.word}",
                hint="Ask an administrator for another key.",
            )
        self._limiter.take(caller.key or network_of(address_of(request)))
        request.scope["mien.key"] = caller.key
        return caller

    async def _note_wrong_key(self, text: str, request: Request) -> None:
        """Record a key that is unknown or revoked; its id only where a key has it."""
        try:
            key_id = await self._in_thread(self.keys.known_id, text)
        except ServerBusy:
            key_id = ""
        self._on_refused(_refusal("key refused", key_id, request))

    def _ever_had_key(self) -> bool:
        return self.keys.ever_had_key

    async def _in_thread(self, call: Callable[..., T], *args: object) -> T:
        if self._waiting >= _MAX_WAITING:
            raise ServerBusy("too many requests wait for their keys", hint="Ask again in 1 s.")
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, call, *args)
        finally:
            self._waiting -= 1


def check_csrf(session: WebSession, request: Request) -> None:
    """Raise NotAllowed unless the request has the session's CSRF token."""
    if not is_csrf_token(session, request.headers.get(CSRF_HEADER, "")):
        raise NotAllowed(
            f"the header {CSRF_HEADER} is missing or does not match the session",
            hint="Load the page again.",
        )


def session_cookie(request: Request) -> str:
    """Return the session cookie of a request; empty if it has none."""
    return request.cookies.get(cookie_name(request.url.scheme), "")


def address_of(request: Request) -> str:
    """Return the IP address of the client."""
    return request.client.host if request.client else "-"


@dataclass(frozen=True, slots=True)
class RoleCheck:
    """A FastAPI dependency: the client, whose role must suffice.

    `GuardedRoute` authorizes the client before the body is read, by the roles of a route's checks;
    the check itself only returns the client.
    """

    role: Role

    async def __call__(self, request: Request) -> Caller:
        """Return the client that `GuardedRoute` has authorized."""
        caller: Caller = request.scope["mien.caller"]
        return caller


def require_role(role: Role) -> RoleCheck:
    """Return a FastAPI dependency that requires at least a role."""
    return RoleCheck(role)


async def anyone() -> None:
    """Mark a route, as a FastAPI dependency, that takes requests without a key."""


def _refusal(action: str, key: str, request: Request) -> Refusal:
    route = getattr(request.scope.get("route"), "path", "")
    detail = f"{request.method} {route}".rstrip()
    return Refusal(action, key, network_of(address_of(request)), detail)


def _key_needed(why: str) -> KeyNeeded:
    return KeyNeeded(
        why,
        hint="Send one as `Authorization: Bearer KEY`; the operator of this server creates keys.",
    )
