"""`mien gallery`: output and exit codes of its commands."""

from __future__ import annotations

import io
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from spheres import ORIGIN, enrolled

from mien.cli import main
from mien.gallery import Gallery, Origin, find_key, write_new_key
from mien.matching import PhotoIdentifier
from mien.photo import encode_png
from mien.recognizer import Recognizer
from toy_graphs import photo_of, red_squares, toy_engine


@pytest.fixture
def mien(capfd):
    """Return mien(*arguments): exit code, standard output and standard error."""

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        return left.value.code, *capfd.readouterr()

    return call


@pytest.fixture
def office(tmp_path):
    with Gallery.create(tmp_path / "office", ORIGIN, thumbnails=True) as gallery:
        enrolled(gallery, 3, 2)
    return tmp_path / "office"


@pytest.fixture
def toys(monkeypatch):
    """Make the commands use toy models."""
    engine = toy_engine()
    monkeypatch.setattr("mien.engine.Engine.open", lambda **_: engine)
    return engine


@pytest.fixture
def toy_office(tmp_path, toys):
    Gallery.create(tmp_path / "office", Origin.of(toys)).close()
    return tmp_path / "office"


@pytest.fixture
def photos(tmp_path):
    """Return a folder of photos: one face, no face, two faces, not a photo."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, cells in (("one", [(20, 30)]), ("none", []), ("two", [(10, 15), (45, 60)])):
        (folder / f"{name}.png").write_bytes(encode_png(red_squares(480, 640, cells, seed=5)))
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def names(folder):
    with Gallery.open(folder) as gallery:
        return [person.name for person in gallery.people()]


def test_create(mien, tmp_path, toys):
    code, _, err = mien("gallery", "create", tmp_path / "g", "--false-positive-rate", "0.05")
    assert (code, "a gallery" in err) == (0, True)
    with Gallery.open(tmp_path / "g") as gallery:
        assert (gallery.rate, gallery.keeps_thumbnails, gallery.encrypted) == (0.05, False, False)
        assert gallery.origin == Origin.of(toys)
    code, _, err = mien("gallery", "create", tmp_path / "g")
    assert (code, "there is a gallery already" in err) == (18, True)


def test_create_encrypted(mien, tmp_path, toys, monkeypatch):  # noqa: ARG001
    monkeypatch.delenv("MIEN_KEY", raising=False)
    folder, key = tmp_path / "g", tmp_path / "office.key"
    assert mien("gallery", "create", folder, "--encrypt")[0] == 2
    inside = mien("gallery", "create", folder, "--encrypt", "--key-file", folder / "key")
    assert (inside[0], "outside the gallery" in inside[2]) == (2, True)
    assert mien("gallery", "create", folder, "--encrypt", "--key-file", key)[0] == 0
    code, _, err = mien("gallery", "list", folder)
    assert (code, "MIEN_KEY" in err) == (18, True)
    assert mien("gallery", "list", folder, "--key-file", key)[0] == 0
    monkeypatch.setenv("MIEN_KEY", key.read_text())
    assert "no people yet" in mien("gallery", "list", folder)[1]
    with Gallery.open(folder, key=find_key(key)) as gallery:
        assert gallery.encrypted


def test_add_reports_per_photo_why_it_was_refused(mien, toy_office, photos):
    code, out, _ = mien("gallery", "add", toy_office, "Ada", photos, "--force", "--json")
    rows = {row["photo"].rsplit("/", 1)[-1]: row for row in json.loads(out)}
    assert code == 1
    assert {name: (row["taken"], row["reason"]) for name, row in rows.items()} == {
        "one.png": (True, "low-quality"),
        "two.png": (True, rows["two.png"]["reason"]),
        "none.png": (False, "no-face"),
        "broken.jpg": (False, "unreadable"),
    }
    assert rows["one.png"]["evidence"]["size"] < 10
    code, out, _ = mien("gallery", "add", toy_office, "Ada", photos / "one.png")
    assert (code, "enrolled as Ada already" in out, "Ada has 2 photos" in out) == (0, True, True)
    code, out, _ = mien("gallery", "add", toy_office, "Bob", photos / "one.png")
    assert code == 1
    assert "low quality" in out
    assert names(toy_office) == ["Ada"]


def test_add_needs_a_name_and_photos_or_a_dataset(mien, office):
    for arguments in ((), ("Ada",), ("Ada", "a.jpg", "--dataset", "d")):
        assert mien("gallery", "add", office, *arguments)[0] == 2
    assert mien("gallery", "add", office, "Ada", "nowhere.jpg")[0] == 10
    assert mien("gallery", "add", office, "--dataset", "nowhere")[0] == 14


def test_list_and_show(mien, office):
    code, out, _ = mien("gallery", "list", office)
    assert (code, out.count("person ")) == (0, 3)
    rows = json.loads(mien("gallery", "list", office, "--json")[1])
    assert [row["name"] for row in rows] == ["person 0", "person 1", "person 2"]
    assert rows[0]["photos"] == 2
    out = mien("gallery", "show", office)[1]
    assert "3, 6 photos enrolled" in out
    assert "templates and thumbnails, not encrypted" in out
    facts = json.loads(mien("gallery", "show", office, "--json")[1])
    assert (facts["people"], facts["photos"]) == (3, 6)
    assert facts["policy"]["false_positive_rate"] == 0.01
    out = mien("gallery", "show", office, "person 1")[1]
    assert "person-1/0.jpg" in out
    assert "nothing noted" in out
    shown = json.loads(mien("gallery", "show", office, rows[1]["id"], "--json")[1])
    assert shown["name"] == "person 1"
    assert [picture["source"] for picture in shown["pictures"]] == [
        "person-1/0.jpg", "person-1/1.jpg",
    ]  # fmt: skip
    assert [event["action"] for event in shown["audit"]] == ["enrolled", "enrolled", "added"]


def test_show_an_empty_gallery(mien, tmp_path):
    folder = tmp_path / "the office"
    how = f"Enrol a person: mien gallery add '{folder}' NAME PHOTOS"
    Gallery.create(folder, ORIGIN).close()
    facts = json.loads(mien("gallery", "show", folder, "--json")[1])
    assert facts["policy"]["supported"] is False
    _, out, err = mien("gallery", "show", folder)
    assert "none yet" in out
    assert "never yet" in out
    assert "No person is enrolled yet." in out
    assert "1.01" not in out
    assert "strangers" not in out
    assert how in err
    assert how in mien("gallery", "list", folder)[1]


def test_show_a_gallery_of_one_person(mien, tmp_path):
    with Gallery.create(tmp_path / "g", replace(ORIGIN, statistics=None)) as gallery:
        enrolled(gallery, 1, 2)
    _, out, err = mien("gallery", "show", tmp_path / "g")
    assert "never yet" in out
    assert "enrol another person too" in out
    assert "mien gallery add" not in err


def test_rename_consent_merge(mien, office):
    assert mien("gallery", "rename", office, "person 0", "Ada")[0] == 0
    code, _, err = mien("gallery", "consent", office, "Ada", "by letter")
    assert (code, err) == (0, "consent of Ada: by letter\n")
    code, _, err = mien("gallery", "merge", office, "Ada", "person 1")
    assert (code, "person 1 merged into Ada, who has 4 photos now" in err) == (0, True)
    assert mien("gallery", "rename", office, "Ada", "person 2")[0] == 18
    with Gallery.open(office) as gallery:
        assert gallery.person("Ada").consent == "by letter"
    assert names(office) == ["Ada", "person 2"]


def test_forget_asks_first(mien, office, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    code, _, err = mien("gallery", "forget", office, "person 0")
    assert (code, "--yes" in err, "interrupted" in err) == (2, True, False)
    assert err.count("nothing was forgotten") == 1

    class Interrupted(io.StringIO):
        def readline(self, *_):
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted())
    code, _, err = mien("gallery", "forget", office, "person 0")
    assert (code, err.count("othing was forgotten"), "--yes" in err) == (130, 1, False)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, _, err = mien("gallery", "forget", office, "person 0")
    assert (code, "Nothing was forgotten" in err, "interrupted" in err) == (1, True, False)
    assert len(names(office)) == 3
    assert mien("gallery", "forget", office, "person 0", "--yes")[0] == 0
    assert names(office) == ["person 1", "person 2"]
    code, _, err = mien("gallery", "forget", office, "person 0", "--yes")
    assert (code, "no person in" in err) == (18, True)


def test_forget_one_photo(mien, office):
    with Gallery.open(office) as gallery:
        (first, _), (other, _) = gallery.pictures("person 0"), gallery.pictures("person 1")
    wrong = mien("gallery", "forget", office, "person 0", "--photo", other.id, "--yes")
    assert (wrong[0], "has no photo" in wrong[2]) == (18, True)
    assert mien("gallery", "forget", office, "person 0", "--photo", first.id, "--yes")[0] == 0
    with Gallery.open(office) as gallery:
        assert [person.photos for person in gallery.people()] == [1, 2, 2]


def test_audit(mien, office):
    with Gallery.open(office) as gallery:
        gone = gallery.person("person 0").id
    mien("gallery", "forget", office, "person 0", "--yes")
    code, out, _ = mien("gallery", "audit", office, "--limit", 3)
    assert code == 0
    assert gone in out
    assert "person 2" in out
    events = json.loads(mien("gallery", "audit", office, "--json")[1])
    assert [event["action"] for event in events[:2]] == ["forgotten", "enrolled"]


def test_check(mien, office):
    code, out, _ = mien("gallery", "check", office)
    assert code == 0
    assert "no trace of deleted data in the files" in out
    (office / "stray").write_bytes(b"")
    code, out, err = mien("gallery", "check", office)
    assert (code, "stray" in out, "1 fault" in err) == (18, True, True)
    assert json.loads(mien("gallery", "check", office, "--json")[1])["faults"]


def test_check_at_least_a_generation(mien, office, tmp_path):
    """A folder that is put back whole agrees with itself: only its generation tells."""
    shutil.copytree(office, tmp_path / "backup")
    mien("gallery", "rename", office, "person 0", "Ada")
    found = json.loads(mien("gallery", "check", office, "--json")[1])
    generation = found["generation"]
    assert f"generation {generation}\n" in mien("gallery", "check", office)[1]
    assert mien("gallery", "check", office, "--at-least", str(generation))[0] == 0
    assert mien("gallery", "check", tmp_path / "backup")[0] == 0
    for folder, least in ((tmp_path / "backup", generation), (office, generation + 1)):
        code, out, _ = mien("gallery", "check", folder, "--at-least", str(least))
        assert code == 18
        assert f"fault: it is of generation {least - 1}, not of {least} or a later one" in out
    assert mien("gallery", "check", office, "--at-least", "-1")[0] == 2


def test_export_and_import(mien, office, tmp_path):
    out = tmp_path / "office.mien-gallery"
    assert mien("gallery", "export", office, "-o", out)[0] == 0
    code, printed, _ = mien("gallery", "import", out, tmp_path / "new", "--json")
    assert (code, json.loads(printed)) == (0, {"people": 3, "photos": 6})
    assert names(tmp_path / "new") == names(office)
    assert mien("gallery", "import", tmp_path / "nowhere", tmp_path / "x")[0] == 18
    (tmp_path / "bad").write_bytes(b"PK")
    assert mien("gallery", "import", tmp_path / "bad", tmp_path / "x")[0] == 18
    assert not (tmp_path / "x").exists()


def test_rate(mien, office):
    with Gallery.open(office) as gallery:
        before = gallery.policy
        code, out, _ = mien("gallery", "rate", office, "0.0001")
        assert (code, "at most 0.01% requested" in out) == (0, True)
        assert gallery.policy.threshold > before.threshold
        assert gallery.rate == 0.0001
    assert mien("gallery", "rate", office, "1")[0] == 2


@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_key_for_a_gallery_that_is_not_encrypted_is_refused(
    mien, office, tmp_path, monkeypatch, how
):
    key = tmp_path / "office.key"
    write_new_key(key)
    options = ("--key-file", key) if how == "option" else ()
    if how == "environment":
        monkeypatch.setenv("MIEN_KEY", key.read_text())
    before = (office / "gallery.sqlite").read_bytes()
    for command in (
        ("gallery", "list", office), ("gallery", "forget", office, "person 0", "--yes"),
        ("gallery", "check", office), ("serve", "--gallery", office, "--data", tmp_path / "data"),
    ):  # fmt: skip
        code, _, error = mien(*command, *options)
        assert code == 18, command
        assert "is not encrypted" in error
        assert "mien gallery rotate-key" in error
    if how == "environment":
        photo = tmp_path / "photo.png"
        photo.write_bytes(encode_png(red_squares(480, 640, [(20, 30)], seed=5)))
        assert mien("identify", office, photo)[0] == 18
    assert (office / "gallery.sqlite").read_bytes() == before


def test_an_encrypted_gallery_is_served_with_its_key_only(mien, tmp_path, monkeypatch):
    monkeypatch.delenv("MIEN_KEY", raising=False)
    key, other = (write_new_key(tmp_path / name) for name in ("office.key", "other.key"))
    assert key != other
    Gallery.create(tmp_path / "office", ORIGIN, key=key).close()
    served = ("serve", "--gallery", tmp_path / "office", "--data", tmp_path / "data", "--port", 0)
    for options in ((), ("--key-file", tmp_path / "other.key")):
        assert mien(*served, *options)[0] == 18


def test_rotate_key(mien, office, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert mien("gallery", "rotate-key", office)[0] == 2
    assert mien("gallery", "rotate-key", office, "--decrypt")[0] == 18
    assert mien("gallery", "rotate-key", office, "--new-key-file", first)[0] == 0
    arguments = ("gallery", "rotate-key", office, "--key-file", first)
    assert mien(*arguments, "--new-key-file", second)[0] == 0
    assert mien(*arguments, "--new-key-file", second)[0] == 18
    assert mien("gallery", "rotate-key", office, "--key-file", second, "--decrypt")[0] == 0
    assert len(names(office)) == 3


def test_a_recognizer_file_answers_as_the_gallery_does(mien, toy_office, toys, photos, tmp_path):
    assert mien("gallery", "to-onnx", toy_office, "-o", tmp_path / "o.onnx")[0] == 15
    mien("gallery", "add", toy_office, "Ada", photos / "one.png", "--force")
    mien("gallery", "add", toy_office, "Bob", photos / "two.png", "--force")
    code, out, _ = mien("gallery", "to-onnx", toy_office, "-o", tmp_path / "o.onnx")
    assert code == 0
    assert "knows 2 people from 2 photos" in " ".join(out.split())
    assert "weights inside: " in out
    recognizer = Recognizer.load(tmp_path / "o.onnx", threads=1)
    photo = photo_of(red_squares(480, 640, [(10, 15), (45, 60)], seed=5))
    with Gallery.open(toy_office) as gallery:
        gallery.reject("Bob", recognizer.identify(photo)[0].embedding)
        mien("gallery", "to-onnx", toy_office, "-o", tmp_path / "o.onnx")
        recognizer = Recognizer.load(tmp_path / "o.onnx", threads=1)
        assert len(recognizer.head.negatives) == 1
        for theirs, ours in zip(
            PhotoIdentifier(toys, gallery).identify(photo),
            recognizer.identify(photo),
            strict=True,
        ):
            assert theirs.name == ours.name
            assert theirs.box == pytest.approx(ours.box)
            assert [c.name for c in theirs.candidates] == [c.name for c in ours.candidates]
            found = [c.similarity for c in theirs.candidates]
            assert found == pytest.approx([c.similarity for c in ours.candidates], abs=1e-5)


def test_identify_with_a_gallery(mien, toy_office, photos):
    code, out, _ = mien("identify", toy_office, photos / "one.png", "--json")
    assert code == 0
    assert json.loads(out)[0]["faces"][0]["nearest"] is None
    code, out, err = mien("identify", toy_office, photos / "one.png")
    assert (code, "-1.00" in out, "%" in out) == (0, False, False)
    assert "has no people yet" in err
    assert f"mien gallery add {toy_office} NAME PHOTOS" in err
    mien("gallery", "add", toy_office, "Ada", photos / "one.png", "--force")
    code, out, _ = mien("identify", toy_office, photos / "one.png", "--json")
    assert json.loads(out)[0]["faces"][0]["name"] == "Ada"
    assert "has no people yet" not in mien("identify", toy_office, photos / "one.png")[2]
    assert mien("identify", photos, photos / "one.png")[0] == 18


def test_a_dataset_is_not_a_gallery(mien, tmp_path):
    (tmp_path / "dataset.json").write_text("{}")
    code, _, err = mien("gallery", "list", tmp_path)
    assert (code, "mien train" in err) == (18, True)


def test_an_output_is_written_through_symlinks_and_never_over_a_device(
    mien, toy_office, photos, tmp_path
):
    mien("gallery", "add", toy_office, "Ada", photos / "one.png", "--force")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "full").symlink_to("/dev/full")
    for command in ("export", "to-onnx"):
        for name in ("pipe", "full", "/dev/full"):
            code, _, err = mien("gallery", command, toy_office, "-o", tmp_path / name)
            assert (code, "not a file" in err) == (17, True)
        target = tmp_path / f"{command} target"
        (tmp_path / command).symlink_to(target)
        assert mien("gallery", command, toy_office, "-o", tmp_path / command)[0] == 0
        assert (tmp_path / command).is_symlink()
        assert target.stat().st_size > 100
    assert Path("/dev/full").is_char_device()


def test_a_recognizer_file_of_an_encrypted_gallery_is_for_its_owner_only(
    mien, toy_office, photos, tmp_path
):
    mien("gallery", "add", toy_office, "Ada", photos / "one.png", "--force")
    key = tmp_path / "office.key"
    assert mien("gallery", "rotate-key", toy_office, "--new-key-file", key)[0] == 0
    command = ("gallery", "to-onnx", toy_office, "-o", tmp_path / "x.onnx", "--key-file", key)
    assert mien(*command)[0] == 0
    assert (tmp_path / "x.onnx").stat().st_mode & 0o777 == 0o600
    plain = ("gallery", "export", toy_office, "-o", tmp_path / "e", "--key-file", key, "--plain")
    assert mien(*plain)[0] == 0
    assert (tmp_path / "e").stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    code, _, err = mien(*command)
    assert code == 18
    assert f"chmod 600 {key}" in err
