"""HTML that is escaped by construction: text becomes markup only through `tag`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape as _escape

import numpy as np
from numpy.typing import NDArray

from mien.photo import encode_jpeg
from mien.text import controls_replaced

_VOID = frozenset({"br", "img", "input", "meta"})


class Html(str):
    """Markup that is safe to write into a page; any other string is escaped on the way in."""

    __slots__ = ()


Child = str | Iterable[str]


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """Return an element.

    Args:
        name: of the element.
        children: text (escaped), `Html` (as it is), or an iterable of these.
        attributes: `_` in a name is written `-` and a trailing one dropped (`class_`); a value of
            None or False leaves the attribute out, True writes its name alone.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        parts.append(f" {written}" if value is True else f' {written}="{escaped(_text(value))}"')
    parts.append(">")
    if name in _VOID:
        return Html("".join(parts))
    return Html("".join(parts) + join(*children) + f"</{name}>")


def join(*children: Child) -> Html:
    """Return children one after the other, text escaped."""
    parts: list[str] = []
    for child in children:
        if isinstance(child, Html):
            parts.append(str(child))
        elif isinstance(child, str):
            parts.append(escaped(child))
        else:
            parts.append(str(join(*child)))
    return Html("".join(parts))


def picture(
    pixels: NDArray[np.uint8] | bytes | None, alternative: str, *, class_: str = "face"
) -> Html:
    """Return a picture that is part of the page.

    Args:
        pixels: (H, W, 3) uint8 RGB, the bytes of a JPEG, or None where the picture is lost.
        alternative: what it shows, for those who do not see it.
        class_: of the element.
    """
    if pixels is None:
        return tag("span", class_=f"{class_} lost", role="img", aria_label=alternative)
    data = pixels if isinstance(pixels, bytes) else encode_jpeg(pixels, quality=78)
    source = "data:image/jpeg;base64," + b64encode(data).decode("ascii")
    return tag("img", class_=class_, src=source, alt=alternative, loading="lazy", decoding="async")


def escaped(text: str) -> str:
    """Return text as markup, with U+FFFD for control characters, which HTML does not allow."""
    return _escape(controls_replaced(text))


def _text(value: str | float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def facts_table(title: str, facts: Iterable[tuple[str, Child]], *below: Child) -> Html:
    """Return a title, a table of names with their values, and what follows: for notebooks."""
    rows = (tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in facts)
    return tag("div", tag("strong", title), tag("table", tag("tbody", rows)), *below)
