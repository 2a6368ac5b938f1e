"""Parts that the review page and the evidence page share."""

from __future__ import annotations

from importlib.resources import files

from mien.dataset.storage.entries import Entry
from mien.dataset.storage.opened_dataset import Dataset
from mien.html import escaped, tag
from mien.photo import data_url, encode_jpeg


def page_file(name: str) -> str:
    """Return the text of a file in `page/`."""
    return files("mien.dataset.audit").joinpath("page").joinpath(name).read_text("utf-8")


def page_head(title: str, *, scripts: bool = False) -> str:
    """Return the document up to and including its head; nothing is loaded from the network.

    Args:
        title: plain text.
        scripts: allow scripts inside the page.
    """
    script_policy = "; script-src 'unsafe-inline'" if scripts else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        f"img-src data:; style-src 'unsafe-inline'{script_policy}\">"
        f"<title>{escaped(title)}</title><style>{page_file('review.css')}</style></head>"
    )


def crop_image(dataset: Dataset, entry: Entry, side: int) -> str:
    """Return an entry's crop as an `img` element of `side` pixels; empty where it is missing."""
    pixels = dataset.crop(entry)
    if pixels is None:
        return ""
    caption, source = f"{entry.person}: {entry.photo}", data_url(encode_jpeg(pixels, quality=82))
    size = {"width": side, "height": side}
    return tag("img", **size, loading="lazy", alt=caption, title=caption, src=source)
