"""A recognizer of two presidents, from one portrait each."""

from __future__ import annotations

import numpy as np

from mien.photo import read_photo
from mien.recognizer import Recognizer
from mien.types import Calibration, Head, Interval, Policy

OBAMA, BIDEN = "Barack Obama", "Joe Biden"


def real_recognizer(engine, portraits) -> Recognizer:
    """Return it with its weights stored as int8, the default of pages."""
    photos = [read_photo(portraits / name) for name in ("obama.jpg", "biden.jpg")]
    rows = [engine.embed(engine.align(photo, engine.detect(photo))).vectors[0] for photo in photos]
    policy = Policy(0.5, 0.01, Interval(0.01, 0, 0.02), 100, True, "made up")
    head = Head(
        kind="prototype", people=(OBAMA, BIDEN), prototypes=np.stack(rows),
        photos=np.ones(2, np.int64), contract=engine.contract, calibration=Calibration(20.0, -10.0),
        policy=policy,
    )  # fmt: skip
    return Recognizer.build(head, engine, threads=1).stored_as("int8")
