"""The engine: stages, threads, errors, and agreement of stages, pipeline and recognizer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from mien.cli.hints import hint_of
from mien.engine import DetectionSettings, Engine, Pipeline, Session, contract_of, forward
from mien.errors import ContractMismatch, NotARecognizer, UnknownModel, UnusableWeights
from mien.faces.portraits import portrait
from mien.graph.assemble import embed_graph
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, card
from mien.photo import read_photo
from mien.recognizer import Recognizer
from toy_graphs import DIMENSION, photo_of, red_squares, toy_engine, toy_head

SIMILARITY = 1e-4
PIXEL = 1.0


@pytest.mark.weights
def test_stages_pipeline_and_recognizer_agree_on_portraits(engine, portraits):
    head = toy_head(610, threshold=0.25, contract=engine.contract, dimension=engine.dimension)
    recognizer = Recognizer.build(head, engine, threads=1)
    pipeline = Pipeline(engine, threads=1)
    faces_compared = 0
    for path in sorted(portraits.iterdir()):
        photo = read_photo(path, long_side=engine.max_long_side)
        found = engine.detect(photo)
        vectors = engine.embed(engine.align(photo, found)).vectors
        embedded = pipeline.embed_photo(photo)
        piped, crops = embedded.detections, embedded.crops
        piped_vectors = embedded.embeddings
        faces = recognizer.identify(photo)
        assert len(found) == len(piped) == len(crops) == len(faces)
        for number, face in enumerate(faces):
            expected = head.prototypes @ vectors[number]
            for vector in (piped_vectors.vectors[number], face.embedding):
                assert np.abs(head.prototypes @ vector - expected).max() < SIMILARITY
            listed = [head.people.index(candidate.name) for candidate in face.candidates]
            similarities = [candidate.similarity for candidate in face.candidates]
            assert np.allclose(similarities, expected[listed], atol=SIMILARITY)
            for box in (piped.boxes[number], face.box * photo.scale):
                assert np.abs(box - found.boxes[number]).max() < PIXEL
            faces_compared += 1
    assert faces_compared >= 6


def test_a_photo_without_faces_gives_empty_arrays():
    engine = toy_engine()
    photo = photo_of(np.zeros((40, 60, 3), np.uint8))
    found = engine.detect(photo)
    assert len(found) == 0
    embeddings = engine.embed(engine.align(photo, found))
    assert embeddings.vectors.shape == (0, DIMENSION)
    embedded = Pipeline(engine, threads=1).embed_photo(photo)
    assert (len(embedded.detections), embedded.crops.shape) == (0, (0, 112, 112, 3))
    assert len(embedded.embeddings) == 0


def test_eight_threads_get_the_results_of_one():
    engine = toy_engine()
    photos = [
        photo_of(red_squares(480, 500 + 8 * n, [(5 + n, 7), (30, 5 + 3 * n)], seed=n))
        for n in range(16)
    ]

    def answer(photo):
        found = engine.detect(photo)
        return found.boxes, engine.embed(engine.align(photo, found)).vectors

    expected = [answer(photo) for photo in photos]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(answer, photos * 4))
    for number, (boxes, vectors) in enumerate(answers):
        assert np.array_equal(boxes, expected[number % 16][0])
        assert np.array_equal(vectors, expected[number % 16][1])


def test_the_contract_depends_on_weights_preprocessing_and_dimension():
    sface = card(DEFAULT_EMBEDDER)
    one = contract_of(sface)
    assert len(one) == 16
    assert contract_of(replace(sface, title="called otherwise", notes="")) == one
    for change in (
        {"sha256": "0" * 64},
        {"colour": "RGB" if sface.colour == "BGR" else "BGR"},
        {"mean": 127.5},
        {"scale": 0.5},
        {"dimension": 64},
    ):
        assert contract_of(replace(sface, **change)) != one


def test_embeddings_of_another_contract_are_refused():
    engine = toy_engine()
    engine.check(engine.contract, "this")
    with pytest.raises(ContractMismatch, match="the dataset") as caught:
        engine.check("another", "the dataset")
    assert caught.value.hint


def test_unknown_models_and_models_of_the_wrong_kind_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    with pytest.raises(UnknownModel):
        Engine.open(embedder="no-such-model")
    with pytest.raises(UnusableWeights, match="no embedder") as caught:
        Engine.open(embedder=DEFAULT_DETECTOR)
    assert "kind" in caught.value.hint
    assert "mien models list" in hint_of(caught.value)


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x08\x08" * 50], ids=len)
def test_bytes_that_are_not_a_model_are_refused(data):
    with pytest.raises(NotARecognizer) as caught:
        Session(data, name="some.onnx")
    assert "some.onnx" in str(caught.value)
    assert caught.value.hint
    with pytest.raises(UnusableWeights) as caught:
        forward(data, {})
    assert caught.value.hint


def test_wrong_inputs_of_a_model_are_an_error():
    model = embed_graph(toy_engine().parts).SerializeToString()
    with pytest.raises(UnusableWeights):
        forward(model, {"crops": np.zeros((1, 5, 5, 3), np.uint8)})
    with pytest.raises(UnusableWeights):
        forward(model, {"pixels": np.zeros((1, 112, 112, 3), np.uint8)})


def test_settings_are_used_by_the_graph():
    pixels = red_squares(480, 480, [(10, 10), (30, 30)])
    assert len(toy_engine().detect(photo_of(pixels))) == 2
    one = toy_engine(settings=DetectionSettings(max_faces=1))
    assert len(one.detect(photo_of(pixels))) == 1
    assert one.settings.max_faces == 1
    assert toy_engine(settings=DetectionSettings(max_side=2000)).max_long_side == 4000


def test_portraits_of_two_sizes_show_the_same():
    engine = toy_engine()
    photo = photo_of(red_squares(480, 480, [(20, 20)]))
    points = engine.detect(photo).points[0]
    small, large = (portrait(photo, points, side) for side in (112, 224))
    halved = large.reshape(112, 2, 112, 2, 3).mean((1, 3))
    assert np.abs(halved - small).mean() < 2
