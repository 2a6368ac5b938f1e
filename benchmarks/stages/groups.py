"""The smallest faces that each detector finds, on sheets of LFW photos.

No photos of groups with all faces annotated were available. A sheet of 1280 x 960 pixels is tiled
with photos of LFW, reduced so that the central face of each has a given width. A face is found if a
box is near the middle of its photo and about as wide as the face. Other boxes are ignored, since
LFW's photos show bystanders.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from measuring_photos import lfw_photos
from mien.measures import wilson
from peers.catalogue import Peer
from peers.process import PeerProcess

FACE_IN_LFW = 90
"""Approximate width of a face from ear to ear, in pixels of LFW's photos of 250 pixels."""

WIDTHS = {90: 40, 45: 10, 30: 5, 22: 3, 15: 2}
"""Width of the faces in pixels: number of sheets."""

SHEET = (1280, 960)


def group_recall(peer: Peer, work: Path, fraction: float) -> dict[str, Any]:
    """Return the share of faces found per width, with Wilson's interval."""
    found: dict[str, Any] = {}
    with PeerProcess(peer, work) as process:
        for width, sheets in WIDTHS.items():
            paths = _sheets(work / "photos" / "sheets", width, sheets)
            paths = paths[: max(1, round(sheets * fraction))]
            boxes = [process.ask("detect", paths=[str(path)])["boxes"][0] for path in paths]
            tile = _tile(width)
            right = sum(_faces_found(each, tile) for each in boxes)
            share = wilson(right, len(paths) * len(list(_places(tile))))
            found[str(width)] = {
                "recall": share.value,
                "low": share.low,
                "high": share.high,
                "faces": len(paths) * len(list(_places(tile))),
            }
    return found


def _tile(width: int) -> int:
    return round(250 * width / FACE_IN_LFW)


def _places(tile: int) -> Iterator[tuple[int, int]]:
    """Yield the left and top of each photo on a sheet."""
    for top in range(0, SHEET[1] - tile + 1, tile):
        for left in range(0, SHEET[0] - tile + 1, tile):
            yield left, top


def _sheets(folder: Path, width: int, count: int) -> list[Path]:
    """Return the paths of sheets with faces of a width; photos are drawn with a fixed seed."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{width}-{number}.png" for number in range(count)]
    if all(path.exists() for path in paths):
        return paths
    tile = _tile(width)
    places = list(_places(tile))
    photos = iter(lfw_photos(len(places) * count, seed=width))
    for path in paths:
        sheet = Image.new("RGB", SHEET, (127, 127, 127))
        for place in places:
            photo = Image.open(io.BytesIO(next(photos)[1])).convert("RGB")
            sheet.paste(photo.resize((tile, tile), Image.Resampling.LANCZOS), place)
        sheet.save(path)
    return paths


def _faces_found(boxes: list[list[float]], tile: int) -> int:
    """Return the number of photos on a sheet whose face was found."""
    return sum(
        any(_is_the_face(box, left, top, tile) for box in boxes) for left, top in _places(tile)
    )


def _is_the_face(box: list[float], left: int, top: int, tile: int) -> bool:
    x, y = (box[0] + box[2]) / 2 - left, (box[1] + box[3]) / 2 - top
    middle = tile / 2
    near = max(abs(x - middle), abs(y - middle)) < 0.2 * tile
    return near and 0.15 * tile < box[2] - box[0] < 0.7 * tile
