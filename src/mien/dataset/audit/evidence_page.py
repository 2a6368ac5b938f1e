"""A page of what is likely wrong with a dataset's labels, with the pictures to judge it by."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from mien.dataset.audit.review_page import crop_image
from mien.dataset.audit.suspects import KINDS, Suspect
from mien.dataset.storage.dataset_folder import writing
from mien.dataset.storage.manifest import Dataset, Entry
from mien.files import replace_file
from mien.text import count

MOST = 200
"""At most this many are shown; the page says how many are not."""


def write_evidence(path: Path, dataset: Dataset, suspects: Sequence[Suspect]) -> None:
    """Write the page; it needs no other file and no network.

    Raises:
        OutputError: it cannot be written there.
    """
    with writing(path.parent):
        replace_file(path, _page(dataset, suspects).encode("utf-8", "replace"))


def _page(dataset: Dataset, suspects: Sequence[Suspect]) -> str:
    style = files("mien.dataset.audit").joinpath("page").joinpath("review.css").read_text("utf-8")
    folder = shlex.quote(str(dataset.path))
    shown = "".join(
        _article(dataset, folder, number, suspect)
        for number, suspect in enumerate(suspects[:MOST], 1)
    )
    more = len(suspects) - MOST
    rest = f'<p class="soft">{more:,} more, less likely: see --json.</p>' if more > 0 else ""
    name = escape(dataset.path.name)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">"
        f"<title>Check: {name}</title><style>{style}</style></head>"
        "<body><main><h1>What is likely wrong</h1>"
        f'<p class="soft">{count(len(dataset.people), "person", "people")}, '
        f"{count(len(dataset.rows), 'face')} in "
        f"<code>{escape(str(dataset.path))}</code>. The most likely first. An embedder found "
        "them: twins and look-alikes are among them, and only you can tell. Nothing was "
        f"changed.</p>{shown or '<p>Nothing is suspect.</p>'}{rest}</main></body></html>"
    )


def _article(dataset: Dataset, folder: str, number: int, suspect: Suspect) -> str:
    groups = [_strip(dataset, "in question", suspect.entries)]
    for person in dict.fromkeys(entry.person for entry in suspect.compared):
        own = [entry for entry in suspect.compared if entry.person == person]
        groups.append(_strip(dataset, person, own))
    title = " / ".join(suspect.people)
    command = _command(folder, suspect)
    return (
        f'<article><div></div><div><div class="title" dir="auto">{number}. {escape(title)}</div>'
        f'<p class="evidence" dir="auto">{KINDS[suspect.kind]}: {escape(suspect.evidence)}</p>'
        f'<div class="sides">{"".join(groups)}</div>'
        f'<div class="acts"><code>{escape(command)}</code></div></div></article>'
    )


def _command(folder: str, suspect: Suspect) -> str:
    if suspect.kind == "two-names":
        return f"mien dataset same {folder} {' '.join(map(shlex.quote, suspect.people))}"
    return f"mien dataset drop {folder} {suspect.entries[0].id}"


def _strip(dataset: Dataset, label: str, entries: Sequence[Entry]) -> str:
    images = "".join(crop_image(dataset, entry, 90) for entry in entries)
    return (
        f'<div><div class="soft" dir="auto">{escape(label)}</div>'
        f'<div class="strip">{images}</div></div>'
    )
