"""Pictures made of the public-domain portraits, for the browser to send."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def upright(path: Path, *, height: int) -> Image.Image:
    """Return a photo at a height in pixels."""
    with Image.open(path) as photo:
        size = (round(photo.width * height / photo.height), height)
        return photo.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def side_by_side(paths: list[Path], target: Path, *, height: int = 700) -> Path:
    """Write a photo that shows several people next to each other; return its path."""
    people = [upright(path, height=height) for path in paths]
    group = Image.new("RGB", (sum(person.width for person in people), height))
    left = 0
    for person in people:
        group.paste(person, (left, 0))
        left += person.width
    group.save(target, "JPEG", quality=92)
    return target
