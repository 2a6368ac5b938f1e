"""Builds from unusual and hostile sources: content of the dataset, and messages.

Hostile archives are tested in test_dataset_archives.py, unreadable photos in tests/photo.
"""

from __future__ import annotations

import io
import json
import os
import zipfile

import pytest
from click.testing import CliRunner
from squares import SquareEngine, people_folder, person, photo_bytes, write

from mien.cli import main
from mien.cli.dataset.commands import dataset
from mien.dataset import Dataset
from mien.dataset.build import build
from mien.engine import Engine
from mien.errors import UnsafeArchive

LONG = "Zoë $HOME `id` [v1] (2) {x} & ~ #1 %20 ;* " + "n" * 78
ODD = {
    "emoji": "👩🏽\u200d🚀 Ada 🎉",
    "arabic": "محمد",
    "a hundred and twenty characters": LONG,
    "a dollar": "$PATH",
    "brackets": "[Ada] {Bob}",
    "a quote": 'O\'Brien "Bob"',
    "a percent sign": "100%s %d",
    "a dash in front": "--help",
    "markup": "[red]Ada[bold] <b>",
    "a name reserved by Windows": "NUL",
    "a dot at the end": "Ada Jr.",
}


def test_the_long_name_is_that_long():
    assert len(LONG) == 120


@pytest.mark.skipif(os.name == "nt", reason="no such files there")
@pytest.mark.parametrize("name", ODD.values(), ids=ODD)
@pytest.mark.parametrize("kind", ["folder", "zip", "csv"])
def test_unusual_names_are_unchanged(tmp_path, kind, name):
    photo = f"{name}.png"
    if kind == "folder":
        write(tmp_path / "in" / name / photo, person(0))
        source = tmp_path / "in"
    elif kind == "zip":
        source = tmp_path / "in.zip"
        with zipfile.ZipFile(source, "w") as archive:
            archive.writestr(f"{name}/{photo}", photo_bytes(person(0)))
    else:
        write(tmp_path / photo, person(0))
        source = tmp_path / "list.csv"
        quoted = name.replace('"', '""')
        source.write_text(f'path,person\n"{quoted}.png","{quoted}"\n', "utf-8")
    made = build([str(source)], tmp_path / "out", SquareEngine())
    assert made.people == (name,)
    (entry,) = made.entries
    assert entry.photo.endswith(photo)
    assert made.crop(entry) is not None
    assert Dataset.open(tmp_path / "out").people == (name,)
    # The folder of the crops has a name that is valid on any system.
    (folder,) = (tmp_path / "out" / "crops").iterdir()
    assert folder.name.isascii()
    assert len(folder.name) <= 80


def test_slashes_in_names_do_not_lead_out_of_the_dataset(tmp_path):
    write(tmp_path / "x.png", person(0))
    (tmp_path / "list.csv").write_text("path,person\nx.png,../../evil\nx.png,/etc/passwd\n")
    made = build([str(tmp_path / "list.csv")], tmp_path / "out", SquareEngine())
    assert made.people == ("../../evil", "/etc/passwd")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["list.csv", "out", "x.png"]
    crops = [path for path in (tmp_path / "out" / "crops").rglob("*") if path.is_file()]
    assert len(crops) == 2


def archive_of(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_an_archive_inside_a_source_is_skipped_and_counted(tmp_path):
    inner = archive_of({"Eve/1.png": photo_bytes(person(3))})
    folder = people_folder(tmp_path / "photos", people=2, photos=1)
    (folder / "Person_00" / "more.zip").write_bytes(inner)
    (tmp_path / "outer.zip").write_bytes(
        archive_of({"set/Bob/1.png": photo_bytes(person(4)), "set/Bob/more.tgz": inner})
    )
    made = build([str(folder), str(tmp_path / "outer.zip")], tmp_path / "out", SquareEngine())
    assert made.people == ("Bob", "Person 00", "Person 01")
    skipped = [source["skipped"] for source in made.card["sources"]]
    assert skipped == [{"archive inside, not unpacked": 1}] * 2


def test_an_archive_named_as_a_photo_is_one_unreadable_photo(tmp_path):
    folder = people_folder(tmp_path / "photos", people=2, photos=1)
    (folder / "Person_00" / "more.png").write_bytes(archive_of({"Eve/1.png": b"x"}))
    made = build([str(folder)], tmp_path / "out", SquareEngine())
    (bad,) = (entry for entry in made.entries if not entry.used)
    assert bad.reason == "unreadable"
    assert "zip archive" in bad.evidence


LISTS = {
    "a byte order mark": "\ufeffpath,person\nx.png,Ada\n",
    "Windows line ends": "path,person\r\nx.png,Ada\r\n",
    "no line end at the end": "path,person\nx.png,Ada",
    "columns in another order": "person,note,path\nAda,hello,x.png\n",
    "columns in capitals, with blanks": " PATH , Person \nx.png,Ada\n",
    "more cells than columns": "path,person\nx.png,Ada,,more,cells\n",
    "empty lines": "path,person\n\n\nx.png,Ada\n\n",
    "a repeated line": "path,person\nx.png,Ada\nx.png,ADA\n",
    "a line without a person": "path,person\nx.png,Ada\nx.png\nx.png,  \n",
    "quotes": 'path,person\n"x.png","Ada"\n',
}


@pytest.mark.parametrize("text", LISTS.values(), ids=LISTS)
def test_lists_in_the_formats_of_other_programs(tmp_path, text):
    write(tmp_path / "x.png", person(0))
    (tmp_path / "list.csv").write_bytes(text.encode())
    made = build([str(tmp_path / "list.csv")], tmp_path / "out", SquareEngine())
    assert [(entry.person, entry.photo, entry.used) for entry in made.entries] == [
        ("Ada", "x.png", True)
    ]


def test_paths_in_a_list_that_are_not_photos_are_unreadable_entries(tmp_path):
    write(tmp_path / "x.png", person(0))
    (tmp_path / "folder").mkdir()
    lines = ["x.png", "gone.png", "folder", "/dev/zero", "a\0b.png", "x.png/under", "list.csv"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        lines.append("pipe")
    text = "path,person\n" + "".join(f"{line},Ada\n" for line in lines)
    (tmp_path / "list.csv").write_text(text)
    made = build([str(tmp_path / "list.csv")], tmp_path / "out", SquareEngine())
    reasons = {entry.photo: entry.reason for entry in made.entries}
    assert reasons.pop("x.png") == ""
    assert set(reasons.values()) == {"unreadable"}
    assert len(reasons) == len(lines) - 1
    assert all(entry.evidence for entry in made.entries if not entry.used)


def test_one_photo_can_belong_to_two_people(tmp_path):
    write(tmp_path / "x.png", person(0), person(1))
    write(tmp_path / "ada.png", person(0, 3))
    write(tmp_path / "bob.png", person(1, 3))
    lines = "x.png,Ada\nx.png,Bob\nada.png,Ada\nbob.png,Bob\n"
    (tmp_path / "list.csv").write_text("path,person\n" + lines)
    made = build([str(tmp_path / "list.csv")], tmp_path / "out", SquareEngine())
    faces = {entry.person: entry.face for entry in made.entries if entry.photo == "x.png"}
    assert faces == {"Ada": 0, "Bob": 1}


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_link_in_an_archive_is_not_followed(tmp_path):
    secret = write(tmp_path / "secret.png", person(9))
    link = zipfile.ZipInfo("set/Bob/2.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("set/Bob/1.png", photo_bytes(person(1)))
        archive.writestr("set/Eve/1.png", photo_bytes(person(2)))
        archive.writestr(link, str(secret))
    made = build([str(tmp_path / "a.zip")], tmp_path / "out", SquareEngine())
    assert len(made.entries) == 2
    assert made.card["sources"][0]["skipped"] == {"link or device in an archive": 1}


def test_an_archive_with_a_path_outside_writes_nothing(tmp_path):
    (tmp_path / "a.zip").write_bytes(
        archive_of({"../../evil/1.png": photo_bytes(person(1)), "Ada/1.png": b"x"})
    )
    with pytest.raises(UnsafeArchive):
        build([str(tmp_path / "a.zip")], tmp_path / "deep" / "out", SquareEngine())
    assert [each.name for each in tmp_path.rglob("*")] == ["a.zip"]


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="needs POSIX")
def test_a_folder_that_cannot_be_read_is_counted(tmp_path, monkeypatch):
    folder = people_folder(tmp_path / "photos", people=3, photos=1)
    scandir = os.scandir

    def refuse(path):  # as the system does for users other than root
        if str(path).endswith("Person_01"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    made = build([str(folder)], tmp_path / "out", SquareEngine())
    assert made.people == ("Person 00", "Person 02")
    assert made.card["sources"][0]["skipped"] == {"folder that cannot be read": 1}


@pytest.fixture
def mien(monkeypatch, capfd):
    monkeypatch.setattr(Engine, "open", lambda **_: SquareEngine())

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        return caught.value.code, *capfd.readouterr()

    return call


def test_commands_print_the_error_and_a_hint(tmp_path, mien):
    (tmp_path / "outside.zip").write_bytes(archive_of({"../x/1.png": b"x"}))
    (tmp_path / "list.csv").write_text("file;name\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "half.zip").write_bytes(archive_of({"Ada/1.png": b"x" * 99})[:60])
    for source, message in {
        "outside.zip": "leads out",
        "list.csv": "path,person",
        "empty": "no photo of a person",
        "half.zip": "damaged or incomplete",
        "gone": "no such file or folder",
    }.items():
        code, out, err = mien("dataset", "build", tmp_path / source, "-o", tmp_path / "out")
        assert (code, out) == (14, "")
        assert message in err
        assert "Traceback" not in err
        assert len(err.strip().splitlines()) >= 2  # what happened, and a hint


def test_the_detection_size_reaches_the_engine(tmp_path, monkeypatch):
    folder, requested = people_folder(tmp_path / "photos", people=1, photos=1), {}

    def opened(**options):
        requested.update(options)
        engine = SquareEngine()
        engine.settings = options["settings"]
        return engine

    monkeypatch.setattr(Engine, "open", opened)
    arguments = ["build", str(folder), "-o", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(dataset, [*arguments, "--detection-size", "1920"])
    assert result.exit_code == 0
    assert requested["settings"].max_side == 1920
    assert json.loads(result.stdout)["detection"]["side"] == 1920
    for size in ("100", "5000", "big"):
        refused = CliRunner().invoke(dataset, [*arguments, "--detection-size", size])
        assert refused.exit_code == 2
