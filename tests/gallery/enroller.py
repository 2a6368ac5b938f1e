"""Enrols people in a gallery until it is killed, and prints a line per enrolled photo.

    python enroller.py GALLERY FIRST LAST

Person n has the photos 0 and 1 of `spheres.face_sample`; the embeddings are made beforehand.
"""

from __future__ import annotations

import sys

from spheres import face_sample

from mien.gallery import Gallery


def report(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


with Gallery.open(sys.argv[1]) as gallery:
    first, last = int(sys.argv[2]), int(sys.argv[3])
    samples = {p: [face_sample(p, photo) for photo in (0, 1)] for p in range(first, last)}
    report("ready")
    for p, pair in samples.items():
        for photo, sample in enumerate(pair):
            assert gallery.enrol(f"person {p}", sample, force=True).taken
            report(f"{p} {photo}")
