"""Copies of photos on both sides of a split are found."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image, ImageOps
from squares import SquareEngine, people_folder, person, write

from mien.cli import main
from mien.dataset import Dataset
from mien.dataset.audit.leaks import audit
from mien.dataset.build import Options, build
from mien.dataset.curate import SplitRule
from mien.dataset.storage.ledger import LEDGER
from mien.errors import EmptyDataset


def test_a_built_dataset_does_not_leak(tmp_path):
    root = people_folder(tmp_path / "photos", people=4, photos=4)
    write(root / "Person_00" / "copy.png", person(0, 0))
    made = build([str(root)], tmp_path / "out", SquareEngine())
    found = audit(made)
    assert found.leaks == ()
    assert found.validation == int(made.validation.sum())
    assert found.rank1 == found.rank1_clean
    assert [(kind.first, kind.last) for kind in found.people] == [(3, 4), (5, 9)]


def test_flipped_singletons_leak(tmp_path):
    root = people_folder(tmp_path / "photos", people=3, photos=3)
    for i in range(3, 6):
        write(root / f"Single_{i}" / "one.png", person(i))
    options = Options(rule=SplitRule(flip_singletons=True))
    build([str(root)], tmp_path / "out", SquareEngine(), options)
    for ledger in (True, False):  # without a ledger the crops are compared
        if not ledger:
            (tmp_path / "out" / LEDGER).unlink()
            for path in (tmp_path / "out").glob(LEDGER + "-*"):
                path.unlink()
        found = audit(Dataset.open(tmp_path / "out"))
        assert found.counts == {"mirrored": 3}
        assert found.validation == 6
        single = found.people[0]
        assert (single.first, single.validation, single.leaking) == (1, 3, 3)
        assert all(leak.validation.leak and not leak.train.leak for leak in found.leaks)


def test_same_bytes_on_both_sides(tmp_path):
    train, held = tmp_path / "train", tmp_path / "held"
    for i in range(3):
        write(train / f"Person_{i}" / "a.png", person(i))
        write(held / f"Person_{i}" / "b.png", person(i, 0 if i == 1 else 9))
    both = build([str(train), str(held)], tmp_path / "out", SquareEngine())
    sides = np.array([entry.source == "train" for entry in both.rows])
    found = audit(both, sides)
    assert found.counts == {"same-bytes": 1}
    assert found.leaks[0].validation.photo == "Person_1/b.png"
    assert found.leaks[0].train.photo == "Person_1/a.png"
    with pytest.raises(EmptyDataset, match="one side"):
        audit(both, np.ones(len(sides), np.bool_))


def test_the_leaks_command(tmp_path, monkeypatch, capsys):
    from mien.engine import Engine

    monkeypatch.setattr(Engine, "open", lambda **_: SquareEngine())
    for i in range(3):
        write(tmp_path / "train" / f"Person_{i}" / "a.png", person(i))
        write(tmp_path / "held" / f"Person_{i}" / "b.png", person(i, 0 if i == 1 else 9))
    sides = [str(tmp_path / "train"), str(tmp_path / "held")]
    for words in ([], ["--json"], ["-o", str(tmp_path / "kept")]):
        with pytest.raises(SystemExit) as caught:
            main(["dataset", "leaks", *sides, *words])
        assert caught.value.code == 0
        printed = capsys.readouterr()
        if "--json" in words:
            found = json.loads(printed.out)
            assert (found["leaking"], found["validation"]) == (1, 3)
            assert found["leaks"][0]["kind"] == "same-bytes"
        else:
            assert "1 of 3 validation photos" in printed.out
            assert "b.png" in printed.err
    assert (tmp_path / "kept" / "dataset.json").is_file()


@pytest.mark.weights
@pytest.mark.lfw
def test_real_copies_on_both_sides(tmp_path, engine, data_folder):
    """Copies of each kind and a new photo are in validation."""
    with zipfile.ZipFile(data_folder / "ten-indian-people.zip") as archive:
        archive.extractall(tmp_path)
    folders = sorted(f for f in (tmp_path / "indian-face-dataset").iterdir() if f.is_dir())[:3]
    train, held = tmp_path / "train", tmp_path / "held"
    for folder in folders:
        first, second, *_ = sorted(p for p in folder.iterdir() if p.suffix.lower() == ".jpg")
        for place in (train / folder.name, held / folder.name):
            place.mkdir(parents=True)
        with Image.open(first) as image:
            photo = image.convert("RGB")
        photo.save(train / folder.name / "photo.jpg", quality=95)
        (held / folder.name / "new.jpg").write_bytes(second.read_bytes())
        ImageOps.mirror(photo).save(held / folder.name / "mirrored.jpg", quality=90)
        width, height = photo.size
        small = photo.resize((width * 3 // 4, height * 3 // 4))
        small.save(held / folder.name / "small.jpg", quality=60)
        left, top = width // 12, height // 20
        cut = photo.crop((left, top, width - width // 20, height - height // 12))
        cut.save(held / folder.name / "cut.jpg", quality=92)
    both = build([str(train), str(held)], tmp_path / "out", engine)
    found = audit(both, np.array([entry.source == "train" for entry in both.rows]))
    kinds = {leak.validation.photo: leak.kind for leak in found.leaks}
    for folder in folders:
        assert kinds[f"{folder.name}/mirrored.jpg"] == "mirrored"
        assert kinds[f"{folder.name}/small.jpg"] == "near-duplicate"
        assert f"{folder.name}/new.jpg" not in kinds
    # Not every cut photo is found: in some the detector's points move too far.
    cuts = [kinds.get(f"{folder.name}/cut.jpg") for folder in folders]
    assert cuts.count("crop") >= 2
