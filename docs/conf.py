"""Sphinx's settings, and the API reference: made of `mien.__all__` and the docstrings.

`make docs` builds the site. Every warning is an error: a broken link, a public name without a
docstring, a name on `api.md` that is not public.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import numpy.typing as npt
from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

import mien

project = "Mien"
html_show_copyright = False
release = mien.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 4
default_role = "py:obj"  # `name` in a docstring is a link where it is a public name
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_attr_annotations = False
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "Mien"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False

Scalar = TypeVar("Scalar")


class NDArray(Generic[Scalar]):
    """Keeps signatures short: NumPy's own alias is printed as all that it stands for."""


npt.NDArray = NDArray  # type: ignore[misc,assignment]

_log = logging.getLogger(__name__)
_TOPIC = re.compile(r"^```\{public\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def undocumented() -> Iterator[str]:
    """Yield each public name, method, property and dataclass field that no docstring describes."""
    for name in mien.__all__:
        value = getattr(mien, name)
        is_one = inspect.isclass(value) or inspect.isroutine(value)
        # A dataclass without a docstring gets its signature for one.
        if is_one and (not value.__doc__ or value.__doc__.startswith(f"{value.__name__}(")):
            yield f"mien.{name}"
        if inspect.isclass(value):
            yield from (f"mien.{name}.{member}" for member in _undocumented_members(value))


def _undocumented_members(owner: type) -> Iterator[str]:
    own = [kind for kind in owner.__mro__ if kind.__module__.partition(".")[0] == "mien"]
    text = "\n".join(kind.__doc__ or "" for kind in own)
    for kind in own:
        for member, value in vars(kind).items():
            function = getattr(value, "__func__", value)
            is_one = isinstance(function, property) or inspect.isfunction(function)
            if is_one and not member.startswith("_") and not inspect.getdoc(function):
                yield member
        for field in getattr(kind, "__dataclass_fields__", {}):
            described = re.search(rf"^\s+{field}\b.*:", text, re.MULTILINE)
            if not described and not field.startswith("_"):
                yield field


def _write_reference(_: Sphinx, page: str, source: list[str]) -> None:
    """Put the reference in the place of each topic's names on `api.md`.

    `errors` stands for every public error, `...` for every name that no topic lists.
    """
    if page != "api":
        return
    listed = [name for topic in _TOPIC.findall(source[0]) for name in topic.split()]
    errors = [name for name in mien.__all__ if _kind(name) == "exception"]
    rest = [name for name in mien.__all__ if name not in {*listed, *errors}]
    known = {*mien.__all__, "errors", "..."}
    for name in dict.fromkeys(name for name in listed if name not in known):
        _log.warning("api.md lists %s, which is not in mien.__all__", name, location=page)
    for name in dict.fromkeys(name for name in listed if listed.count(name) > 1):
        _log.warning("api.md lists %s twice", name, location=page)
    for name in undocumented():
        _log.warning("%s has no docstring", name, location=page)

    def reference(topic: re.Match[str]) -> str:
        names = [
            name
            for word in topic[1].split()
            for name in {"errors": errors, "...": rest}.get(word, [word])
        ]
        directives = [f".. auto{_kind(name)}:: mien.{name}" for name in names]
        return "\n".join(["```{eval-rst}", *directives, "```"])

    source[0] = _TOPIC.sub(reference, source[0])


def _kind(name: str) -> str:
    value: Any = getattr(mien, name, None)
    if inspect.isclass(value):
        return "exception" if issubclass(value, BaseException) else "class"
    return "function" if inspect.isroutine(value) else "data"


def _link_by_last_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Resolve `mien.types.Photo`, where a value is defined, to `mien.Photo`, where it is public."""
    name = node.get("reftarget", "").rpartition(".")[2]
    if node.get("refdomain") != "py" or name not in mien.__all__:
        return None
    python = env.get_domain("py")
    return python.resolve_xref(
        env, node["refdoc"], app.builder, "obj", f"mien.{name}", node, content
    )


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _write_reference)
    app.connect("missing-reference", _link_by_last_name)
