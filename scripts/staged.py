"""A group photo and a camera video made of the public-domain portraits, for tests and screenshots.

The video is motion JPEG, the format of Chromium's `--use-file-for-fake-video-capture`; the people
in it move sideways.
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image

CAMERA_SIZE = (1280, 720)
CAMERA_FRAMES = 60
WALL = (58, 64, 70)

CHROMIUM_FLAGS = (
    "--no-sandbox",  # root has no sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
"""For a headless browser without network requests, whose camera needs no permission."""


def upper(path: Path, *, width: int, height: int) -> Image.Image:
    """Return the upper part of a portrait, cut symmetrically and resized."""
    with Image.open(path) as photo:
        cut = min(photo.height, round(photo.width * height / width))
        side = min(photo.width, round(cut * width / height))
        left = (photo.width - side) // 2
        part = photo.convert("RGB").crop((left, 0, left + side, cut))
        return part.resize((width, height), Image.Resampling.LANCZOS)


def group(paths: list[Path], target: Path) -> Path:
    """Write a photo of several portraits side by side; return its path."""
    width, height = 520, 780
    photo = Image.new("RGB", (width * len(paths), height))
    for place, path in enumerate(paths):
        photo.paste(upper(path, width=width, height=height), (place * width, 0))
    photo.save(target, "JPEG", quality=92)
    return target


def camera(paths: list[Path], target: Path, *, sway: int = 60) -> Path:
    """Write a loop of four seconds in which people move sideways by `sway` pixels."""
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
