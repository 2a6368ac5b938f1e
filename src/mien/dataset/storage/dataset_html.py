"""HTML view of a dataset for notebooks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mien.html import Html, facts_table, picture, tag
from mien.text import count

if TYPE_CHECKING:
    from mien.dataset.storage.entries import Entry
    from mien.dataset.storage.opened_dataset import Dataset

MAX_PEOPLE, MAX_PICTURES = 10, 3
"""Maximum number of people listed, and of pictures per person."""

_SIDE = 48


def dataset_html(dataset: Dataset) -> Html:
    """Return the facts of a dataset, and a table of its people with photo counts and pictures.

    The people with the most photos are listed first. Pictures are data URLs of 48 x 48 pixels.
    """
    photos: dict[str, list[Entry]] = {}
    for entry in dataset.entries:
        if not entry.leak:
            photos.setdefault(entry.person, []).append(entry)
    listed = sorted(photos, key=lambda person: (-len(photos[person]), person))[:MAX_PEOPLE]
    columns = ("person", "photos", "used", "training", "validation", "pictures")
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in columns]))
    rows = [_row(dataset, person, photos[person]) for person in listed]
    more = len(photos) - len(listed)
    everyone = [entry for own in photos.values() for entry in own]
    return facts_table(
        f"Dataset of {count(len(dataset.people), 'person', 'people')}",
        (
            ("folder", str(dataset.path)),
            ("photos", f"{len(everyone):,}"),
            ("used", f"{sum(entry.used for entry in everyone):,}"),
            ("set aside", _reasons(everyone)),
            ("digest", dataset.digest[:16]),
        ),
        tag("table", head, tag("tbody", rows)),
        tag("p", f"{count(more, 'more person', 'more people')} not listed") if more else "",
    )


def _row(dataset: Dataset, person: str, photos: list[Entry]) -> Html:
    used = [entry for entry in photos if entry.used]
    sides = Counter(entry.split for entry in used)
    numbers = (len(photos), len(used), sides["train"], sides["validation"])
    best = sorted(used, key=lambda entry: -entry.quality)[:MAX_PICTURES]
    return tag(
        "tr",
        tag("th", person, scope="row"),
        [tag("td", f"{number:,}") for number in numbers],
        tag("td", [_picture(dataset, entry) for entry in best]),
    )


def _picture(dataset: Dataset, entry: Entry) -> Html:
    pixels = dataset.crop(entry)
    if pixels is None:
        return Html()
    small = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return picture(np.asarray(small), f"{entry.person}: {entry.photo}")


def _reasons(entries: list[Entry]) -> str:
    reasons = Counter(str(entry.reason) for entry in entries if not entry.used)
    return ", ".join(f"{reason} {number:,}" for reason, number in reasons.most_common()) or "none"
