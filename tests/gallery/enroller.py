"""Enrols people in a gallery until it is killed, and says so of each when it is done.

    python enroller.py GALLERY FIRST LAST

Person n has the photos 0 and 1 of `spheres.sighting`; the embeddings are made beforehand.
"""

from __future__ import annotations

import sys

from spheres import sighting

from mien.gallery import Gallery


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


with Gallery.open(sys.argv[1]) as gallery:
    first, last = int(sys.argv[2]), int(sys.argv[3])
    seen = {p: [sighting(p, photo) for photo in (0, 1)] for p in range(first, last)}
    tell("ready")
    for p, pair in seen.items():
        for photo, one in enumerate(pair):
            assert gallery.enrol(f"person {p}", one, force=True).taken
            tell(f"{p} {photo}")
