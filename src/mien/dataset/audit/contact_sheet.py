"""One picture of the whole dataset: a row a person, or a mosaic where people are many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.dataset.storage.manifest import Entry
from mien.photo import encode_jpeg
from mien.text import count
from mien.types import Progress, silent

FEW_PEOPLE = 60
"""Up to this many people each get a row with their name and photos."""

MOST_TILES = 6400
"""More people than this are represented by every so-manieth."""

_PHOTOS = 12
_TILE, _GAP, _NAMES = 96, 6, 220
_SIDE = 3840
_PAPER, _INK, _FAINT, _ALARM = (250, 248, 244), (40, 40, 46), (150, 146, 140), (196, 60, 48)


def contact_sheet(folder: Path, entries: Sequence[Entry], *, progress: Progress = silent) -> bytes:
    """Return the contact sheet as JPEG, at most about 3840 pixels wide.

    Photos that were set aside are faded and have a red bar.

    Args:
        folder: of the dataset, with its crops written.
        entries: with their crops named.
        progress: told a tile at a time.
    """
    people: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.crop and not entry.leak:
            people.setdefault(entry.person, []).append(entry)
    for own in people.values():
        own.sort(key=lambda e: (not e.used, -e.quality))
    if len(people) <= FEW_PEOPLE:
        return _pixels(_rows(folder, people, progress))
    return _pixels(_mosaic(folder, [own[0] for own in people.values()], progress))


def _pixels(sheet: Image.Image) -> bytes:
    return encode_jpeg(np.asarray(sheet), quality=88)


def _rows(folder: Path, people: dict[str, list[Entry]], progress: Progress) -> Image.Image:
    most = min(_PHOTOS, max(len(own) for own in people.values()))
    step = _TILE + _GAP
    size = (_NAMES + most * step + 3 * _GAP + 60, len(people) * step + 2 * _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    name_font, small_font = ImageFont.load_default(18), ImageFont.load_default(13)
    for line, (person, own) in enumerate(people.items()):
        top = _GAP + line * step
        draw.text((2 * _GAP, top + 26), _fit(person, draw, name_font), _INK, name_font)
        draw.text((2 * _GAP, top + 52), _photos(own), _FAINT, small_font)
        for i, entry in enumerate(own[:_PHOTOS]):
            _paste(sheet, folder, entry, (_NAMES + i * step, top), _TILE)
        if len(own) > _PHOTOS:
            draw.text((_NAMES + most * step, top + 40), f"+{len(own) - _PHOTOS}", _FAINT, name_font)
        progress(line + 1, len(people), "contact sheet")
    return sheet


def _mosaic(folder: Path, best: Sequence[Entry], progress: Progress) -> Image.Image:
    shown = best[:: -(-len(best) // MOST_TILES)]
    columns = next(c for c in range(10, 200) if c * c * 0.62 >= len(shown))
    tile = min(_TILE, _SIDE // columns)
    lines = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * tile, lines * tile), _PAPER)
    for i, entry in enumerate(shown):
        place = (i % columns * tile, i // columns * tile)
        _paste(sheet, folder, entry, place, tile - 1)
        progress(i + 1, len(shown), "contact sheet")
    return sheet


def _paste(
    sheet: Image.Image, folder: Path, entry: Entry, place: tuple[int, int], side: int
) -> None:
    try:
        with Image.open(folder / entry.crop) as crop:
            face = crop.convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    except OSError:
        return
    if not entry.used:
        face = Image.blend(face, Image.new("RGB", face.size, _PAPER), 0.6)
        ImageDraw.Draw(face).rectangle((0, side - 5, side, side), fill=_ALARM)
    sheet.paste(face, place)


def _photos(own: Sequence[Entry]) -> str:
    aside = sum(not e.used for e in own)
    return count(len(own), "photo") + (f", {aside} set aside" if aside else "")


def _fit(
    name: str, draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> str:
    """Shorten a name to the column."""
    if draw.textlength(name, font) <= _NAMES - 4 * _GAP:
        return name
    while name and draw.textlength(name + "…", font) > _NAMES - 4 * _GAP:
        name = name[:-1]
    return name + "…"
