"""What a public call takes or returns is public too, and every public name is documented."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing

import pytest

import mien
import mien.errors
from mien.graph.storage_form import Form

INTERNAL = {
    "GalleryStore",  # what `Gallery.exclusively` yields, for export and integrity checks
    "Session",  # of the private fields of an engine
}


def mentioned(hint: object) -> set[type]:
    """Return the classes of Mien in a type hint."""
    found = {hint} if isinstance(hint, type) and hint.__module__.startswith("mien.") else set()
    for part in typing.get_args(hint):
        found |= mentioned(part)
    return found


def public_callables(value: object):
    """Yield a function, or the public methods and properties of a class."""
    if not inspect.isclass(value):
        yield value
        return
    yield value.__init__
    for name, member in inspect.getmembers_static(value):
        if not name.startswith("_"):
            function = getattr(member, "__func__", member)
            function = member.fget if isinstance(member, property) else function
            function = getattr(member, "func", function)  # a cached property
            if isinstance(function, types.FunctionType):
                yield function


@pytest.mark.parametrize("name", sorted(set(mien.__all__) - {"__version__"}))
def test_what_a_public_name_takes_and_returns_is_public(name):
    value = getattr(mien, name)
    found: set[type] = set()
    for function in public_callables(value):
        for hint in hints_of(function).values():
            found |= mentioned(hint)
    if dataclasses.is_dataclass(value):
        for hint in hints_of(value).values():
            found |= mentioned(hint)
    public = {getattr(mien, each) for each in mien.__all__}
    hidden = {kind.__name__ for kind in found - public} - INTERNAL
    hidden -= {name for name in hidden if hasattr(mien.errors, name)}
    assert hidden == set()


def hints_of(value: object) -> dict[str, object]:
    return typing.get_type_hints(value, localns=_type_checking_names())


def _type_checking_names() -> dict[str, object]:
    return {"Form": Form, **{name: getattr(mien, name) for name in mien.__all__}}
