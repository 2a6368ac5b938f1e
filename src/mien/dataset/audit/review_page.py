"""Page of the doubtful entries: each with photos to compare, and the commands that decide."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from mien.dataset.audit.decision_command import decision_command
from mien.dataset.audit.page_parts import crop_image, page_file, page_head
from mien.dataset.storage.dataset_card import REASONS
from mien.dataset.storage.dataset_folder import writing
from mien.dataset.storage.entries import Entry
from mien.dataset.storage.opened_dataset import Dataset
from mien.files import replace_file
from mien.html import escaped
from mien.text import count

PAGE = "review.html"

MAX_ENTRIES = 150
"""Maximum number of entries shown per reason; the page says how many are not shown."""

_ORDER = (
    "mislabelled",
    "near-duplicate",
    "low-quality",
    "duplicate",
    "dropped",
    "no-face",
    "unreadable",
)
_TITLES = {
    "mislabelled": "Likely another person",
    "near-duplicate": "Near-duplicates",
    "low-quality": "Poor pictures",
    "duplicate": "Exact copies",
    "dropped": "Dropped by you",
    "no-face": "No face found",
    "unreadable": "Could not be read",
    "same": "Likely one person under two names",
}
_STRIP = 5


def write_review(dataset: Dataset) -> Path:
    """Write `review.html` into the dataset's folder and return its path.

    The page needs no other file and no network.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = dataset.path / PAGE
    with writing(dataset.path):
        replace_file(path, _Page(dataset).html().encode("utf-8", "replace"), private=True)
    return path


class _Page:
    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._by_id = {entry.id: entry for entry in dataset.entries}
        self._used: dict[str, list[Entry]] = {}
        for entry in dataset.entries:
            if entry.used and entry.crop and not entry.leak:
                self._used.setdefault(entry.person, []).append(entry)
        self._folder = shlex.quote(str(dataset.path))

    def html(self) -> str:
        aside = {
            reason: [e for e in self._dataset.entries if not e.used and e.reason == reason]
            for reason in _ORDER
        }
        pairs = self._dataset.card["same_person"]
        counts = {"same": len(pairs), **{reason: len(own) for reason, own in aside.items()}}
        links = "".join(
            f'<a href="#{key}">{_TITLES[key]} <b>{count:,}</b></a>'
            for key, count in counts.items()
            if count
        )
        sections = [self._section("same", len(pairs), map(self._pair, pairs[:MAX_ENTRIES]))]
        for reason, own in aside.items():
            shown = (
                sorted(own, key=lambda e: e.quality)[:MAX_ENTRIES]
                if reason == "low-quality"
                else own[:MAX_ENTRIES]
            )
            sections.append(self._section(reason, len(own), map(self._entry, shown)))
        title = f"Review: {self._dataset.path.name}"
        nothing = "" if links else "<p>Nothing is doubtful.</p>"
        return (
            f"{page_head(title, scripts=True)}"
            f'<body data-folder="{escaped(self._folder)}"><main><h1>What looks doubtful</h1>'
            f'<p class="soft">{count(len(self._dataset.people), "person", "people")}, '
            f"{count(len(self._dataset.entries), 'photo')} in "
            f"<code>{escaped(str(self._dataset.path))}</code>. Nothing was deleted: these are set "
            "aside and not used for training. Press <b>keep</b> to use one or <b>drop</b> to leave "
            "it out permanently, then run the commands at the bottom of the page.</p>"
            f"<nav>{links}</nav>{nothing}{''.join(sections)}</main>"
            '<footer><div><pre></pre><button id="copy-all">Copy</button></div></footer>'
            f"<script>{page_file('review.js')}</script></body></html>"
        )

    def _section(self, key: str, count: int, articles: Iterable[str]) -> str:
        if not count:
            return ""
        explanation = (
            "They are not merged. <code>same</code> makes them one person; after "
            "<code>different</code> they are no longer listed."
            if key == "same"
            else f"Set aside: {REASONS[key]}."
        )
        more = (
            f'<p class="soft">{count - MAX_ENTRIES:,} more are in manifest.csv.</p>'
            if count > MAX_ENTRIES
            else ""
        )
        return (
            f'<section id="{key}"><h2>{_TITLES[key]}</h2><p class="soft">{explanation}</p>'
            f"{''.join(articles)}{more}</section>"
        )

    def _entry(self, entry: Entry) -> str:
        other = self._by_id.get(self._dataset.card["compared_with"].get(entry.id, ""))
        sides = [self._strip(entry.person, self._others(entry.person, entry), "used photos of")]
        if other and other.person != entry.person:
            sides.append(self._strip(other.person, self._others(other.person, entry), "photos of"))
        elif other:
            sides = [self._strip(entry.person, [other], "the one that is used, of")]
        buttons = self._buttons(entry) if entry.face >= 0 else ""
        image = crop_image(self._dataset, entry, 132)
        return (
            f'<article data-id="{escaped(entry.id)}"><figure>{image}</figure><div>'
            f'<div class="title" dir="auto">{escaped(entry.person)}</div>'
            f'<p class="evidence" dir="auto">{escaped(entry.evidence)}</p>'
            f'<p class="path">{escaped(entry.source)}: {escaped(entry.photo)}</p>'
            f'<div class="sides">{"".join(sides)}</div>{buttons}</div></article>'
        )

    def _buttons(self, entry: Entry) -> str:
        keep = decision_command(self._dataset.path, "keep", entry.id)
        return (
            '<div class="acts">'
            '<button class="keep" data-verb="keep" aria-pressed="false">keep</button>'
            '<button class="drop" data-verb="drop" aria-pressed="false">drop</button>'
            f'<code>{escaped(keep)}</code><button data-copy="{escaped(keep)}">Copy</button></div>'
        )

    def _pair(self, pair: dict[str, object]) -> str:
        names, ids = _strings(pair["people"]), _strings(pair["entries"])
        strips = []
        for name, best in zip(names, ids, strict=True):
            first = [self._by_id[best]] if best in self._by_id else []
            rest = [e for e in self._used.get(name, []) if e.id != best]
            strips.append(self._strip(name, first + rest, ""))
        commands = [
            decision_command(self._dataset.path, verb, *names) for verb in ("same", "different")
        ]
        buttons = "".join(
            f'<code>{escaped(line)}</code><button data-copy="{escaped(line)}">Copy</button>'
            for line in commands
        )
        return (
            "<article><div></div><div>"
            f'<div class="title" dir="auto">{escaped(" / ".join(names))}</div>'
            f'<p class="evidence" dir="auto">{escaped(str(pair["evidence"]))}</p>'
            f'<div class="sides">{"".join(strips)}</div><div class="acts">{buttons}</div>'
            "</div></article>"
        )

    def _others(self, person: str, entry: Entry) -> list[Entry]:
        return [e for e in self._used.get(person, []) if e.id != entry.id]

    def _strip(self, person: str, entries: Sequence[Entry], what: str) -> str:
        if not entries:
            return ""
        images = "".join(crop_image(self._dataset, e, 68) for e in entries[:_STRIP])
        label = escaped(f"{what} {person}".strip())
        head = f'<div class="soft" dir="auto">{label}</div>'
        return f'<div>{head}<div class="strip">{images}</div></div>'


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list | tuple) else []
