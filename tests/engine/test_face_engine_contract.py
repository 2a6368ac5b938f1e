"""One suite for every implementation of `PhotoEmbedder` and of `FaceEngine`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from mien.engine import FaceEngine, Pipeline
from mien.graph.settings import DetectionSettings
from mien.matching import PhotoEmbedder
from mien.recognizer import Recognizer
from mien.types import CROP_SIDE
from toy_graphs import DIMENSION, photo_of, red_squares, toy_engine, toy_head

SETTINGS = DetectionSettings(max_side=640)
PLACES = [[], [(10, 12)], [(10, 12), (30, 40)], [(5, 5), (20, 30), (40, 12)]]
"""(row, column) of the faces in each photo."""


def _engine() -> FaceEngine:
    return toy_engine(settings=SETTINGS)


def _recognizer_engine() -> FaceEngine:
    engine = toy_engine(settings=SETTINGS)
    head = toy_head(3, contract=engine.contract)
    return Recognizer.build(head, engine, threads=1).engine(threads=1)


def _pipeline() -> PhotoEmbedder:
    return Pipeline(toy_engine(settings=SETTINGS), threads=1)


FACE_ENGINES = {"Engine": _engine, "RecognizerEngine": _recognizer_engine}
PHOTO_EMBEDDERS = {**FACE_ENGINES, "Pipeline": _pipeline}


@pytest.fixture(scope="module", params=PHOTO_EMBEDDERS)
def embedder(request) -> PhotoEmbedder:
    return PHOTO_EMBEDDERS[request.param]()


@pytest.fixture(scope="module", params=FACE_ENGINES)
def face_engine(request) -> FaceEngine:
    return FACE_ENGINES[request.param]()


@pytest.fixture(scope="module")
def reference():
    return toy_engine(settings=SETTINGS)


@pytest.fixture(scope="module")
def photos():
    return [
        photo_of(red_squares(480, 560 - 40 * number, places, seed=number), name=f"photo {number}")
        for number, places in enumerate(PLACES)
    ]


def _is_array(array, dtype, shape) -> bool:
    return array.dtype == dtype and array.shape == shape


# PhotoEmbedder


def test_an_embedded_photo_has_one_row_per_face_in_each_array(embedder, photos):
    for photo, places in zip(photos, PLACES, strict=True):
        embedded = embedder.embed_photo(photo)
        count = len(places)
        assert embedded.photo is photo
        assert _is_array(embedded.detections.boxes, np.float32, (count, 4))
        assert _is_array(embedded.detections.points, np.float32, (count, 5, 2))
        assert _is_array(embedded.detections.scores, np.float32, (count,))
        assert _is_array(embedded.crops, np.uint8, (count, CROP_SIDE, CROP_SIDE, 3))
        assert _is_array(embedded.embeddings.vectors, np.float32, (count, DIMENSION))


def test_embeddings_are_finite_and_of_length_one(embedder, photos):
    for photo in photos:
        vectors = embedder.embed_photo(photo).embeddings.vectors
        assert np.isfinite(vectors).all()
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_best_score_comes_first(embedder, photos):
    for photo in photos:
        scores = embedder.embed_photo(photo).detections.scores
        assert np.all(np.diff(scores) <= 0)
        assert np.all((scores >= 0) & (scores <= 1))


def test_embeddings_carry_the_contract(embedder, reference, photos):
    assert embedder.contract == reference.contract
    assert embedder.embed_photo(photos[1]).embeddings.contract == reference.contract


def test_all_implementations_give_the_same_embeddings(embedder, reference, photos):
    for photo in photos:
        found, expected = embedder.embed_photo(photo), reference.embed_photo(photo)
        assert np.allclose(found.detections.boxes, expected.detections.boxes, atol=0.01)
        assert np.allclose(found.embeddings.vectors, expected.embeddings.vectors, atol=1e-5)


def test_the_largest_side_follows_from_the_settings(embedder):
    assert embedder.max_long_side == SETTINGS.max_long_side == 1280


def test_many_threads_get_the_results_of_one(embedder, photos):
    expected = [embedder.embed_photo(photo) for photo in photos]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(embedder.embed_photo, photos * 8))
    for number, embedded in enumerate(found):
        alone = expected[number % len(photos)]
        assert np.array_equal(embedded.detections.boxes, alone.detections.boxes)
        assert np.array_equal(embedded.crops, alone.crops)
        assert np.array_equal(embedded.embeddings.vectors, alone.embeddings.vectors)


# FaceEngine


def test_the_stages_are_the_whole(face_engine, photos):
    for photo in photos:
        whole = face_engine.embed_photo(photo)
        found = face_engine.detect(photo)
        crops = face_engine.align(photo, found)
        assert np.array_equal(found.boxes, whole.detections.boxes)
        assert np.array_equal(crops, whole.crops)
        assert np.array_equal(face_engine.embed(crops).vectors, whole.embeddings.vectors)


def test_an_embedding_does_not_depend_on_its_batch(face_engine, photos):
    crops = np.concatenate([face_engine.embed_photo(photo).crops for photo in photos])
    together = face_engine.embed(crops).vectors
    alone = np.concatenate([face_engine.embed(crop[None]).vectors for crop in crops])
    assert np.allclose(together, alone, atol=1e-6)
    assert np.allclose(face_engine.embed(crops[::-1]).vectors, together[::-1], atol=1e-6)


def test_no_crops_give_no_embeddings(face_engine):
    none = face_engine.embed(np.zeros((0, CROP_SIDE, CROP_SIDE, 3), np.uint8))
    assert _is_array(none.vectors, np.float32, (0, DIMENSION))
    assert none.contract == face_engine.contract


def test_some_of_the_faces_are_aligned_as_among_all(face_engine, photos):
    found = face_engine.detect(photos[-1])
    crops = face_engine.align(photos[-1], found)
    alone = face_engine.align(photos[-1], found.take(slice(1, 2)))
    # Values at .5 may be rounded either way.
    assert np.abs(alone.astype(int) - crops[1:2].astype(int)).max() <= 1


def test_the_dimension_is_that_of_the_embeddings(face_engine, photos):
    assert face_engine.dimension == DIMENSION
    assert face_engine.embed_photo(photos[1]).embeddings.vectors.shape[1] == DIMENSION


def test_statistics_are_the_embedders(face_engine, reference):
    assert face_engine.statistics == reference.statistics
    assert face_engine.statistics.impostors is not None


def test_an_embedder_without_statistics_has_none():
    engine = toy_engine()
    card = replace(
        engine.embedder_card, impostors=None, verification=None, genuine=None, copies=None
    )
    bare = replace(engine, embedder_card=card)
    assert bare.statistics is None
    head = toy_head(2, contract=bare.contract)
    assert Recognizer.build(head, bare, threads=1).engine(threads=1).statistics is None
