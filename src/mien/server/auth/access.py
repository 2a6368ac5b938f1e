"""Who asks, and whether they may."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from mien.errors import KeyNeeded, NotAllowed, TooManyRequests
from mien.server.auth.keys import Key, Keys, Role
from mien.server.auth.web_sessions import COOKIE, CSRF_HEADER, WebSession, WebSessions, carries
from mien.server.http.limits import RateLimiter

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_WRONG_A_SECOND, _WRONG_AT_ONCE = 0.2, 10
"""How often one address may give keys that do not hold."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        key: id of the key; empty where none is asked for.
        role: what they may do.
        session: where a cookie was given in place of the key.
    """

    key: str
    role: Role
    session: WebSession | None = None


class Access:
    """Says who asks.

    Args:
        keys: of the data folder.
        required: ask for a key even where there is none.
        open_to_all: ask nobody for a key, whatever there is.
        limiter: of requests.
    """

    def __init__(
        self, keys: Keys, limiter: RateLimiter, *, required: bool = False, open_to_all: bool = False
    ) -> None:
        self.keys = keys
        self.sessions = WebSessions()
        self._limiter = limiter
        self._wrong = RateLimiter(_WRONG_A_SECOND, _WRONG_AT_ONCE)
        self._required = required
        self._open_to_all = open_to_all

    @property
    def asks(self) -> bool:
        """Whether a key is asked for."""
        return not self._open_to_all and (self._required or self.keys.any_holds)

    def caller(self, request: Request) -> Caller | None:
        """Return who asks; None where a key is needed and none is given.

        Raises:
            KeyNeeded: the key given does not hold.
            TooManyRequests: this address has given too many of those.
        """
        if not self.asks:
            return Caller("", Role.ADMIN)
        given = request.headers.get("authorization", "")
        if given:
            scheme, _, text = given.partition(" ")
            if scheme.lower() != "bearer":
                raise _needed("only Bearer keys are known")
            key = self.by_key(text.strip(), address_of(request))
            return Caller(key.id, key.role)
        session = self.sessions.find(request.cookies.get(COOKIE, ""))
        key_there = session and self.keys.holding(session.key)
        return Caller(key_there.id, key_there.role, session) if key_there else None

    def by_key(self, text: str, address: str) -> Key:
        """Return the key that a text is.

        Raises:
            KeyNeeded: none.
            TooManyRequests: this address has tried too often.
        """
        if self._wrong.empty(address):
            raise TooManyRequests("too many keys that do not hold", hint="Ask again in 60 s.")
        key = self.keys.check(text)
        if key is None:
            self._wrong.take(address)
            raise _needed("the key does not hold")
        return key

    def admit(self, request: Request, role: Role) -> Caller:
        """Return who asks, where they may.

        Raises:
            KeyNeeded: nobody is signed in.
            NotAllowed: not with this role, or the request may be forged.
            TooManyRequests: too fast.
        """
        caller = self.caller(request)
        if caller is None:
            raise _needed("a key is needed")
        if caller.session and request.method not in SAFE_METHODS:
            check_token(caller.session, request)
        if caller.role < role:
            raise NotAllowed(
                f"this takes the role {role.word}, the key has {caller.role.word}",
                hint="Ask an administrator for another key.",
            )
        self._limiter.take(caller.key or address_of(request))
        request.scope["mien.key"] = caller.key
        return caller


def check_token(session: WebSession, request: Request) -> None:
    """Raise NotAllowed unless the request carries the session's token."""
    if not carries(session, request.headers.get(CSRF_HEADER, "")):
        raise NotAllowed(
            f"the header {CSRF_HEADER} is missing or not this session's",
            hint="Load the page again.",
        )


def address_of(request: Request) -> str:
    """Return the address a request comes from."""
    return request.client.host if request.client else "-"


def need(role: Role) -> Callable[[Request], Coroutine[Any, Any, Caller]]:
    """Return a dependency that lets only those with a role through."""

    async def check(request: Request) -> Caller:
        access: Access = request.app.state.service.access
        return access.admit(request, role)

    return check


def _needed(why: str) -> KeyNeeded:
    return KeyNeeded(
        why, hint="Send one as `Authorization: Bearer KEY`; whoever runs this server makes them."
    )
