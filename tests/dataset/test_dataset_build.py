import json
import os
import shutil
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from squares import SquareEngine, people_folder, person, photo_bytes, write

from mien.cli.hints import hint_of
from mien.dataset import Dataset
from mien.dataset.audit.review_page import write_review
from mien.dataset.build import Options, build, refresh
from mien.dataset.curate import SplitRule
from mien.dataset.decide import decide
from mien.dataset.storage.ledger import LEDGER, only_builder
from mien.dataset.storage.opened_dataset import CARD, MANIFEST, NEXT
from mien.dataset.storage.records import MarginCrop
from mien.errors import (
    DatasetBusy,
    EmptyDataset,
    NotADataset,
    OutputError,
    UnusableSource,
)

BUILDER = Path(__file__).parent / "slow_builder.py"


@pytest.fixture
def photos(tmp_path):
    return people_folder(tmp_path / "photos")


@pytest.fixture
def made(tmp_path, photos):
    return build([str(photos)], tmp_path / "out", SquareEngine())


def test_files_and_arrays_of_a_build(tmp_path, made):
    assert made.people == ("Person 00", "Person 01", "Person 02")
    assert made.embeddings.shape == made.mirrored.shape == (12, 128)
    assert np.allclose(np.linalg.norm(made.embeddings, axis=1), 1, atol=1e-5)
    assert made.usable.all()
    assert (made.train.sum(), made.validation.sum()) == (9, 3)
    assert not (made.train & made.validation).any()
    assert np.bincount(made.labels).tolist() == [4, 4, 4]
    assert all(made.crop(entry).shape == (112, 112, 3) for entry in made.rows)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names >= {
        CARD, MANIFEST, "embeddings.npy", "mirrored.npy", "crops", "README.md",
        "contact_sheet.jpg", LEDGER,
    }  # fmt: skip
    assert NEXT not in names
    with Image.open(tmp_path / "out" / "contact_sheet.jpg") as sheet:
        assert sheet.width > 300
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "Apache-2.0" in card
    assert "biometric" in card
    assert "sha256(seed, person, group)" in card


def test_an_opened_dataset_is_equal_and_read_only(tmp_path, made):
    again = Dataset.open(tmp_path / "out")
    assert again.digest == made.digest
    assert again.entries == made.entries
    assert again.rows[3].row == 3
    for array in (again.embeddings, again.mirrored, again.labels, again.train, again.quality):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_coordinates_are_of_the_full_photo(made):
    entry = made.rows[0]
    assert entry.box == (0, 0, 64, 64)
    assert entry.size == pytest.approx(0.4 * 64, abs=0.01)
    assert len(entry.points) == 5
    assert entry.faces == 1


def test_known_photos_are_not_processed_again(tmp_path, photos, made):
    engine = SquareEngine()
    again = build([str(photos)], tmp_path / "out", engine)
    assert engine.photos_read == 0
    assert again.digest == made.digest
    write(photos / "Person_00" / "new.png", person(0, 9))
    (photos / "Person_01" / "00.png").rename(photos / "Person_01" / "moved.png")
    more = build([str(photos)], tmp_path / "out", engine)
    assert engine.photos_read == 1
    assert len(more.entries) == 13
    kept = {e.id: e.split for e in made.entries if e.person != "Person 00"}
    assert kept == {e.id: e.split for e in more.entries if e.person != "Person 00"}


@pytest.mark.usefixtures("made")
def test_another_contract_processes_all_photos(tmp_path, photos):
    engine = SquareEngine(contract="other")
    again = build([str(photos)], tmp_path / "out", engine)
    assert engine.photos_read == 12
    assert again.contract == "other"


def test_people_removed_from_the_sources_are_removed_from_all_files(tmp_path, photos, made):
    gone = [e for e in made.entries if e.person == "Person 02"]
    shutil.rmtree(photos / "Person_02")
    left = build([str(photos)], tmp_path / "out", SquareEngine())
    assert left.people == ("Person 00", "Person 01")
    assert not any((tmp_path / "out" / e.crop).exists() for e in gone)
    base = sqlite3.connect(tmp_path / "out" / LEDGER)
    assert base.execute("SELECT count(*) FROM photos").fetchone() == (8,)
    assert base.execute("SELECT count(*) FROM faces").fetchone() == (8,)
    assert base.execute("SELECT count(*) FROM crops").fetchone() == (8,)
    base.close()


def test_the_order_of_sources_does_not_change_the_dataset(tmp_path, photos):
    for root in ("a", "b"):
        shutil.copytree(photos, tmp_path / root)
    shutil.rmtree(tmp_path / "a" / "Person_00")
    shutil.rmtree(tmp_path / "b" / "Person_02")
    (tmp_path / "b" / "Person_01" / "00.png").unlink()
    specs = [str(tmp_path / "a"), str(tmp_path / "b")]
    one = build(specs, tmp_path / "one", SquareEngine(), Options(jobs=1))
    two = build(specs[::-1], tmp_path / "two", SquareEngine(), Options(jobs=4))
    assert one.digest == two.digest


def test_equal_names_in_two_sources_are_merged_or_kept_apart(tmp_path):
    write(tmp_path / "a" / "Ada_B" / "1.png", person(0, 0))
    write(tmp_path / "a" / "Bob" / "1.png", person(1, 0))
    write(tmp_path / "b" / "ADA B" / "1.png", person(0, 1))
    write(tmp_path / "b" / "Cleo" / "1.png", person(2, 0))
    specs = [str(tmp_path / "a"), str(tmp_path / "b")]
    merged = build(specs, tmp_path / "one", SquareEngine())
    assert len(merged.people) == 3
    assert merged.card["merged_names"] == ["ADA B"]
    apart = build(specs, tmp_path / "two", SquareEngine(), Options(keep_apart=True))
    assert apart.people == ("ADA B (a)", "ADA B (b)", "Bob", "Cleo")


def test_names_of_any_kind(tmp_path):
    names = [
        "AC/DC",
        "\U0001f600",
        "\u05d3\u05d5\u05d3 \u05db\u05d4\u05df",
        "CON",
        'A, "B"\n<script>',
    ]
    rows = []
    for i, name in enumerate(names):
        write(tmp_path / "in" / f"{i}.png", person(i))
        rows.append('"' + name.replace('"', '""') + f'",in/{i}.png')
    (tmp_path / "list.csv").write_text("person,path\n" + "\n".join(rows), "utf-8")
    made = build([str(tmp_path / "list.csv")], tmp_path / "out", SquareEngine())
    assert set(made.people) == {*names[:4], 'A, "B" <script>'}
    assert all(made.crop(e) is not None for e in made.entries)
    assert Dataset.open(tmp_path / "out").people == made.people


def test_unreadable_photos_are_entries_and_do_not_stop_the_build(tmp_path, photos):
    (photos / "Person_00" / "broken.jpg").write_bytes(b"\xff\xd8\xff not a photo")
    (photos / "Person_00" / "empty.png").write_bytes(b"")
    write(photos / "Person_01" / "no-face.png", (0, 0, 0))
    made = build([str(photos)], tmp_path / "out", SquareEngine())
    aside = {Path(e.photo).name: e for e in made.entries if not e.used}
    assert {name: e.reason for name, e in aside.items()} == {
        "broken.jpg": "unreadable",
        "empty.png": "unreadable",
        "no-face.png": "no-face",
    }
    assert "broken.jpg" in aside["broken.jpg"].evidence
    assert all(e.row == -1 and e.split == "" and e.crop == "" for e in aside.values())
    assert len(made.embeddings) == 12
    assert made.card["set_aside"] == {"unreadable": 2, "no-face": 1}


@pytest.mark.skipif(sys.platform != "linux", reason="names are not bytes there")
def test_file_names_that_are_not_utf8(tmp_path, photos):
    for name, data in ((b"\xff.png", photo_bytes(person(0, 9))), (b"\xfe.png", b"broken")):
        Path(os.fsdecode(bytes(photos / "Person_00") + b"/" + name)).write_bytes(data)
    made = build([str(photos)], tmp_path / "out", SquareEngine())
    odd = [e for e in made.entries if "\ufffd" in e.photo]
    assert [e.used for e in odd] == [True, False]


def test_group_photos_and_exact_copies(tmp_path, photos):
    write(photos / "Person_00" / "group.png", person(1, 12), person(0, 12))
    shutil.copy(photos / "Person_01" / "00.png", photos / "Person_01" / "copy.png")
    made = build([str(photos)], tmp_path / "out", SquareEngine())
    group = next(e for e in made.entries if e.photo.endswith("group.png"))
    assert (group.face, group.faces) == (1, 2)
    copy = next(e for e in made.entries if e.photo.endswith("copy.png"))
    first = next(e for e in made.entries if e.photo == "Person_01/00.png")
    assert (copy.reason, copy.status) == ("duplicate", "set-aside")
    assert copy.group == first.group == first.id
    assert copy.split == first.split
    assert copy.id == f"{first.id}-2"


def test_crops_with_a_margin(tmp_path, photos):
    out = tmp_path / "out"
    build([str(photos)], out, SquareEngine(), Options(margin=MarginCrop(32, 160)))
    engine = SquareEngine()
    build([str(photos)], out, engine, Options(margin=MarginCrop(32, 160)))
    assert engine.photos_read == 0
    found = list((out / "crops-margin32-160").rglob("*.jpg"))
    assert len(found) == 12
    with Image.open(found[0]) as crop:
        assert crop.size == (160, 160)
    build([str(photos)], out, engine, Options(margin=MarginCrop(0, 96)))
    assert not (out / "crops-margin32-160").exists()
    assert len(list((out / "crops-margin0-96").rglob("*.jpg"))) == 12


def test_flipped_singletons_are_reported_as_a_leak(tmp_path, photos):
    write(photos / "Solo" / "1.png", person(5))
    rule = SplitRule(flip_singletons=True)
    made = build([str(photos)], tmp_path / "out", SquareEngine(), Options(rule=rule))
    single, leak = (e for e in made.entries if e.person == "Solo")
    assert (single.split, leak.split, leak.reason) == ("train", "validation", "leak")
    assert np.array_equal(made.embeddings[leak.row], made.mirrored[single.row])
    assert np.array_equal(made.crop(leak), made.crop(single)[:, ::-1])
    assert made.card["split"]["leaked"] == 1
    assert "LEAK" in (tmp_path / "out" / "README.md").read_text("utf-8")
    honest = build([str(photos)], tmp_path / "out", SquareEngine())
    assert [e.split for e in honest.entries if e.person == "Solo"] == ["train"]


def test_no_face_at_all(tmp_path):
    write(tmp_path / "p" / "Ada" / "1.png", (0, 0, 0))
    with pytest.raises(EmptyDataset):
        build([str(tmp_path / "p")], tmp_path / "out", SquareEngine())
    with pytest.raises(NotADataset):
        Dataset.open(tmp_path / "out")


def test_no_photo_at_all(tmp_path):
    (tmp_path / "p" / "Ada").mkdir(parents=True)
    (tmp_path / "p" / "Ada" / "notes.txt").write_text("x")
    with pytest.raises(EmptyDataset, match="not a photo: 1"):
        build([str(tmp_path / "p")], tmp_path / "out", SquareEngine())
    assert not (tmp_path / "out").exists()


def test_unsuitable_output_folders_are_rejected(tmp_path, photos):
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match="not a dataset"):
        build([str(photos)], other, SquareEngine())
    with pytest.raises(OutputError, match="is a file"):
        build([str(photos)], other / "thesis.txt", SquareEngine())
    with pytest.raises(UnusableSource, match="its own source"):
        build([str(photos)], photos / "out", SquareEngine())


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path, photos):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(OutputError):
        build([str(photos)], locked / "out", SquareEngine())


@pytest.mark.usefixtures("made")
def test_one_builder_at_a_time(tmp_path, photos):
    with only_builder(tmp_path / "out"):
        with pytest.raises(DatasetBusy, match="another process") as caught:
            build([str(photos)], tmp_path / "out", SquareEngine())
        assert caught.value.hint
    build([str(photos)], tmp_path / "out", SquareEngine())


def test_a_damaged_ledger_is_replaced(tmp_path, photos, made):
    (tmp_path / "out" / LEDGER).write_bytes(b"no database" * 1000)
    engine = SquareEngine()
    again = build([str(photos)], tmp_path / "out", engine)
    assert engine.photos_read == 12
    assert again.digest == made.digest


def test_missing_crops_are_written_again(tmp_path, photos, made):
    (tmp_path / "out" / made.rows[0].crop).unlink()
    build([str(photos)], tmp_path / "out", SquareEngine())
    assert made.crop(made.rows[0]) is not None


def test_incomplete_crops_of_a_killed_build_are_removed(tmp_path, photos, made):
    incomplete = tmp_path / "out" / Path(made.rows[0].crop).with_name(".crop.jpg.0123.part")
    incomplete.write_bytes(b"half")
    build([str(photos)], tmp_path / "out", SquareEngine())
    assert not incomplete.exists()


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("name", [CARD, MANIFEST, "embeddings.npy", "mirrored.npy"])
def test_damaged_files_are_noticed(tmp_path, name):
    path = tmp_path / "out" / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NotADataset, match=r"damaged|no dataset"):
        Dataset.open(tmp_path / "out")
    path.unlink()
    with pytest.raises(NotADataset) as caught:
        Dataset.open(tmp_path / "out")
    assert "uild" in caught.value.hint
    assert "mien dataset build" in hint_of(caught.value)


def test_a_newer_format_is_rejected(tmp_path, made):
    path = tmp_path / "out" / CARD
    path.write_text(json.dumps({**made.card, "format": 99}))
    with pytest.raises(NotADataset, match="newer"):
        Dataset.open(tmp_path / "out")


def test_damaged_statistics_are_noticed_when_opened(tmp_path, made):
    path = tmp_path / "out" / CARD
    path.write_text(json.dumps({**made.card, "statistics": {"copies": {"measured_on": "x"}}}))
    with pytest.raises(NotADataset, match="damaged"):
        Dataset.open(tmp_path / "out")


def test_refresh_without_a_finished_build(tmp_path):
    with pytest.raises(NotADataset):
        refresh(tmp_path)


def test_only_the_owner_may_read_what_a_build_writes(tmp_path, photos):
    (tmp_path / "out" / "crops").mkdir(parents=True, mode=0o755)  # as version 0.1.0 made them
    (tmp_path / "out" / LEDGER).touch(mode=0o644)
    made = build([str(photos)], tmp_path / "out", SquareEngine())
    write_review(made)
    decide(made.path, "keep", [made.entries[0].id])
    open_to_others = [
        path for path in made.path.rglob("*") if path.is_file() and path.stat().st_mode & 0o077
    ]
    assert open_to_others == []
    assert (made.path / "crops").stat().st_mode & 0o077 == 0
    other = build([str(photos)], tmp_path / "new", SquareEngine())
    assert other.path.stat().st_mode & 0o077 == 0


def test_a_dataset_is_written_through_symlinks_and_never_over_a_device(tmp_path, photos):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for _ in range(2):
        made = build([str(photos)], tmp_path / "link", SquareEngine())
        assert made.digest == Dataset.open(tmp_path / "real").digest
        assert (tmp_path / "link").is_symlink()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    for output in (tmp_path / "pipe", Path("/dev/null"), tmp_path / "a"):
        with pytest.raises(OutputError):
            build([str(photos)], output, SquareEngine())
    assert (tmp_path / "pipe").is_fifo()
    assert Path("/dev/null").is_char_device()
