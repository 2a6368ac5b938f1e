"""Importing a dataset into a gallery: its usable photos, and none that were set aside."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from spheres import face_sample, unit

from mien.cli import main
from mien.dataset import Dataset, Entry
from mien.dataset.build import build
from mien.engine import contract_of
from mien.errors import ContractMismatch
from mien.gallery import Gallery, ImportedPerson
from mien.gallery.exchange.from_dataset import imported_people, origin_of
from mien.models.cards import DEFAULT_DETECTOR, DEFAULT_EMBEDDER, card
from mien.training import train_head

ROWS = (
    ("Ada", "train", "used", ""),
    ("Ada", "train", "used", ""),
    ("Ada", "validation", "used", ""),
    ("Ada", "train", "set-aside", "low-quality"),
    ("Bob", "train", "used", ""),
    ("Bob", "validation", "used", "leak"),
    ("Cleo", "validation", "used", ""),
    ("Dan", "train", "set-aside", "mislabelled"),
)


@pytest.fixture
def dataset(tmp_path):
    """Return a dataset of eight photos of four people, as `mien dataset build` would make it."""
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "0.jpg").write_bytes(b"JPEG")
    entries = tuple(
        Entry(
            id=f"{row}", person=person, source="s", photo=f"{person}/{row}.jpg", face=0, faces=1,
            sha256=f"{row:064x}", quality=0.5 + row / 20, status=status, reason=reason,
            split=split, row=row, crop=f"crops/{row}.jpg",
        )
        for row, (person, split, status, reason) in enumerate(ROWS)
    )  # fmt: skip
    rows = unit(np.random.default_rng(0).normal(size=(2, len(ROWS), 128)))
    models = {"detector": DEFAULT_DETECTOR, "embedder": DEFAULT_EMBEDDER}
    fields = {
        "weights": [{"kind": kind, "id": model} for kind, model in models.items()],
        "detection": {"side": 640},
    }
    contract = contract_of(card(DEFAULT_EMBEDDER))
    people = tuple(sorted({person for person, *_ in ROWS}))
    return Dataset(tmp_path, "d", contract, fields, people, entries, rows[0], rows[1])


def test_which_people_and_photos_are_imported(dataset):
    found = {
        person.name: [sample.source for sample in person.samples]
        for person in imported_people(dataset)
    }
    assert found == {
        "Ada": ["Ada/0.jpg", "Ada/1.jpg", "Ada/2.jpg"],
        "Bob": ["Bob/4.jpg"],
        "Cleo": ["Cleo/6.jpg"],
    }
    train_only = {
        person.name: len(person.samples) for person in imported_people(dataset, train_only=True)
    }
    assert train_only == {"Ada": 2, "Bob": 1}
    (ada, *_) = imported_people(dataset, crops=True)
    assert [sample.crop for sample in ada.samples] == [b"JPEG", b"", b""]
    assert ada.samples[1].embedding.tobytes() == dataset.embeddings[1].tobytes()
    assert ada.samples[1].mirrored.tobytes() == dataset.mirrored[1].tobytes()
    assert ada.samples[1].quality == dataset.entries[1].quality


def test_a_dataset_imported_twice_is_stored_once(dataset, tmp_path):
    steps = []
    with Gallery.create(tmp_path / "g", origin_of(dataset)) as gallery:
        assert gallery.origin.statistics == card(DEFAULT_EMBEDDER).statistics_for(dataset.contract)
        taken = gallery.import_people(
            imported_people(dataset), progress=lambda *step: steps.append(step)
        )
        assert taken == (3, 5)
        assert gallery.import_people(imported_people(dataset)) == (3, 0)
        assert [person.photos for person in gallery.people()] == [3, 1, 1]
        assert gallery.person("Ada").source == f"dataset {dataset.path.name}"
        before = gallery.head()
        gallery._reload()
        assert gallery.head().prototypes.tobytes() == before.prototypes.tobytes()
    assert steps[-1] == (3, None, "people")


def test_a_dataset_of_another_contract_is_refused(dataset, tmp_path):
    object.__setattr__(dataset, "contract", "x" * 16)
    with pytest.raises(ContractMismatch):
        origin_of(dataset)
    object.__setattr__(dataset, "contract", contract_of(card(DEFAULT_EMBEDDER)))
    with Gallery.create(tmp_path / "g", origin_of(dataset)) as gallery:
        with pytest.raises(ContractMismatch):
            gallery.import_people([ImportedPerson("Eve", [face_sample(0, 0)])])
        assert gallery.people() == ()


@pytest.mark.lfw
def test_real_people_by_command(tmp_path, engine, data_folder, capfd):
    """The gallery of a dataset's training side is the head that `mien train` makes of it."""
    with zipfile.ZipFile(data_folder / "ten-indian-people.zip") as archive:
        few = [name for name in archive.namelist() if "/M" in name or "/R" in name]
        archive.extractall(tmp_path / "photos", few)
    (root,) = (tmp_path / "photos").iterdir()
    made = build([str(root)], tmp_path / "people", engine)
    for arguments in (
        ["gallery", "create", tmp_path / "whole", "--from", tmp_path / "people", "--thumbnails"],
        ["gallery", "create", tmp_path / "half"],
        ["gallery", "add", tmp_path / "half", "--dataset", tmp_path / "people", "--train-only"],
    ):
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        assert left.value.code == 0
    assert "new photos" in capfd.readouterr().out
    with Gallery.open(tmp_path / "whole") as gallery:
        assert sum(person.photos for person in gallery.people()) == int(made.usable.sum())
        (first, *_) = gallery.pictures(made.people[0])
        assert gallery.thumbnail(first.id).startswith(b"\xff\xd8")
    head = train_head(made, head="prototype", statistics=gallery.origin.statistics).head
    with Gallery.open(tmp_path / "half") as gallery:
        found = gallery.head()
        assert found.people == head.people
        assert np.allclose(found.prototypes, head.prototypes, atol=1e-7)
        assert found.photos.tolist() == head.photos.tolist()
        # A gallery compares each person's first photo with the others, training every photo.
        assert found.policy.threshold == pytest.approx(head.policy.threshold, abs=0.01)
