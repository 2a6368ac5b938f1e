"""Authentication and authorization of requests, by API key or session cookie."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from mien.errors import KeyNeeded, NotAllowed, TooManyRequests
from mien.server.auth.keys import Key, Keys, Role
from mien.server.auth.web_sessions import (
    COOKIE,
    CSRF_HEADER,
    WebSession,
    WebSessions,
    is_csrf_token,
)
from mien.server.http.limits import RateLimiter

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_FAILURES_PER_SECOND, _FAILURE_BURST = 0.2, 10
"""Failed authentications allowed per address."""


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

    Args:
        keys: the keys in the data folder.
        required: require a key even if none exists.
        open_to_all: never require a key, even if some exist.
        limiter: rate limit of requests.
    """

    def __init__(
        self, keys: Keys, limiter: RateLimiter, *, required: bool = False, open_to_all: bool = False
    ) -> None:
        self.keys = keys
        self.sessions = WebSessions()
        self._limiter = limiter
        self._failures = RateLimiter(_FAILURES_PER_SECOND, _FAILURE_BURST)
        self._required = required
        self._open_to_all = open_to_all

    @property
    def requires_key(self) -> bool:
        """Whether requests need a key."""
        return not self._open_to_all and (self._required or self.keys.has_valid_key)

    def caller(self, request: Request) -> Caller | None:
        """Return the client; None if a key is required and none is sent.

        Raises:
            KeyNeeded: the key is unknown or revoked.
            TooManyRequests: too many wrong keys from this address.
        """
        if not self.requires_key:
            return Caller("", Role.ADMIN)
        given = request.headers.get("authorization", "")
        if given:
            scheme, _, text = given.partition(" ")
            if scheme.lower() != "bearer":
                raise _key_needed("the Authorization header must use the scheme Bearer")
            key = self.authenticate(text.strip(), address_of(request))
            return Caller(key.id, key.role)
        session = self.sessions.find(request.cookies.get(COOKIE, ""))
        if session is None:
            return None
        session_key = self.keys.valid_key(session.key)
        return Caller(session_key.id, session_key.role, session) if session_key else None

    def authenticate(self, text: str, address: str) -> Key:
        """Return the key of a key text.

        Raises:
            KeyNeeded: the key is unknown or revoked.
            TooManyRequests: too many wrong keys from this address.
        """
        if self._failures.empty(address):
            raise TooManyRequests("too many wrong keys", hint="Ask again in 60 s.")
        key = self.keys.check(text)
        if key is None:
            self._failures.take(address)
            raise _key_needed("the key is unknown or revoked")
        return key

    def authorize(self, request: Request, role: Role) -> Caller:
        """Return the client if its role is sufficient.

        Raises:
            KeyNeeded: no valid key or session.
            NotAllowed: the role is too low, or the CSRF token is missing.
            TooManyRequests: the rate limit is exceeded.
        """
        caller = self.caller(request)
        if caller is None:
            raise _key_needed("a key is required")
        if caller.session and request.method not in SAFE_METHODS:
            check_csrf(caller.session, request)
        if caller.role < role:
            raise NotAllowed(
                f"this requires the role {role.word}; the key has the role {caller.role.word}",
                hint="Ask an administrator for another key.",
            )
        self._limiter.take(caller.key or address_of(request))
        request.scope["mien.key"] = caller.key
        return caller


def check_csrf(session: WebSession, request: Request) -> None:
    """Raise NotAllowed unless the request has the session's CSRF token."""
    if not is_csrf_token(session, request.headers.get(CSRF_HEADER, "")):
        raise NotAllowed(
            f"the header {CSRF_HEADER} is missing or does not match the session",
            hint="Load the page again.",
        )


def address_of(request: Request) -> str:
    """Return the IP address of the client."""
    return request.client.host if request.client else "-"


def require_role(role: Role) -> Callable[[Request], Coroutine[Any, Any, Caller]]:
    """Return a FastAPI dependency that requires at least a role."""

    async def check(request: Request) -> Caller:
        access: Access = request.app.state.server.access
        return access.authorize(request, role)

    return check


def _key_needed(why: str) -> KeyNeeded:
    return KeyNeeded(
        why,
        hint="Send one as `Authorization: Bearer KEY`; the operator of this server creates keys.",
    )
