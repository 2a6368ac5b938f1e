"""Recognizer files: loaded, and asked for the faces of a small photo where they load."""

from __future__ import annotations

import random
import zlib

from fuzz.targets import Target

INSTRUMENTED = (
    "mien.recognizer",
    "mien.onnx_files",
    "mien.types",
    "mien.matching",
    "mien.models.statistics",
)


def target() -> Target:
    """Return the target."""
    import numpy as np

    from mien.photo import open_photo
    from mien.recognizer import Recognizer

    photo = np.zeros((8, 8, 3), np.uint8)
    opened = open_photo(photo)

    def run(data: bytes) -> None:
        found = Recognizer(data, threads=1)
        found.identify(photo)
        if zlib.crc32(data) % 2:
            found.engine(threads=1).embed_photo(opened)
        found.info()
        repr(found.head)

    return Target(run, INSTRUMENTED, _TOKENS, longest=8192)


def changed(data: bytes, rng: random.Random) -> bytes:
    """Return another file."""
    from fuzz.changed_models import changed_model

    return changed_model(data, rng)


_TOKENS = (
    b"image", b"boxes", b"points", b"scores", b"crops", b"embeddings", b"candidates",
    b"similarities", b"probabilities", b"person", b"prototypes", b"negatives", b"mien", b"Loop",
    b"If", b"Shape", b"Gather", b"Constant", b"Identity", b"ConstantOfShape", b"Expand", b"Range",
    b"Tile", b"Resize", b"Pad", b"Reshape", b"Concat", b"Cast", b"Add", b"MatMul", b"Where",
    b"ai.onnx", b"ai.onnx.ml", b'"people"', b'"photos"', b'"format"', b'"policy"', b'"about"',
    b'"calibration"', b'"statistics"', b'"negative_of"', b'"settings"', b"null", b"1e999", b"NaN",
    b"-1", b"[[[[", b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
)  # fmt: skip
