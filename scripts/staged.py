"""What the page is shown in tests and pictures: the public-domain portraits, staged.

A group photo, and a camera's file of real frames (motion JPEG, as Chromium's
`--use-file-for-fake-video-capture` takes it) in which two presidents sway.
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image

CAMERA_SIZE = (1280, 720)
CAMERA_FRAMES = 60
WALL = (58, 64, 70)

CHROMIUM_FLAGS = (
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
"""For a headless browser that asks the network nothing and whose camera needs no permission."""


def upper(path: Path, *, width: int, height: int) -> Image.Image:
    """Return the upper part of a portrait, middle kept, at a size in pixels."""
    with Image.open(path) as photo:
        cut = min(photo.height, round(photo.width * height / width))
        side = min(photo.width, round(cut * width / height))
        left = (photo.width - side) // 2
        part = photo.convert("RGB").crop((left, 0, left + side, cut))
        return part.resize((width, height), Image.Resampling.LANCZOS)


def group(paths: list[Path], target: Path) -> Path:
    """Write a photo that shows several portraits next to each other; return its path."""
    width, height = 520, 780
    photo = Image.new("RGB", (width * len(paths), height))
    for place, path in enumerate(paths):
        photo.paste(upper(path, width=width, height=height), (place * width, 0))
    photo.save(target, "JPEG", quality=92)
    return target


def camera(paths: list[Path], target: Path, *, sway: int = 60) -> Path:
    """Write four seconds of people who sway by so many pixels, to be played over and over."""
    width, height = 500, 640
    people = [upper(path, width=width, height=height) for path in paths]
    with target.open("wb") as file:
        for moment in range(CAMERA_FRAMES):
            frame = Image.new("RGB", CAMERA_SIZE, WALL)
            for place, person in enumerate(people):
                middle = 350 + 580 * place
                middle += round(sway * math.sin(math.tau * moment / CAMERA_FRAMES + 1.7 * place))
                frame.paste(person, (middle - width // 2, CAMERA_SIZE[1] - height))
            frame.save(file, "JPEG", quality=88)
    return target
