"""The recognizer file: what it keeps, what it refuses, how it is written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import onnx
import pytest

from mien import __version__
from mien.engine import DetectionSettings
from mien.errors import ContractMismatch, NotARecognizer, OutputError, RecognizerNotFound
from mien.files import write_atomically
from mien.graph.assemble import whole_graph
from mien.photo import encode_jpeg, read_photo
from mien.recognizer import FORMAT, Recognizer
from toy_graphs import photo_of, red_squares, run, toy_engine, toy_head, toy_parts

NAMES = (
    "Zoë",
    "Александр Пушкин",
    "张伟",
    'O\'Brien "Bob"',
    "🧑‍🚀",
    "[bold]a\nb[/bold]",
    " ",
    "ß\0",
)


@pytest.fixture(scope="module")
def engine_of_toys():
    return toy_engine(settings=DetectionSettings(max_side=640, min_side=480))


def built(engine, people=NAMES, *, dataset="d" * 64, measured=None, **head):
    head = toy_head(people, contract=engine.contract, **head)
    return head, Recognizer.build(head, engine, dataset=dataset, measured=measured, threads=1)


@pytest.fixture
def saved(engine_of_toys, tmp_path):
    head, recognizer = built(engine_of_toys, measured={"rank1": 0.99})
    path = tmp_path / "people.onnx"
    recognizer.save(path)
    return head, recognizer, path


def test_what_is_saved_is_loaded(saved):
    head, recognizer, path = saved
    loaded = Recognizer.load(path, threads=1)
    assert loaded.people == NAMES
    assert loaded.contract == head.contract
    assert loaded.policy == head.policy
    assert loaded.about == recognizer.about
    assert loaded.size == path.stat().st_size
    assert loaded.info() == recognizer.info()
    json.dumps(loaded.info())
    photo = photo_of(red_squares(480, 500, [(9, 9), (40, 40)]))
    one, other = recognizer.identify(photo), loaded.identify(photo)
    assert [face.answer for face in one] == [face.answer for face in other]


def test_the_head_is_read_back_to_the_bit(saved):
    head, _, path = saved
    back = Recognizer.load(path, threads=1).head
    assert back.kind == head.kind
    assert back.people == head.people
    assert back.prototypes.tobytes() == head.prototypes.tobytes()
    assert back.photos.tolist() == head.photos.tolist()
    assert (back.calibration, back.policy) == (head.calibration, head.policy)


def test_the_file_says_where_it_comes_from(saved, engine_of_toys):
    about = Recognizer.load(saved[2], threads=1).about
    assert about.version == __version__
    assert about.dataset == "d" * 64
    assert about.measured == {"rank1": 0.99}
    assert about.settings == engine_of_toys.settings
    for weights, card in (
        (about.detector, engine_of_toys.detector_card),
        (about.embedder, engine_of_toys.embedder_card),
    ):
        assert (weights.id, weights.licence, weights.sha256) == (card.id, card.licence, card.sha256)
        assert weights.trained_on
        assert weights.publisher


def test_known_and_unknown(engine_of_toys):
    pixels = red_squares(480, 500, [(9, 9), (40, 40)])
    pixels[332:340, 312:336] = 250
    photo = photo_of(pixels)
    _, strict = built(engine_of_toys, 5)
    vectors = [face.embedding for face in strict.identify(photo)]
    head = replace(
        toy_head(5, contract=engine_of_toys.contract, threshold=0.9999),
        prototypes=np.stack([vectors[0], *toy_head(4).prototypes]),
    )
    faces = Recognizer.build(head, engine_of_toys, threads=1).identify(photo)
    assert faces[0].name is not None
    assert faces[0].name == "person 0"
    assert faces[0].similarity == pytest.approx(1, abs=1e-5)
    assert faces[1].name is None
    for face in faces:
        assert face.crop.shape == (112, 112, 3)
        assert np.linalg.norm(face.embedding) == pytest.approx(1, abs=1e-5)
        assert [c.similarity for c in face.candidates] == sorted(
            (c.similarity for c in face.candidates), reverse=True
        )
        assert face.probability == face.candidates[0].probability
        nearest = face.answer.nearest if face.name is None else "person 0"
        assert nearest == face.candidates[0].name


def test_a_reduced_photo_has_its_boxes_in_pixels_of_the_full_one(engine_of_toys, tmp_path):
    _, recognizer = built(engine_of_toys, 3)
    small = red_squares(480, 640, [(20, 30)])
    large = small.repeat(4, 0).repeat(4, 1)
    (tmp_path / "large.jpg").write_bytes(encode_jpeg(large))
    reduced = read_photo(tmp_path / "large.jpg", long_side=640)
    assert reduced.scale == pytest.approx(0.25)
    (face,) = recognizer.identify(reduced)
    (same,) = recognizer.identify(photo_of(reduced.pixels))
    assert np.allclose(face.box / 4, same.box, atol=1e-3)
    assert np.allclose(face.points / 4, same.points, atol=1e-3)
    centre = (face.box[:2] + face.box[2:]) / 2
    assert np.abs(centre - np.array([4 * (8 * 30 + 4), 4 * (8 * 20 + 4)])).max() < 4


def test_threads_share_a_recognizer(engine_of_toys):
    _, recognizer = built(engine_of_toys, 20)
    photos = [photo_of(red_squares(480, 480, [(5 + n, 5 + n)], seed=n)) for n in range(8)]
    expected = [recognizer.identify(photo)[0].answer for photo in photos]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(recognizer.identify, photos * 4))
    assert [faces[0].answer for faces in answers] == expected * 4


def test_rejected_faces_are_in_the_file(engine_of_toys):
    plain, before = built(engine_of_toys)
    rejected = plain.prototypes[2:5]
    head = replace(plain, negatives=rejected, negative_of=np.array([1, 1, 0]))
    recognizer = Recognizer.build(head, engine_of_toys, threads=1)
    again = Recognizer(recognizer._model, threads=1)
    assert again.head.negatives.tobytes() == rejected.tobytes()
    assert again.head.negative_of.tolist() == [1, 1, 0]
    assert "negative_of" not in before.info()
    assert not len(before.head.negatives)
    photo = photo_of(red_squares(480, 640, [(20, 30)]))
    (face,) = before.identify(photo)
    me = face.embedding[None]
    mine = replace(plain, prototypes=np.concatenate([me, plain.prototypes[1:]]))
    said = replace(mine, negatives=me, negative_of=np.array([0]))
    (known,) = Recognizer.build(mine, engine_of_toys, threads=1).identify(photo)
    (face,) = Recognizer.build(said, engine_of_toys, threads=1).identify(photo)
    assert known.name == NAMES[0]
    assert NAMES[0] not in {candidate.name for candidate in face.candidates[:-1]}
    assert face.candidates[-1].similarity == -1


def test_a_head_of_other_embeddings_is_refused(engine_of_toys):
    with pytest.raises(ContractMismatch) as caught:
        Recognizer.build(toy_head(contract="of another embedder"), engine_of_toys)
    assert caught.value.hint


def test_two_builds_of_one_date_are_the_same_file(engine_of_toys, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("a", "b"):
        built(engine_of_toys)[1].save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    created = Recognizer.load(tmp_path / "a", threads=1).about.created
    assert created == "2023-11-14T22:13:20+00:00"


def with_metadata(path, text):
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {} if text is None else {"mien": text})
    path.write_bytes(model.SerializeToString())


def test_a_newer_format_is_refused(saved):
    _, recognizer, path = saved
    fields = recognizer.info() | {"format": FORMAT + 1}
    with_metadata(path, json.dumps(fields))
    with pytest.raises(NotARecognizer, match="newer") as caught:
        Recognizer.load(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "no json",
        "[]",
        "null",
        "{}",
        '{"format": 1}',
        '{"format": "1"}',
        '{"format": 0}',
        '{"format": -3}',
        '{"format": true}',
    ],
)
def test_metadata_of_another_kind_is_refused(saved, text):
    _, _, path = saved
    with_metadata(path, text)
    with pytest.raises(NotARecognizer) as caught:
        Recognizer.load(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


IMPOSTORS = {"measured_on": "x", "false_match_rate": [0.1, 0.01], "template_photos": [1]}


@pytest.mark.parametrize(
    "change",
    [
        {"about": None},
        {"about": {}},
        {"about": {"settings": 3}},
        {"people": 5},
        {"people": ["a"]},
        {"people": [1] * len(NAMES)},
        {"people": ["same"] * len(NAMES)},
        {"policy": None},
        {"policy": {"threshold": 0.5}},
        {"calibration": {"slope": -1, "offset": 0}},
        {"calibration": []},
        {"photos": ["x"]},
        {"photos": []},
        {"photos": [10**30] * len(NAMES)},
        {"photos": [True] * len(NAMES)},
        {"photos": [float("nan")] * len(NAMES)},
        {"calibration": {"slope": 1, "offset": float("inf")}},
        {"contract": 7},
        {"kind": None},
        {"statistics": []},
        {"statistics": {"impostors": {}}},
        {"statistics": {"impostors": {**IMPOSTORS, "similarity": [[0.5, 0.4, 0.3]]}}},
        {"statistics": {"verification": {"slope": "steep"}}},
        {"statistics": "none"},
        {"statistics": {"verification": {"slope": "a", "offset": 0}}},
        {"statistics": {"verification": {"slope": float("nan"), "offset": 0}}},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_damaged_fields_are_refused(saved, change):
    """When it is loaded, not when a photo is the first to need the field."""
    _, recognizer, path = saved
    with_metadata(path, json.dumps(recognizer.info() | change))
    with pytest.raises(NotARecognizer) as caught:
        Recognizer.load(path)
    assert caught.value.hint


MEASURED = {
    "measured_on": "Toys.",
    "false_match_rate": [0.1, 0.01],
    "template_photos": [1, 3],
    "similarity": [[0.2, 0.4], [0.3, 0.5]],
}


@pytest.mark.parametrize(
    "change",
    [
        {"false_match_rate": [0.1]},
        {"false_match_rate": []},
        {"false_match_rate": [0.01, 0.1]},
        {"false_match_rate": [0.1, 0]},
        {"false_match_rate": [2, 0.1]},
        {"false_match_rate": [float("nan"), 0.1]},
        {"template_photos": [1]},
        {"template_photos": [3, 1]},
        {"template_photos": [0, 1]},
        {"template_photos": [1, 10**30]},
        {"similarity": []},
        {"similarity": [[], []]},
        {"similarity": [[0.4, 0.2], [0.3, 0.5]]},
        {"similarity": [[0.2, float("nan")], [0.3, 0.5]]},
        {"similarity": [[0.2, 1e300], [0.3, 0.5]]},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_damaged_impostor_statistics_are_refused(saved, change):
    """A false positive rate must not come from a table that no card may have."""
    _, recognizer, path = saved
    with_metadata(path, json.dumps(recognizer.info() | {"statistics": {"impostors": MEASURED}}))
    assert Recognizer.load(path).statistics.impostors.template_photos == (1, 3)
    damaged = {"impostors": MEASURED | change}
    with_metadata(path, json.dumps(recognizer.info() | {"statistics": damaged}))
    with pytest.raises(NotARecognizer) as caught:
        Recognizer.load(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    "change", [{"measured": None}, {"created": 5}, {"version": []}], ids=json.dumps
)
def test_damaged_descriptions_are_refused(saved, change):
    _, recognizer, path = saved
    about = recognizer.info()["about"] | change
    with_metadata(path, json.dumps(recognizer.info() | {"about": about}))
    with pytest.raises(NotARecognizer):
        Recognizer.load(path)


def test_metadata_nested_too_deeply_is_refused(saved):
    _, _, path = saved
    with_metadata(path, "[" * 100_000)
    with pytest.raises(NotARecognizer):
        Recognizer.load(path)


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(saved, keep):
    _, _, path = saved
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])
    with pytest.raises(NotARecognizer) as caught:
        Recognizer.load(path)
    assert caught.value.hint


def test_a_foreign_model_is_refused(tmp_path):
    path = tmp_path / "foreign.onnx"
    path.write_bytes(whole_graph(toy_parts()).SerializeToString())
    with pytest.raises(NotARecognizer, match="Mien did not write it"):
        Recognizer.load(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode_jpeg(np.zeros((50, 50, 3), np.uint8)))
    with pytest.raises(NotARecognizer):
        Recognizer.load(path)
    for missing in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(RecognizerNotFound) as caught:
            Recognizer.load(missing)
        assert caught.value.hint


def test_a_place_that_cannot_be_written(saved, tmp_path):
    _, recognizer, _ = saved
    (tmp_path / "folder.onnx").mkdir()
    folder, null = tmp_path / "folder.onnx", tmp_path / "a\0b"
    for path in (tmp_path / "no" / "such" / "folder.onnx", folder, null, "", "/"):
        with pytest.raises(OutputError) as caught:
            recognizer.save(path)
        assert caught.value.hint
    assert not list(tmp_path.glob(".*.part"))


WRITER = """
import sys
from pathlib import Path
from mien.files import write_atomically

old, new = b"o" * 3_000_000, b"n" * 3_000_000
print("ready", flush=True)
while True:
    write_atomically(Path(sys.argv[1]), new)
    write_atomically(Path(sys.argv[1]), old)
"""


def test_a_killed_save_leaves_the_old_file_or_the_new(tmp_path):
    path = tmp_path / "people.onnx"
    write_atomically(path, b"o" * 3_000_000)
    for milliseconds in (0, 3, 8, 15):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(milliseconds / 1000)
            os.kill(writer.pid, signal.SIGKILL)
        data = path.read_bytes()
        assert len(data) == 3_000_000
        assert len(set(data)) == 1


def test_the_graph_needs_no_mien(saved):
    """Anything that runs ONNX gets the same answers from the file."""
    _, recognizer, path = saved
    photo = photo_of(red_squares(480, 500, [(9, 9)]))
    boxes, similarities, person = run(
        onnx.load(path), "boxes", "similarities", "person", image=photo.pixels
    )
    (face,) = recognizer.identify(photo)
    assert np.array_equal(boxes[0], face.box)
    assert similarities[0, 0] == pytest.approx(face.similarity)
    assert (person[0] >= 0) == (face.name is not None)


def test_one_person_is_a_gallery(engine_of_toys):
    _, recognizer = built(engine_of_toys, ("Only One",))
    (face,) = recognizer.identify(photo_of(red_squares(480, 480, [(9, 9)])))
    assert [candidate.name for candidate in face.candidates] == ["Only One"]


@pytest.mark.weights
def test_weights_of_eight_bits_give_the_same_answers(engine, portraits):
    head = toy_head(50, threshold=0.2, contract=engine.contract, dimension=engine.dimension)
    recognizer = Recognizer.build(head, engine, threads=1)
    smaller = recognizer.stored_as("int8")
    assert (recognizer.form, smaller.form) == ("float32", "int8")
    assert 3 * smaller.size < recognizer.size
    assert (smaller.head.prototypes == recognizer.head.prototypes).all()
    assert (smaller.people, smaller.policy) == (recognizer.people, recognizer.policy)
    for path in sorted(portraits.iterdir()):
        photo = read_photo(path, long_side=recognizer.max_long_side)
        pairs = zip(recognizer.identify(photo), smaller.identify(photo), strict=True)
        for face, small in pairs:
            assert np.abs(face.box - small.box).max() < 0.01
            assert np.abs(head.prototypes @ (face.embedding - small.embedding)).max() < 1e-3


def test_what_is_shown_of_a_recognizer(saved):
    _, recognizer, _ = saved
    assert repr(recognizer) == "<Recognizer 8 people, unknown below 0.500>"
    assert repr(recognizer.engine()) == f"<RecognizerEngine contract {recognizer.contract}>"
    html = recognizer._repr_html_()
    assert "[bold]a\nb[/bold]" in html  # a name is text, whatever it looks like
    assert "O&#x27;Brien &quot;Bob&quot;" in html
    assert recognizer.to_dict() == recognizer.info()


def test_what_a_caller_changes_stays_with_the_caller(saved):
    """A copy in another form is written from the same fields."""
    _, recognizer, path = saved
    before = Recognizer.load(path).info()
    recognizer.info()["people"].clear()
    recognizer.to_dict()["about"]["measured"].clear()
    recognizer.training.clear()
    assert recognizer.info() == before
    assert recognizer.training == {"rank1": 0.99}
    assert recognizer.stored_as("float16").people == recognizer.people


def test_a_path_is_not_the_bytes_of_a_file(saved):
    """onnxruntime takes a path too, but such a recognizer could not be saved."""
    _, _, path = saved
    with pytest.raises(TypeError, match=r"Recognizer\.load"):
        Recognizer(str(path))
