"""A recognizer in stages answers as the whole does."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from mien import read_photo
from mien.graph.subgraph import subgraph_of
from mien.recognizer import Recognizer
from mien.types import Calibration, Head, Interval, Policy


@pytest.fixture(scope="module")
def recognizer(engine, portraits):
    names, rows = [], []
    for path in sorted(portraits.glob("*.jpg"))[:3]:
        photo = read_photo(path)
        found = engine.detect(photo)
        rows.append(engine.embed(engine.align(photo, found)).vectors[found.largest()])
        names.append(path.stem)
    head = Head(
        kind="prototype",
        people=tuple(names),
        prototypes=np.stack(rows),
        photos=np.ones(len(rows), np.int64),
        contract=engine.contract,
        calibration=Calibration(30.0, -12.0),
        policy=Policy(0.4, 0.01, Interval(0.01, 0.0, 0.1), 0, supported=False, source="a test"),
    )
    return Recognizer.build(head, engine, threads=1)


def test_stages_are_the_whole(recognizer, portraits):
    stages = recognizer.engine(threads=1)
    for path in sorted(portraits.glob("*.jpg")):
        photo = read_photo(path)
        whole = recognizer.identify(photo)
        found = stages.detect(photo)
        crops = stages.align(photo, found)
        vectors = stages.embed(crops)
        assert len(whole) == len(found)
        for row, face in enumerate(whole):
            np.testing.assert_array_equal(found.boxes[row], face.box)
            np.testing.assert_array_equal(crops[row], face.crop)
            np.testing.assert_allclose(vectors.vectors[row], face.embedding, atol=1e-6)


def test_faces_of_two_photos_embedded_at_once(recognizer, portraits):
    stages = recognizer.engine(threads=1)
    photos = [read_photo(path) for path in sorted(portraits.glob("*.jpg"))[:2]]
    crops = [stages.align(photo, stages.detect(photo)) for photo in photos]
    apart = np.concatenate([stages.embed(each).vectors for each in crops])
    together = stages.embed(np.concatenate(crops)).vectors
    np.testing.assert_allclose(together, apart, atol=1e-5)


def test_a_part_that_needs_more_than_it_is_given_is_refused(recognizer):
    model = onnx.load_from_string(recognizer.to_bytes())
    with pytest.raises(ValueError, match="need image"):
        subgraph_of(model, ["points"], ["crops"])


def test_no_weights_are_needed_besides_the_file(recognizer, monkeypatch, tmp_path, portraits):
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "empty"))
    stages = Recognizer(recognizer.to_bytes()).engine(threads=1)
    assert len(stages.detect(read_photo(portraits / "obama.jpg"))) == 1
    assert stages.statistics is not None
