"""The commands identify, align, verify and info: exit codes, output and files."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mien.cli.identify as commands
from mien.cli import main
from mien.errors import SELDOM_FOUND
from mien.models.statistics import ImpostorStatistics
from mien.recognizer import Recognizer
from mien.types import Calibration
from toy_graphs import red_squares, toy_engine, toy_head

IMPOSTORS = ImpostorStatistics(
    measured_on="made up",
    false_match_rate=(0.1, 0.001),
    template_photos=(1,),
    similarity=((0.5, 0.9),),
)


class Answer:
    """Exit code and output of a command."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def mien(capfd, monkeypatch):
    """Return mien(*arguments), which runs the command line in this process."""
    # rich folds a table to the width of the terminal; this is wide enough for the paths of tests.
    monkeypatch.setattr(commands.out, "width", 400)

    def call(*arguments) -> Answer:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        assert isinstance(left.value.code, int)
        return Answer(left.value.code, *capfd.readouterr())

    return call


@pytest.fixture(scope="module")
def engine_of_toys():
    return toy_engine()


@pytest.fixture(scope="module")
def recognizer(engine_of_toys, tmp_path_factory):
    """Return the file of a recognizer of toy people, one of them with markup in the name."""
    people = ("[red]Zoë[/red]", "张伟", "Ivan")
    head = toy_head(people, contract=engine_of_toys.contract, threshold=-1.0)
    path = tmp_path_factory.mktemp("recognizer") / "people.onnx"
    Recognizer.build(head, engine_of_toys, dataset="d" * 64, threads=1).save(path)
    return path


def save(path, cells=((20, 20),), size=(480, 480)):
    """Write an image with red squares, which the toy detector takes for faces."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(red_squares(*size, list(cells))).save(path)
    return path


def test_json_is_a_list_with_one_object_per_photo(mien, recognizer, tmp_path):
    two = save(tmp_path / "two.png", [(20, 10), (30, 40)])
    none = save(tmp_path / "none.png", [])
    answer = mien("identify", recognizer, two, none, "--json")
    assert answer.code == 0
    first, second = answer.json
    assert first.keys() == {"photo", "width", "height", "faces", "error"}
    assert (first["photo"], first["error"]) == (str(two), None)
    assert (second["photo"], second["faces"], second["error"]) == (str(none), [], None)
    assert len(first["faces"]) == 2
    for face in first["faces"]:
        assert face.keys() == {
            "box", "points", "score", "name", "person_id", "similarity", "probability",
            "false_positive_rate", "nearest", "candidates", "crop", "face_token",
        }  # fmt: skip
        assert len(face["box"]) == 4
        assert -1 <= face["similarity"] <= 1
        assert 0 <= face["probability"] <= 1
        assert face["nearest"] in {"[red]Zoë[/red]", "张伟", "Ivan"}
        assert face["name"] in {face["nearest"], None}
    assert any(face["name"] for face in first["faces"])


def test_the_table_prints_names_without_interpreting_markup(mien, recognizer, tmp_path):
    names = set()
    for seed in range(6):
        path = tmp_path / f"{seed} [bold].png"
        pixels = red_squares(480, 480, [(20, 20)], seed)
        pixels[140:155, 140:180] = np.array([40 * seed, 255 - 40 * seed, 90])
        Image.fromarray(pixels).save(path)
        answer = mien("identify", recognizer, path)
        assert answer.code == 0
        assert path.name in answer.out
        names |= {name for name in ("[red]Zoë[/red]", "张伟", "Ivan") if name in answer.out}
    assert names


def test_a_bad_photo_does_not_stop_the_others(mien, recognizer, tmp_path):
    save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    save(tmp_path / "c.png")
    answer = mien("identify", recognizer, tmp_path, "--json", "--draw", tmp_path / "drawn")
    assert answer.code == 1
    a, b, c = answer.json
    assert (a["error"], c["error"]) == (None, None)
    assert (len(a["faces"]), len(c["faces"])) == (1, 1)
    assert b["faces"] == []
    assert "b.jpg" in b["error"]
    assert "b.jpg" in answer.err
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["a.jpg", "c.jpg"]

    table = mien("identify", recognizer, tmp_path)
    assert table.code == 1
    assert "cannot be read" in table.out


def test_folders_patterns_and_names_with_brackets(mien, recognizer, tmp_path, monkeypatch):
    save(tmp_path / "in" / "deep" / "Zoë 张.png")
    save(tmp_path / "in" / "b[1].png")
    save(tmp_path / "in" / "b1.png")
    (tmp_path / "in" / "notes.txt").write_text("no photo")

    def named(*arguments):
        answer = mien("identify", recognizer, *arguments, "--json")
        assert answer.code == 0
        return [row["photo"] for row in answer.json]

    assert len(named(tmp_path / "in")) == 3
    # A file that is there is meant, though it could be a pattern.
    assert named(tmp_path / "in" / "b[1].png") == [str(tmp_path / "in" / "b[1].png")]
    assert named(tmp_path / "in" / "b*.png") == [
        str(tmp_path / "in" / name) for name in ("b1.png", "b[1].png")
    ]
    monkeypatch.chdir(tmp_path)
    assert named("in/**/Zoë*.png") == ["in/deep/Zoë 张.png"]


def test_no_photo_found_is_exit_code_10(mien, recognizer, tmp_path):
    for argument in ("none.jpg", "*.png", "a/b/c/*.jpg"):
        answer = mien("identify", recognizer, tmp_path / argument)
        assert answer.code == 10
        assert argument.split("/")[-1] in answer.err
        assert "Give a photo" in answer.err
    (tmp_path / "empty").mkdir()
    assert mien("identify", recognizer, tmp_path / "empty").code == 10


def test_draw_one_photo_to_a_file_and_several_to_a_folder(mien, recognizer, tmp_path):
    one = save(tmp_path / "one" / "same.png", [(20, 20)], (480, 500))
    other = save(tmp_path / "other" / "same.png", [(30, 30)])
    assert mien("identify", recognizer, one, "--draw", tmp_path / "out.jpg").code == 0
    with Image.open(tmp_path / "out.jpg") as drawn, Image.open(one) as original:
        assert drawn.format == "JPEG"
        assert drawn.size == original.size
        difference = np.abs(np.asarray(drawn).astype(int) - np.asarray(original)).max(2)
    assert (difference > 60).sum() > 100

    assert mien("identify", recognizer, one, other, "--draw", tmp_path / "d").code == 0
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["same-1.jpg", "same-2.jpg"]
    assert mien("identify", recognizer, one, "--draw", tmp_path / "d").code == 0
    assert (tmp_path / "d" / "same.jpg").is_file()


def test_a_drawing_is_written_through_symlinks_and_never_over_a_device(mien, recognizer, tmp_path):
    one = save(tmp_path / "one.png")
    output_is_written_safely(mien, tmp_path, "identify", recognizer, one, "--draw")
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    two = save(tmp_path / "two.png")
    assert mien("identify", recognizer, one, two, "--draw", tmp_path / "folder").code == 0
    assert len(list((tmp_path / "real").iterdir())) == 2
    assert mien("identify", recognizer, one, two, "--draw", "/dev/null").code == 17


def output_is_written_safely(mien, folder, *command):
    """Check that a command writes through a symlink, and refuses a pipe and a device."""
    os.mkfifo(folder / "pipe.jpg")
    (folder / "full.jpg").symlink_to("/dev/full")
    for name in ("pipe.jpg", "full.jpg"):
        answer = mien(*command, folder / name)
        assert (answer.code, "not a file" in answer.err) == (17, True)
    (folder / "link.jpg").symlink_to(folder / "target.jpg")
    assert mien(*command, folder / "link.jpg").code == 0
    assert (folder / "link.jpg").is_symlink()
    assert (folder / "target.jpg").stat().st_size > 100
    assert Path("/dev/full").is_char_device()


@pytest.mark.parametrize(("name", "made"), [("a.PNG", "PNG"), ("a.jpeg", "JPEG"), ("a.xyz", None)])
def test_the_suffix_decides_the_format_of_a_drawing(mien, recognizer, tmp_path, name, made):
    answer = mien("identify", recognizer, save(tmp_path / "one.png"), "--draw", tmp_path / name)
    if made is None:
        assert (answer.code, answer.out) == (2, "")
        assert "ends in .jpg or .png" in answer.err
        assert not (tmp_path / name).exists()
        return
    assert answer.code == 0
    with Image.open(tmp_path / name) as drawn:
        assert drawn.format == made


def test_a_photo_given_twice_is_identified_once(mien, recognizer, tmp_path):
    one = save(tmp_path / "in" / "one.png")
    answer = mien("identify", recognizer, one, one.parent, "--draw", tmp_path / "d.jpg", "--json")
    assert answer.code == 0
    assert len(answer.json) == 1
    assert (tmp_path / "d.jpg").is_file()


def test_no_drawing_overwrites_another(mien, recognizer, tmp_path):
    for name in ("one.png", "one.bmp", "one-1.png", "deep/one.png"):
        save(tmp_path / "in" / name)
    assert mien("identify", recognizer, tmp_path / "in", "--draw", tmp_path / "d").code == 0
    drawn = sorted(path.name for path in (tmp_path / "d").iterdir())
    assert drawn == ["one-1.jpg", "one-2.jpg", "one-3.jpg", "one-4.jpg"]


def test_a_drawing_that_cannot_be_written_is_exit_code_17(mien, recognizer, tmp_path):
    one, other = save(tmp_path / "one.png"), save(tmp_path / "other.png")
    (tmp_path / "file").write_text("in the way")
    assert mien("identify", recognizer, one, "--draw", tmp_path / "no" / "x.jpg").code == 17
    answer = mien("identify", recognizer, one, other, "--draw", tmp_path / "file")
    assert answer.code == 17
    assert "--draw takes a folder" in answer.err


def test_a_face_is_one_line_in_a_pipe_however_long_the_path(
    mien, recognizer, tmp_path, monkeypatch
):
    monkeypatch.setattr(commands.out, "width", 80)
    photo = save(tmp_path / ("long" * 30) / ("name" * 30 + ".png"))
    answer = mien("identify", recognizer, photo)
    assert answer.code == 0
    assert str(photo) in answer.out


def test_no_photo_is_overwritten(mien, recognizer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one, other = save(tmp_path / "in" / "one.jpg"), save(tmp_path / "in" / "other.png")
    before = one.read_bytes()
    for words in (
        ("identify", recognizer, one, "--draw", one),
        ("identify", recognizer, one, "--draw", "in/one.jpg"),
        ("identify", recognizer, one, other, "--draw", one.parent),
        ("align", one, "-o", "in/one.jpg"),
    ):
        answer = mien(*words)
        assert answer.code == 2
        assert "is one of the photos" in answer.err
        assert one.read_bytes() == before


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("none.jpg", "none.jpg: no such file or folder"),
        ("*.heic", "*.heic: no file matches this pattern"),
        ("empty", "empty: no photos in this folder"),
    ],
)
def test_the_message_says_why_an_argument_gives_no_photos(
    mien, recognizer, tmp_path, monkeypatch, argument, message
):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    answer = mien("identify", recognizer, argument)
    assert answer.code == 10
    assert message in answer.err


def test_no_recognizer_is_exit_code_13(mien, tmp_path):
    photo = save(tmp_path / "one.png")
    for path in (tmp_path / "none.onnx", photo):
        answer = mien("identify", path, photo)
        assert answer.code == 13
        assert "mien train" in answer.err or "make it again" in answer.err


def test_more_photos_than_a_batch_keep_their_order(mien, recognizer, tmp_path):
    for number in range(40):
        save(tmp_path / f"{number:02}.png", [(20, 20)] if number % 2 else [])
    answer = mien("identify", recognizer, tmp_path, "--json")
    assert [len(row["faces"]) for row in answer.json] == [0, 1] * 20
    assert [row["photo"] for row in answer.json] == sorted(row["photo"] for row in answer.json)


def test_info(mien, recognizer):
    answer = mien("info", recognizer)
    assert answer.code == 0
    for said in ("张伟", "[red]Zoë[/red]", "MIT", "Apache-2.0", "made up", "1.00%"):
        assert said in answer.out
    fields = mien("info", recognizer, "--json").json
    assert fields["people"] == ["[red]Zoë[/red]", "张伟", "Ivan"]
    assert fields["bytes"] == recognizer.stat().st_size
    assert {"contract", "policy", "calibration", "about", "format"} <= fields.keys()


@pytest.fixture
def toys_everywhere(engine_of_toys, monkeypatch):
    """Make the commands use an engine of toy models."""
    embedder = replace(
        engine_of_toys.embedder_card, impostors=IMPOSTORS, verification=Calibration(10, -5)
    )
    engine = replace(engine_of_toys, embedder_card=embedder)
    monkeypatch.setattr(commands.Engine, "open", lambda **_: engine)


@pytest.mark.usefixtures("toys_everywhere")
class TestAlign:
    @pytest.mark.parametrize(("name", "size"), [("a.png", 112), ("a.jpg", 600), ("A.JPEG", 16)])
    def test_sizes_and_formats(self, mien, tmp_path, name, size):
        photo = save(tmp_path / "photo.png")
        answer = mien("align", photo, "-o", tmp_path / name, "--size", size)
        assert answer.code == 0
        with Image.open(tmp_path / name) as crop:
            assert crop.size == (size, size)
            assert crop.format == ("PNG" if name.endswith("png") else "JPEG")
        assert answer.err == f"{tmp_path / name}: the only face\n"

    def test_a_symlink_is_written_through_and_a_device_refused(self, mien, tmp_path):
        photo = save(tmp_path / "photo.png")
        output_is_written_safely(mien, tmp_path, "align", photo, "-o")

    def test_faces_are_counted_from_the_left(self, mien, tmp_path):
        photo = save(tmp_path / "photo.png", [(20, 40), (40, 10), (10, 25)])
        crops = []
        for face in (1, 2, 3):
            answer = mien("align", photo, "-o", tmp_path / "f.png", "--face", face)
            assert (answer.code, f"face {face} of 3" in answer.err) == (0, True)
            crops.append((tmp_path / "f.png").read_bytes())
        assert len(set(crops)) == 3
        alone = save(tmp_path / "alone.png", [(40, 10)])
        mien("align", alone, "-o", tmp_path / "f.png")
        with Image.open(tmp_path / "f.png") as crop:
            first = np.asarray(crop).astype(int)
        (tmp_path / "first.png").write_bytes(crops[0])
        with Image.open(tmp_path / "first.png") as crop:
            assert np.abs(np.asarray(crop) - first).mean() < 2

    def test_errors(self, mien, tmp_path):
        photo, empty = save(tmp_path / "photo.png"), save(tmp_path / "empty.png", [])
        answer = mien("align", empty, "-o", tmp_path / "f.png")
        assert (answer.code, "no face" in answer.err) == (11, True)
        assert SELDOM_FOUND in answer.err
        answer = mien("align", photo, "-o", tmp_path / "f.png", "--face", 2)
        assert (answer.code, "no face 2" in answer.err) == (11, True)
        assert mien("align", tmp_path / "none.png", "-o", tmp_path / "f.png").code == 10
        assert mien("align", photo, "-o", tmp_path / "no" / "f.png").code == 17
        assert mien("align", photo, "-o", tmp_path / "f.gif").code == 2
        assert mien("align", photo, "-o", tmp_path / "f.png", "--size", 5).code == 2
        assert not (tmp_path / "f.png").exists()


@pytest.mark.usefixtures("toys_everywhere")
class TestVerify:
    def test_a_photo_and_itself(self, mien, tmp_path):
        photo = save(tmp_path / "photo.png")
        answer = mien("verify", photo, photo, "--json")
        assert answer.code == 0
        assert answer.json["same"] is True
        assert answer.json["similarity"] == pytest.approx(1, abs=1e-5)
        assert answer.json["threshold"] == pytest.approx(0.9)
        assert answer.json["false_match_rate"] == 0.001
        assert answer.json["probability"] == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-4)
        out = mien("verify", photo, photo).out
        assert "the same person" in out
        assert "which happens to 0.1 % of pairs" in out

    def test_the_threshold_follows_the_rate(self, mien, tmp_path):
        photo = save(tmp_path / "photo.png")
        for rate, threshold in ((0.1, 0.5), (0.01, 0.7), (0.001, 0.9)):
            answer = mien("verify", photo, photo, "--false-match-rate", rate, "--json")
            assert answer.json["threshold"] == pytest.approx(threshold)

    def test_errors(self, mien, tmp_path):
        photo, empty = save(tmp_path / "photo.png"), save(tmp_path / "empty.png", [])
        answer = mien("verify", photo, empty)
        assert (answer.code, "empty.png" in answer.err) == (11, True)
        assert mien("verify", photo, tmp_path / "none.jpg").code == 10
        answer = mien("verify", photo, photo, "--false-match-rate", "1e-9")
        assert answer.code == 12
        assert "between 0.001 and 0.1" in answer.err
        assert mien("verify", photo, photo, "--false-match-rate", "2").code == 2


@pytest.mark.weights
@pytest.mark.usefixtures("engine")
def test_real_people(mien, portraits, tmp_path):
    same = mien("verify", portraits / "obama.jpg", portraits / "obama2.jpg", "--json").json
    different = mien("verify", portraits / "obama.jpg", portraits / "biden.jpg", "--json").json
    assert same["same"] is True
    assert different["same"] is False
    assert same["probability"] > 0.9
    assert different["probability"] < 0.1
    assert mien("align", portraits / "biden.jpg", "-o", tmp_path / "b.png").code == 0


def test_an_empty_argument_is_not_the_current_folder(mien, recognizer, tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    answer = mien("identify", recognizer, "")
    assert answer.code == 10
    assert "'': no such file or folder" in answer.err


def test_an_unknown_face_similar_to_a_named_person_is_explained(capfd):
    def face(name, nearest, similarity, probability):
        numbers = {"similarity": similarity, "probability": probability}
        return {"box": [0, 0, 9, 9], "name": name, "nearest": nearest, **numbers}

    def explained(*faces):
        row = {"photo": "party.jpg", "faces": list(faces), "error": None, "hint": ""}
        commands._show([row], as_json=False)
        return capfd.readouterr().err

    ada, again = face("Ada", "Ada", 0.9, 0.99), face(None, "Ada", 0.8, 0.98)
    stranger = face(None, "Ada", 0.2, 0.01)
    assert "similar: 2 faces" in explained(again, ada, stranger, again)
    assert explained(ada, stranger) == ""
    assert explained(again) == ""


@pytest.mark.parametrize(
    ("name", "nearest", "line"),
    [
        ("[b]Ada", "[b]Ada", "a.jpg [b]Ada 1% 0.21 0 0 9 9"),
        (None, "[b]Ada", "a.jpg unknown (nearest: [b]Ada) 1% 0.21 0 0 9 9"),
        (None, None, "a.jpg unknown - - 0 0 9 9"),
    ],
)
@pytest.mark.usefixtures("mien")
def test_an_unknown_face_is_shown_with_its_nearest_person(capfd, name, nearest, line):
    face = {"box": [0, 0, 9, 9], "name": name, "similarity": 0.21, "probability": 0.01}
    row = {"photo": "a.jpg", "faces": [{**face, "nearest": nearest}], "error": None, "hint": ""}
    commands._show([row], as_json=False)
    assert " ".join(capfd.readouterr().out.splitlines()[1].split()) == line


@pytest.mark.parametrize(
    ("argument", "why"),
    [("a" * 300, "no such file or folder"), ("photos/**x", "no file matches this pattern")],
    ids=["too long", "no pattern"],
)
def test_an_argument_that_cannot_be_looked_at(mien, recognizer, argument, why):
    answer = mien("identify", recognizer, argument)
    assert answer.code == 10
    assert why in answer.err
