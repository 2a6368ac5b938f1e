"""Library calls: `mien.build_dataset`, and a dataset in a notebook."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from squares import SquareEngine, people_folder, person, write

import mien
from mien.cli.dataset.commands import dataset as dataset_commands
from mien.dataset.storage.dataset_html import MAX_PEOPLE, MAX_PICTURES
from mien.engine import Engine
from mien.errors import GalleryNotFound, NotADataset, OutputError, SourceNotFound


@pytest.fixture
def photos(tmp_path):
    return people_folder(tmp_path / "photos")


@pytest.fixture
def opened(monkeypatch):
    """Replace `Engine.open` by a test engine; return the options of each call."""
    calls = []

    def open_engine(**options):
        calls.append(options)
        return SquareEngine()

    monkeypatch.setattr(Engine, "open", open_engine)
    return calls


def test_one_source_or_a_list_as_str_or_path(tmp_path, photos):
    forms = [photos, str(photos), [photos], [str(photos)], (photos,)]
    digests = {
        mien.build_dataset(form, tmp_path / f"out{i}", engine=SquareEngine()).digest
        for i, form in enumerate(forms)
    }
    assert len(digests) == 1


def test_the_output_is_a_str_or_path(tmp_path, photos):
    made = mien.build_dataset(photos, str(tmp_path / "out"), engine=SquareEngine())
    assert isinstance(made, mien.Dataset)
    assert made.path == tmp_path / "out"
    assert mien.Dataset.open(str(tmp_path / "out")).digest == made.digest


def test_several_sources(tmp_path, photos):
    write(tmp_path / "more" / "Person_00" / "1.png", person(0, 9))
    write(tmp_path / "more" / "Zoe" / "1.png", person(8))
    made = mien.build_dataset([photos, tmp_path / "more"], tmp_path / "out", engine=SquareEngine())
    assert [source["label"] for source in made.card["sources"]] == ["photos", "more"]
    assert made.people == ("Person 00", "Person 01", "Person 02", "Zoe")


COMMAND_OPTIONS = {
    "defaults": ([], {}),
    "share and seed": (["--train-share", "0.5", "--seed", "7"], {"train_share": 0.5, "seed": 7}),
    "kept apart": (["--keep-apart"], {"keep_apart": True}),
    "flipped singletons": (["--flip-singletons"], {"flip_singletons": True}),
    "margin": (["--crop", "margin:32", "--size", "96"], {"margin": mien.MarginCrop(32, 96)}),
    "jobs": (["--jobs", "1"], {"jobs": 1}),
    "models": (
        ["--embedder", "one", "--detector", "two", "--detection-size", "960"],
        {"embedder": "one", "detector": "two", "detection_size": 960},
    ),
}


@pytest.mark.parametrize(
    ("arguments", "options"), COMMAND_OPTIONS.values(), ids=COMMAND_OPTIONS.keys()
)
def test_the_command_makes_the_same_dataset(tmp_path, photos, opened, arguments, options):
    write(photos / "Solo" / "1.png", person(5))
    shutil.copytree(photos, tmp_path / "again")
    sources = [str(photos), str(tmp_path / "again")]
    made = mien.build_dataset(sources, tmp_path / "library", **options)
    result = CliRunner().invoke(
        dataset_commands, ["build", *sources, "-o", str(tmp_path / "command"), "--json", *arguments]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["digest"] == made.digest
    differing = {"made"}
    command = mien.Dataset.open(tmp_path / "command").to_dict()
    assert {k: v for k, v in made.to_dict().items() if k not in differing} == {
        k: v for k, v in command.items() if k not in differing
    }
    by_library, by_command = (
        {key: value for key, value in call.items() if key != "progress"} for call in opened
    )
    assert by_library == by_command


def test_every_option_reaches_the_build(tmp_path, photos, opened):
    write(photos / "Solo" / "1.png", person(5))
    shutil.copytree(photos, tmp_path / "again")
    reported = []
    made = mien.build_dataset(
        [photos, tmp_path / "again"],
        tmp_path / "out",
        train_share=0.5,
        seed=3,
        keep_apart=True,
        flip_singletons=True,
        margin=mien.MarginCrop(16, 64),
        jobs=1,
        embedder="an embedder",
        detector="a detector",
        detection_size=1024,
        progress=lambda done, total, what: reported.append((done, total, what)),
    )
    split = made.card["split"]
    assert (split["share"], split["seed"], split["flip_singletons"]) == (0.5, 3, True)
    assert split["leaked"] == 2
    assert "Solo (photos)" in made.people
    assert "Solo (again)" in made.people
    with Image.open(next((tmp_path / "out" / "crops-margin16-64").rglob("*.jpg"))) as crop:
        assert crop.size == (64, 64)
    (call,) = opened
    assert (call["embedder"], call["detector"], call["threads"]) == (
        "an embedder",
        "a detector",
        1,
    )
    assert call["settings"] == mien.DetectionSettings(max_side=1024)
    assert (26, 26, "photos") in reported


def test_an_open_engine_is_used(tmp_path, photos, opened):
    engine = SquareEngine()
    mien.build_dataset(photos, tmp_path / "out", engine=engine)
    assert engine.photos_read == 12
    assert opened == []


def test_a_missing_source_is_reported_before_models_are_opened(tmp_path, opened):
    with pytest.raises(SourceNotFound):
        mien.build_dataset(tmp_path / "missing", tmp_path / "out")
    assert opened == []
    assert not (tmp_path / "out").exists()


def test_a_share_of_0_is_rejected(tmp_path, photos):
    with pytest.raises(ValueError, match="share"):
        mien.build_dataset(photos, tmp_path / "out", train_share=0, engine=SquareEngine())


def test_repr_and_dict(tmp_path, photos):
    made = mien.build_dataset(photos, tmp_path / "out", engine=SquareEngine())
    assert repr(made) == f"<Dataset {tmp_path / 'out'}: 3 people, 12 photos used>"
    assert made.to_dict() == made.card
    json.dumps(made.to_dict())


def test_a_notebook_shows_people_with_counts_and_pictures(tmp_path, photos):
    (photos / "Person_01" / "bad.jpg").write_bytes(b"bad")
    made = mien.build_dataset(photos, tmp_path / "out", engine=SquareEngine())
    html = made._repr_html_()
    assert "Dataset of 3 people" in html
    assert "unreadable 1" in html
    rows = re.findall(r'<tr><th scope="row">(Person \d+)</th>((?:<td>[\d,]+</td>)+)', html)
    counts = {name: [int(n) for n in re.findall(r"\d+", cells)] for name, cells in rows}
    assert counts["Person 01"] == [5, 4, 3, 1]
    assert list(counts) == ["Person 01", "Person 00", "Person 02"]
    assert html.count('src="data:image/jpeg;base64,') == 3 * MAX_PICTURES
    assert "http" not in html


def test_a_notebook_shows_names_as_text(tmp_path):
    write(tmp_path / "1.png", person(1))
    name = "<img src=x onerror=alert(1)>"
    (tmp_path / "list.csv").write_text(f"path,person\n1.png,{name}\n", "utf-8")
    made = mien.build_dataset(tmp_path / "list.csv", tmp_path / "out", engine=SquareEngine())
    html = made._repr_html_()
    assert name not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


def test_a_notebook_shows_few_people_of_many(tmp_path):
    root = people_folder(tmp_path / "photos", people=14, photos=5)
    made = mien.build_dataset(root, tmp_path / "out", engine=SquareEngine())
    html = made._repr_html_()
    assert html.count("data:image/jpeg") == MAX_PEOPLE * MAX_PICTURES
    assert "4 more people not listed" in html
    assert len(html) < 200_000


def test_a_notebook_shows_a_dataset_without_crops(tmp_path, photos):
    made = mien.build_dataset(photos, tmp_path / "out", engine=SquareEngine())
    shutil.rmtree(tmp_path / "out" / "crops")
    html = made._repr_html_()
    assert "Person 00" in html
    assert "data:image" not in html


def test_numpy_numbers_as_options(tmp_path, photos):
    """They are stored as JSON, after all photos were processed."""
    plain = mien.build_dataset(
        photos, tmp_path / "plain", engine=SquareEngine(), train_share=0.5, seed=7, keep_apart=True,
        margin=mien.MarginCrop(32, 96), jobs=2,
    )  # fmt: skip
    given = mien.build_dataset(
        photos, tmp_path / "given", engine=SquareEngine(), train_share=np.float32(0.5),
        seed=np.int64(7), keep_apart=np.bool_(True), jobs=np.int64(2),
        margin=mien.MarginCrop(np.int64(32), np.int64(96)),
    )  # fmt: skip
    assert given.digest == plain.digest
    assert repr(mien.DetectionSettings(max_side=np.int64(640))) == repr(
        mien.DetectionSettings(max_side=640)
    )


@pytest.mark.parametrize(
    "options",
    [{"seed": 1.5}, {"seed": "x"}, {"seed": None}, {"jobs": -1}, {"margin": 32}],
    ids=repr,
)
def test_options_of_another_kind_are_refused_at_once(tmp_path, photos, options):
    with pytest.raises((TypeError, ValueError)):
        mien.build_dataset(photos, tmp_path / "out", engine=SquareEngine(), **options)
    assert not (tmp_path / "out").exists()


def test_paths_that_cannot_be_looked_at(tmp_path, photos):
    """Their names are too long, as a glob that the shell did not expand can be."""
    long = "a" * 300
    with pytest.raises(SourceNotFound):
        mien.build_dataset(long, tmp_path / "out", engine=SquareEngine())
    with pytest.raises(OutputError):
        mien.build_dataset(photos, tmp_path / long, engine=SquareEngine())
    with pytest.raises(NotADataset):
        mien.Dataset.open(tmp_path / long)
    with pytest.raises(GalleryNotFound):
        mien.Gallery.open(tmp_path / long)
