"""One suite for every `Matcher`: a trained head and a gallery of the same people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mien.errors import ContractMismatch
from mien.gallery import FaceSample, Gallery, Origin
from mien.graph.settings import UNKNOWN_PERSON
from mien.matching import HeadMatcher, Matcher, PhotoIdentifier, answers_of
from mien.models.statistics import EmbedderStatistics, ImpostorStatistics
from mien.types import Candidate, EmbeddedPhoto, Embeddings
from sphere import unit
from toy_graphs import photo_of, red_squares, toy_engine

DIMENSION, PEOPLE = 64, 12
CONTRACT = "c" * 16
IMPOSTORS = ImpostorStatistics(
    "random points on the sphere",
    (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6),
    (1,),
    ((0.160, 0.288, 0.379, 0.450, 0.508, 0.557),),
)
CENTRES = unit(np.random.default_rng(0).normal(size=(PEOPLE, DIMENSION)))
STRANGERS = unit(np.random.default_rng(1).normal(size=(20, DIMENSION)))


def views(person: int, *, seed: int, count: int = 1) -> np.ndarray:
    """Return (count, D) unit rows: faces of one person."""
    noise = np.random.default_rng([person, seed]).normal(size=(count, DIMENSION))
    return unit(CENTRES[person] + 0.05 * noise)


def embeddings(*rows: np.ndarray, contract: str = CONTRACT) -> Embeddings:
    stacked = np.stack(rows) if rows else np.zeros((0, DIMENSION), np.float32)
    return Embeddings(stacked.astype(np.float32), contract)


@dataclass(frozen=True)
class Matchers:
    """The implementations over the same people.

    Attributes:
        known: by class name, with the embedder's impostor statistics.
        bare: by class name, of one person, without statistics: nothing is known of strangers.
    """

    known: dict[str, Matcher]
    bare: dict[str, Matcher]


def _fill(gallery: Gallery, people: int) -> None:
    for person in range(people):
        for row in views(person, seed=7, count=3):
            sample = FaceSample(row, row, CONTRACT)
            assert gallery.enrol(f"person {person}", sample, force=True).taken


@pytest.fixture(scope="module")
def matchers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("galleries")
    origin = {"contract": CONTRACT, "dimension": DIMENSION}
    with (
        Gallery.create(folder / "known", Origin(**origin, statistics=IMPOSTORS)) as known,
        Gallery.create(folder / "bare", Origin(**origin)) as bare,
    ):
        _fill(known, PEOPLE)
        _fill(bare, 1)
        yield Matchers(
            {
                "Gallery": known,
                "HeadMatcher": HeadMatcher(known.head(), EmbedderStatistics(IMPOSTORS)),
            },
            {"Gallery": bare, "HeadMatcher": HeadMatcher(bare.head())},
        )


@pytest.fixture(params=["Gallery", "HeadMatcher"])
def matcher(request, matchers) -> Matcher:
    return matchers.known[request.param]


@pytest.fixture(params=["Gallery", "HeadMatcher"])
def bare_matcher(request, matchers) -> Matcher:
    return matchers.bare[request.param]


def test_each_person_is_named(matcher):
    found = matcher.identify(embeddings(*(views(p, seed=3)[0] for p in range(PEOPLE))))
    assert [answer.name for answer in found] == [f"person {p}" for p in range(PEOPLE)]
    assert all(answer.known and answer.name == answer.nearest for answer in found)


def test_strangers_are_unknown(matcher):
    found = matcher.identify(embeddings(*STRANGERS))
    assert [answer.name for answer in found] == [None] * len(STRANGERS)
    assert not any(answer.known or answer.person_id for answer in found)


def test_similarities_are_the_cosines_to_the_most_similar_people(matcher, matchers):
    head = matchers.known["Gallery"].head()
    faces = embeddings(*(views(p, seed=4)[0] for p in range(4)), *STRANGERS)
    cosines = faces.vectors @ head.prototypes.T
    for row, answer in zip(cosines, matcher.identify(faces), strict=True):
        assert answer.similarity == pytest.approx(row.max(), abs=1e-6)
        listed = [head.people.index(candidate.name) for candidate in answer.candidates]
        assert listed == np.argsort(-row)[: len(listed)].tolist()
        assert [c.similarity for c in answer.candidates] == pytest.approx(row[listed], abs=1e-6)
        assert answer.probability == answer.candidates[0].probability


def test_all_implementations_give_the_same_answers(matchers):
    faces = embeddings(*(views(p, seed=5)[0] for p in range(PEOPLE)), *STRANGERS)
    one, other = (matchers.known[name].identify(faces) for name in ("Gallery", "HeadMatcher"))
    assert len(one) == len(other) == len(faces)
    for a, b in zip(one, other, strict=True):
        assert a.name == b.name
        assert a.similarity == pytest.approx(b.similarity, abs=1e-6)
        assert a.probability == pytest.approx(b.probability, abs=1e-6)
        # A gallery also measures the rate on its own people, each searched among the others.
        assert a.false_positive_rate >= b.false_positive_rate - 1e-3
        assert [c.name for c in a.candidates] == [c.name for c in b.candidates]


def test_no_person_is_named_twice_in_a_photo(matcher):
    same = views(2, seed=6, count=5)
    found = matcher.identify(embeddings(*same, views(3, seed=6)[0]))
    named = [answer.name for answer in found if answer.known]
    assert sorted(named) == ["person 2", "person 3"]
    best = max(found[:5], key=lambda answer: answer.similarity)
    assert best.name == "person 2"


def test_a_photo_without_faces_gets_no_answers(matcher):
    assert len(matcher.identify(embeddings())) == 0


def test_embeddings_of_another_contract_are_refused(matcher):
    assert matcher.contract == CONTRACT
    with pytest.raises(ContractMismatch):
        matcher.identify(embeddings(views(0, seed=1)[0], contract="d" * 16))


def test_an_engine_of_another_contract_is_refused(matcher):
    with pytest.raises(ContractMismatch) as caught:
        PhotoIdentifier(toy_engine(), matcher)
    assert caught.value.hint


def test_the_false_positive_rate_falls_with_the_similarity(matcher):
    faces = embeddings(*(views(p, seed=8)[0] for p in range(4)), *STRANGERS)
    found = sorted(matcher.identify(faces), key=lambda answer: answer.similarity)
    rates = [answer.false_positive_rate for answer in found]
    assert all(0 <= rate <= 1 for rate in rates)
    assert rates == sorted(rates, reverse=True)


def test_the_false_positive_rate_is_unknown_where_nothing_is_known_of_strangers(bare_matcher):
    found = bare_matcher.identify(embeddings(views(0, seed=9)[0], STRANGERS[0]))
    assert [answer.false_positive_rate for answer in found] == [None, None]
    assert found[0].to_dict()["false_positive_rate"] is None


class SphereEmbedder:
    """A `PhotoEmbedder` that finds the same two faces in each photo."""

    contract = CONTRACT
    max_long_side = 2560

    def embed_photo(self, photo):
        found = toy_engine().detect(photo)
        crops = np.repeat(np.arange(len(found), dtype=np.uint8), 112 * 112 * 3)
        crops = crops.reshape(-1, 112, 112, 3)
        return EmbeddedPhoto(photo, found, crops, embeddings(views(1, seed=2)[0], STRANGERS[0]))


def answers(rows, *, rates=lambda _: None, ids=None):
    return answers_of(rows, ["Ada", "Bob", "Cleo"], rates=rates, ids=ids)


ROWS = (
    np.array([[2, 0], [1, 2]]),
    np.array([[0.75, 0.25], [0.5, -0.5]], np.float32),
    np.array([[0.875, 0.125], [0.25, 0.0]], np.float32),
    np.array([2, UNKNOWN_PERSON]),
)


def test_answers_by_hand():
    known, unknown = answers(ROWS, rates=lambda similarities: similarities / 2, ids=["a", "b", "c"])
    assert (known.name, known.person_id) == ("Cleo", "c")
    assert (known.similarity, known.probability, known.false_positive_rate) == (0.75, 0.875, 0.375)
    assert known.candidates == (
        Candidate("Cleo", 0.75, 0.875, "c"),
        Candidate("Ada", 0.25, 0.125, "a"),
    )
    assert (unknown.name, unknown.person_id, unknown.nearest) == (None, None, "Bob")
    assert (unknown.similarity, unknown.probability) == (0.5, 0.25)
    assert unknown.false_positive_rate == 0.25
    assert [candidate.person_id for candidate in unknown.candidates] == ["b", "c"]


def test_people_of_a_head_have_no_ids_and_a_rate_may_be_unknown():
    known, _ = answers(ROWS)
    assert (known.name, known.person_id, known.false_positive_rate) == ("Cleo", None, None)
    assert [candidate.person_id for candidate in known.candidates] == [None, None]


def test_no_rate_is_asked_for_without_a_face():
    assert answers(tuple(row[:0] for row in ROWS), rates=None) == ()


def test_photos_are_identified_by_an_embedder_and_a_matcher(matcher):
    identifier = PhotoIdentifier(SphereEmbedder(), matcher)
    photo = photo_of(red_squares(480, 480, [(10, 10), (30, 30)]), scale=0.5)
    one, other = identifier.identify(photo)
    assert (one.name, other.name) == ("person 1", None)
    found = toy_engine().detect(photo)
    for row, face in enumerate((one, other)):
        # In pixels of the photo before it was halved.
        assert np.allclose(face.box, 2 * found.boxes[row])
        assert np.allclose(face.points, 2 * found.points[row])
        assert face.score == pytest.approx(found.scores[row])
        assert np.array_equal(face.crop, np.full((112, 112, 3), row))
    assert np.array_equal(one.embedding, views(1, seed=2)[0].astype(np.float32))
    assert np.array_equal(other.embedding, STRANGERS[0])
    assert identifier.max_long_side == 2560
