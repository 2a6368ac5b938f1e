"""The statistics of the benchmarks, on cases worked out by hand; nothing is timed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _benchmarks_are_importable():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def found_faces(names, vectors, metric="cosine"):
    from stages.found_faces import FoundFaces

    rows = np.array(vectors, np.float32)
    return FoundFaces(list(names), np.zeros((len(rows), 4), np.float32), rows, metric)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("cosine", [[1, 0, -1000]]), ("euclidean", [[-1, -np.sqrt(5), -1000]])],
)
def test_higher_is_more_similar_and_a_missed_face_is_similar_to_no_other(metric, expected):
    from stages.accuracy import similarities

    lost = [np.nan, np.nan]
    first, second = np.array([[2.0, 0]]), np.array([[1.0, 0], [0, 1], lost])
    assert np.allclose(similarities(metric, first, second), expected, atol=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_open_set_of_people_whose_embeddings_are_distinct(metric):
    from stages.accuracy import open_set_by_halves

    axes = np.eye(5)
    names = [f"{person}_{photo:04d}" for person in ("Ann", "Bob") for photo in range(1, 6)]
    vectors = [axes[n // 5] for n in range(10)]
    strangers = [f"Stranger{n}_0001" for n in range(300)]
    rng = np.random.default_rng(0)
    others = [axes[2] + 0.1 * axes[3 + n % 2] * rng.random() for n in range(300)]
    # Bob is not found in one of his probes.
    vectors[9] = np.full(5, np.nan)
    found = open_set_by_halves(found_faces([*names, *strangers], [*vectors, *others], metric))
    assert (found["gallery"], found["probes"], found["strangers"]) == (2, 4, 300)
    for way in ("nearest", "mean"):
        assert found[way]["dir"] == pytest.approx(3 / 4)
        assert found[way]["dir_low"] < 3 / 4 < found[way]["dir_high"]
        assert found[way]["fpir"] <= 0.05


def test_a_box_near_the_middle_is_the_face():
    from stages.groups import _faces_found, _places

    tile = 100
    assert len(list(_places(tile))) == 12 * 9
    face = [30, 25, 70, 75]
    assert _faces_found([face], tile) == 1
    assert _faces_found([face, [232, 128, 272, 178]], tile) == 2
    for wrong in ([0, 0, 40, 50], [45, 45, 55, 55], [5, 5, 95, 95]):
        assert _faces_found([wrong], tile) == 0


def test_recall_is_the_share_of_photos_whose_middle_is_in_a_box():
    from stages.found_faces import FoundFaces, lfw_recall

    boxes = np.array([[80, 80, 170, 170], [130, 80, 170, 170], [np.nan] * 4], np.float32)
    found = lfw_recall(FoundFaces(["a", "b", "c"], boxes, np.zeros((3, 0), np.float32), "cosine"))
    assert found["recall"] == pytest.approx(1 / 3)
    assert found["photos"] == 3


def test_ratios_are_paired():
    from peers.catalogue import chosen
    from peers.speed import _ratios

    # The second takes three times as long on every photo, and finds half the faces.
    took = np.random.default_rng(0).uniform(0.01, 1, 50)
    faces = np.stack([np.full(50, 2), np.full(50, 1)])
    found = _ratios(chosen("mien,opencv"), np.stack([took, 3 * took]), faces)
    assert set(found) == {"opencv"}
    assert list(found["opencv"]["photos_per_s"].values()) == pytest.approx([3, 3, 3])
    assert list(found["opencv"]["faces_per_s"].values()) == pytest.approx([6, 6, 6])


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux reports peak memory there"
)
def test_peak_memory_does_not_include_the_parent_process():
    ballast = np.ones(400 << 20, np.uint8)
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARKS / 'peers')!r}); import worker\n"
        "print(worker.Worker(None).do_memory()['peak_bytes'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 1 << 20 < int(done.stdout) < len(ballast)


def test_all_photos_of_a_person_are_chosen_or_none():
    from stages.found_faces import chosen

    names = [f"Person_{n}_{photo:04d}" for n in range(2000) for photo in (1, 2)]
    taken = [name for name in names if chosen(name, 0.1)]
    assert 0.07 < len(taken) / len(names) < 0.13
    assert len({name[:-5] for name in taken}) == len(taken) / 2
    assert all(chosen(name, 1) for name in names)


def test_saved_results_are_not_measured_again(tmp_path):
    from field import Kept

    kept = Kept(tmp_path, 0.5)
    assert kept("speed", lambda: {"faces": 3}) == {"faces": 3}
    assert kept("speed", lambda: {"faces": 4}) == {"faces": 3}
    assert Kept(tmp_path, 1.0)("speed", lambda: {"faces": 4}) == {"faces": 4}


def test_the_machine_is_described_without_its_name():
    import platform

    from peers.machine import described

    text = json.dumps(described())
    assert platform.node() not in text or not platform.node()
    assert described()["cores"] >= 1


@pytest.mark.parametrize("script", ["pipeline", "field", "parity", "embedder", "choices"])
def test_each_script_has_help(script):
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / f"{script}.py"), "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "--json" in done.stdout
