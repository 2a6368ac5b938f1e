"""Test photos and a camera recording, composed of the public-domain portraits.

A group photo, and a motion JPEG file in which two people sway, for Chromium's
`--use-file-for-fake-video-capture`.
"""

from __future__ import annotations

import math
from pathlib import Path

from PIL import Image

CAMERA_SIZE = (1280, 720)
CAMERA_FRAMES = 60
WALL = (58, 64, 70)

CHROMIUM_FLAGS = (
    "--no-sandbox",  # Chromium has no sandbox as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
"""Flags for a headless browser without network requests of its own and with a fake camera."""


def upper(path: Path, *, width: int, height: int) -> Image.Image:
    """Return the upper part of a portrait, centred, at a size in pixels."""
    with Image.open(path) as photo:
        cut = min(photo.height, round(photo.width * height / width))
        side = min(photo.width, round(cut * width / height))
        left = (photo.width - side) // 2
        part = photo.convert("RGB").crop((left, 0, left + side, cut))
        return part.resize((width, height), Image.Resampling.LANCZOS)


def group(paths: list[Path], target: Path) -> Path:
    """Write a photo with several portraits side by side; return its path."""
    width, height = 520, 780
    photo = Image.new("RGB", (width * len(paths), height))
    for place, path in enumerate(paths):
        photo.paste(upper(path, width=width, height=height), (place * width, 0))
    photo.save(target, "JPEG", quality=92)
    return target


def camera(paths: list[Path], target: Path, *, sway: int = 60) -> Path:
    """Write four seconds of people who sway by `sway` pixels, to be played in a loop."""
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
