"""Contact sheet of a dataset: a row per person, or a mosaic of many people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from mien.dataset.storage.entries import Entry
from mien.photo import encode_jpeg
from mien.text import count
from mien.types import Progress, silent

FEW_PEOPLE = 60
"""Up to this many people are shown in rows, with names and photos."""

MAX_TILES = 6400
"""Maximum number of people in the mosaic; of more, every n-th is shown."""

_PHOTOS = 12
_TILE, _GAP, _NAMES = 96, 6, 220
_SIDE = 3840
_BACKGROUND, _TEXT, _MUTED, _WARNING = (250, 248, 244), (40, 40, 46), (150, 146, 140), (196, 60, 48)


def contact_sheet(folder: Path, entries: Sequence[Entry], *, progress: Progress = silent) -> bytes:
    """Return the contact sheet as JPEG, at most about 3840 pixels wide.

    Photos that were set aside are faded and have a red bar.

    Args:
        folder: the dataset's folder, which holds the crops.
        entries: with the paths of their crops.
        progress: called after each row or tile.
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
    sheet = Image.new("RGB", size, _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    name_font, small_font = ImageFont.load_default(18), ImageFont.load_default(13)
    for line, (person, own) in enumerate(people.items()):
        top = _GAP + line * step
        draw.text((2 * _GAP, top + 26), _fit(person, draw, name_font), _TEXT, name_font)
        draw.text((2 * _GAP, top + 52), _photo_count(own), _MUTED, small_font)
        for i, entry in enumerate(own[:_PHOTOS]):
            _paste(sheet, folder, entry, (_NAMES + i * step, top), _TILE)
        if len(own) > _PHOTOS:
            draw.text((_NAMES + most * step, top + 40), f"+{len(own) - _PHOTOS}", _MUTED, name_font)
        progress(line + 1, len(people), "contact sheet")
    return sheet


def _mosaic(folder: Path, best: Sequence[Entry], progress: Progress) -> Image.Image:
    shown = best[:: -(-len(best) // MAX_TILES)]
    columns = next(c for c in range(10, 200) if c * c * 0.62 >= len(shown))
    tile = min(_TILE, _SIDE // columns)
    lines = -(-len(shown) // columns)
    sheet = Image.new("RGB", (columns * tile, lines * tile), _BACKGROUND)
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
        face = Image.blend(face, Image.new("RGB", face.size, _BACKGROUND), 0.6)
        ImageDraw.Draw(face).rectangle((0, side - 5, side, side), fill=_WARNING)
    sheet.paste(face, place)


def _photo_count(own: Sequence[Entry]) -> str:
    aside = sum(not e.used for e in own)
    return count(len(own), "photo") + (f", {aside} set aside" if aside else "")


def _fit(
    name: str, draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> str:
    """Shorten a name to the width of the column."""
    if draw.textlength(name, font) <= _NAMES - 4 * _GAP:
        return name
    while name and draw.textlength(name + "…", font) > _NAMES - 4 * _GAP:
        name = name[:-1]
    return name + "…"
