"""Page of the labels that are likely wrong, with pictures to compare."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mien.dataset.audit.decision_command import decision_command
from mien.dataset.audit.page_parts import crop_image, page_head
from mien.dataset.audit.suspects import KINDS, Suspect
from mien.dataset.storage.dataset_folder import writing
from mien.dataset.storage.entries import Entry
from mien.dataset.storage.opened_dataset import Dataset
from mien.files import replace_file
from mien.html import escaped
from mien.text import count

MAX_SUSPECTS = 200
"""Maximum number shown; the page says how many are not shown."""


def write_evidence(path: Path, dataset: Dataset, suspects: Sequence[Suspect]) -> None:
    """Write the page as one file that needs no network.

    Raises:
        OutputError: it cannot be written.
    """
    with writing(path.parent):
        replace_file(path, _page(dataset, suspects).encode("utf-8", "replace"), private=True)


def _page(dataset: Dataset, suspects: Sequence[Suspect]) -> str:
    shown = "".join(
        _article(dataset, number, suspect)
        for number, suspect in enumerate(suspects[:MAX_SUSPECTS], 1)
    )
    more = len(suspects) - MAX_SUSPECTS
    rest = f'<p class="soft">{more:,} more, less likely, are not shown.</p>' if more > 0 else ""
    title = f"Check: {dataset.path.name}"
    return (
        f"{page_head(title)}"
        "<body><main><h1>Labels that are likely wrong</h1>"
        f'<p class="soft">{count(len(dataset.people), "person", "people")}, '
        f"{count(len(dataset.rows), 'face')} in "
        f"<code>{escaped(str(dataset.path))}</code>. The most likely first. They were "
        "found by comparing embeddings, so twins and look-alikes are among them: check the "
        f"pictures. Nothing was changed.</p>{shown or '<p>No label is suspect.</p>'}"
        f"{rest}</main></body></html>"
    )


def _article(dataset: Dataset, number: int, suspect: Suspect) -> str:
    groups = [_strip(dataset, "in question", suspect.entries)]
    for person in dict.fromkeys(entry.person for entry in suspect.compared):
        own = [entry for entry in suspect.compared if entry.person == person]
        groups.append(_strip(dataset, person, own))
    title = " / ".join(suspect.people)
    command = _command(dataset.path, suspect)
    return (
        f'<article><div></div><div><div class="title" dir="auto">{number}. {escaped(title)}</div>'
        f'<p class="evidence" dir="auto">{KINDS[suspect.kind]}: {escaped(suspect.evidence)}</p>'
        f'<div class="sides">{"".join(groups)}</div>'
        f'<div class="acts"><code>{escaped(command)}</code></div></div></article>'
    )


def _command(folder: Path, suspect: Suspect) -> str:
    if suspect.kind == "two-names":
        return decision_command(folder, "same", *suspect.people)
    return decision_command(folder, "drop", suspect.entries[0].id)


def _strip(dataset: Dataset, label: str, entries: Sequence[Entry]) -> str:
    images = "".join(crop_image(dataset, entry, 90) for entry in entries)
    return (
        f'<div><div class="soft" dir="auto">{escaped(label)}</div>'
        f'<div class="strip">{images}</div></div>'
    )
