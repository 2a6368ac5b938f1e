"""Make the HEIC files beside this script; needs pillow-heif, which Mien itself does not use.

    python -m venv scratch && scratch/bin/pip install pillow-heif
    scratch/bin/python tests/photo/golden/make_heic.py

`upright.heic` shows four quarters: red, green / blue, white. `turned.heic` has the same picture,
stored rotated, with its orientation. The pixels are computed; they show no person.
"""

from __future__ import annotations

from pathlib import Path

import pillow_heif
from PIL import Image

WIDTH, HEIGHT = 96, 64
QUARTERS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))
HERE = Path(__file__).resolve().parent


def four_quarters() -> Image.Image:
    """Return the picture that both files show."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    for number, colour in enumerate(QUARTERS):
        corner = (number % 2 * WIDTH // 2, number // 2 * HEIGHT // 2)
        picture.paste(colour, (*corner, corner[0] + WIDTH // 2, corner[1] + HEIGHT // 2))
    return picture


def main() -> None:
    """Write both files."""
    pillow_heif.register_heif_opener()
    four_quarters().save(HERE / "upright.heic", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = four_quarters().transpose(Image.Transpose.ROTATE_90)
    # from_pillow would turn the pixels; so they are handed over bare, and their direction after.
    file = pillow_heif.from_bytes(lying.mode, lying.size, lying.tobytes())
    file.info["exif"] = exif.tobytes()
    file.save(HERE / "turned.heic", quality=90)


if __name__ == "__main__":
    main()
