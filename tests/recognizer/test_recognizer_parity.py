"""The one-file graph and the stages agree on real photos; benchmarks/parity.py uses more photos."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
LEAST = 1e-4
"""Largest difference in similarity: the same network runs on the same crops."""


@pytest.fixture(scope="module")
def parity():
    """Return the benchmark as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        import parity
    finally:
        sys.path.remove(str(BENCHMARKS))
    return parity


@pytest.mark.lfw
@pytest.mark.weights
def test_one_file_and_the_stages_agree(engine, data_folder, parity, monkeypatch):
    from mien.recognizer import Recognizer

    monkeypatch.setenv("MIEN_DATA", str(data_folder))
    head = parity.random_head(engine)
    comparison = parity.Comparison(engine, head, Recognizer.build(head, engine, threads=1))
    agreement = parity.Agreement()
    for name, data in [*parity.lfw_photos(30), *list(parity.ten_people_photos())[::2]]:
        comparison.turn(name, data, agreement)
    assert agreement.photos == 30 + 41
    assert agreement.faces >= agreement.photos
    assert agreement.different == []
    assert agreement.similarity < LEAST
    assert agreement.box < 0.01  # pixels
