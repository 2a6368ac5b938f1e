"""A policy chosen on one half of LFW's strangers holds on the other half.

This is `benchmarks/open_set.py` on a part of LFW; docs/accuracy.md has the results on all of it.
"""

from __future__ import annotations

import random
import tarfile
from collections import defaultdict
from pathlib import PurePosixPath

import numpy as np
import pytest

from mien.dataset.build import build
from open_set import ENROLLED, measure, protocol_of

pytestmark = [pytest.mark.weights, pytest.mark.lfw]

KNOWN, ASKED, STRANGERS = 60, 3, 940


def some_photos(names):
    """Return members of the archive: six photos of each of 60 people, one of each of 940 others."""
    photos = defaultdict(list)
    for name in sorted(names):
        if name.endswith(".jpg"):
            photos[PurePosixPath(name).parent.name].append(name)
    draw = random.Random(0)  # noqa: S311
    known = draw.sample(sorted(n for n, taken in photos.items() if len(taken) > ENROLLED), KNOWN)
    single = draw.sample(sorted(n for n, taken in photos.items() if len(taken) == 1), STRANGERS)
    return {photo for name in known + single for photo in photos[name][: ENROLLED + ASKED]}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, engine, data_folder):
    root = tmp_path_factory.mktemp("lfw")
    with tarfile.open(data_folder / "lfw-deepfunneled.tgz") as archive:
        wanted = some_photos(archive.getnames())
        for member in archive:  # in order: seeking back in a compressed archive is slow
            if member.name not in wanted:
                continue
            path = root / "photos" / "/".join(PurePosixPath(member.name).parts[-2:])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive.extractfile(member).read())
    return build([str(root / "photos")], root / "faces", engine)


def test_protocol_by_hand(dataset):
    protocol = protocol_of(dataset)
    assert (len(protocol.people), len(protocol.strangers)) == (KNOWN, STRANGERS)
    assert len(protocol.enrolled) == ENROLLED * KNOWN
    assert not set(protocol.enrolled) & set(protocol.probes)
    assert 0.4 < protocol.half.mean() < 0.6
    names = [dataset.rows[row].person for row in protocol.probes]
    assert [protocol.people[mate].replace("_", " ") for mate in protocol.mates] == names


def test_a_policy_set_on_one_half_holds_on_the_other(dataset):
    results = measure(dataset, protocol_of(dataset), 0.01)
    assert [result.policy for result in results] == ["strangers", "mien train"] * 2
    for result in results:
        assert result.set_on >= 300  # enough to support one in a hundred
        assert result.fpir.low <= 0.01
        assert result.fpir.value <= 0.025
        assert result.dir.value >= 0.99
    # The strangers' own threshold holds the requested rate, on the mean of both halves; as `mien
    # train` does it no name is less likely than not, and fewer strangers get one.
    alone = [result for result in results if result.policy == "strangers"]
    assert all(result.fpir.high >= 0.01 for result in alone)
    assert np.mean([result.fpir.value for result in alone]) == pytest.approx(0.01, abs=0.006)
    for one, trained in zip(results[::2], results[1::2], strict=True):
        assert trained.threshold >= one.threshold


def test_a_higher_fpir_gives_a_higher_dir(dataset):
    protocol = protocol_of(dataset)
    strict, lax = (measure(dataset, protocol, rate) for rate in (0.01, 0.1))
    for one, other in zip(strict, lax, strict=True):
        assert other.threshold < one.threshold
        assert other.fpir.value >= one.fpir.value
        assert other.dir.value >= one.dir.value
    assert all(lax[row].fpir.value > strict[row].fpir.value for row in (0, 2))  # strangers alone
