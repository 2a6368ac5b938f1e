"""At which size a photo is decoded: large ones at 1/2, 1/4 or 1/8 where that is enough."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from PIL import Image

from mien.photo.memory import LARGE_PHOTO


@dataclass(frozen=True, slots=True)
class WantedSize:
    """The size that a photo is decoded at; the arguments of `decode_photo`."""

    long_side: int | None = None
    max_pixels: int | None = None

    def factor(self, full: tuple[int, int]) -> int:
        """Return the power of two that the sides of a large photo are divided by; else 1."""
        pixels, factor = prod(full), 1
        if self.long_side is not None and pixels > LARGE_PHOTO:
            while max(full) >= 2 * factor * max(1, self.long_side):
                factor *= 2
        if self.max_pixels is not None:
            while pixels > self.max_pixels * factor * factor:
                factor *= 2
        return min(factor, max(full))


def draft(picture: Image.Image, wanted: WantedSize) -> float:
    """Set a reduced decoding size of a JPEG that has what is wanted; return the scale."""
    full = max(picture.size)
    sides = [-(-full // wanted.factor(picture.size)) if wanted.max_pixels else full]
    if wanted.long_side is not None:
        sides.append(max(1, wanted.long_side))
    if min(sides) == full:
        return 1.0
    # Draft chooses the smallest of 1/1, 1/2, 1/4 and 1/8 that covers this size.
    least = [max(1, side * min(*sides, full) // full) for side in picture.size]
    picture.draft(None, (least[0], least[1]))
    # Sides are rounded up to whole pixels; this scale is exact.
    return 1 / round(full / max(picture.size))
