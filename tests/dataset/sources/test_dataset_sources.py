import os
from collections import Counter

import pytest
from squares import people_folder, person, write

from mien.dataset.sources.folders import FolderSource
from mien.dataset.sources.layout import Item, Survey, survey_tree
from mien.dataset.sources.merge import merge
from mien.dataset.sources.specs import open_sources
from mien.errors import PhotoError, PhotoTooLarge, SourceNotFound, UnusableSource


def people(survey):
    return Counter(item.person for item in survey.items)


def test_a_folder_of_folders():
    survey = survey_tree("s", ["Ada/1.jpg", "Ada/2.JPG", "Bob/x.png"])
    assert people(survey) == {"Ada": 2, "Bob": 1}


@pytest.mark.parametrize("wrapping", ["lfw", "a/b/c"])
def test_wrapping_folders_are_ignored(wrapping):
    survey = survey_tree("s", [f"{wrapping}/Ada/1.jpg", f"{wrapping}/Bob/1.jpg"])
    assert people(survey) == {"Ada": 1, "Bob": 1}


def test_a_wrapped_single_person():
    assert people(survey_tree("s", ["set/Ada/1.jpg", "set/Ada/2.jpg"])) == {"Ada": 2}


def test_subfolders_belong_to_the_person():
    paths = ["Ada/1.jpg", "Ada/old/2.jpg", "Bob/1.jpg"]
    assert people(survey_tree("s", paths)) == {"Ada": 2, "Bob": 1}


def test_a_single_person_with_a_subfolder_is_one_person():
    assert people(survey_tree("s", ["Ada/1.jpg", "Ada/2.jpg", "Ada/old/3.jpg"])) == {"Ada": 3}


def test_photos_beside_the_people_do_not_hide_a_wrapping_folder():
    survey = survey_tree("s", ["set/cover.jpg", "set/Ada/1.jpg", "set/Ada/2.jpg", "set/Bob/1.jpg"])
    assert people(survey) == {"Ada": 2, "Bob": 1}
    assert survey.skipped["photo that lies in no person's folder"] == 1


def test_skipped_files_are_counted():
    paths = [
        "__MACOSX/Ada/._1.jpg",
        "Ada/.hidden.jpg",
        "Ada/Thumbs.db",
        "Ada/notes.txt",
        "Ada/1.jpg",
    ]
    survey = survey_tree("s", paths)
    assert len(survey.items) == 1
    assert survey.skipped == {"hidden or system file": 3, "not a photo": 1}


def test_a_folder_is_read(tmp_path):
    write(tmp_path / "photos" / "Ada_L" / "1.png", person(1))
    source = FolderSource(tmp_path / "photos")
    ((item, load),) = source.read(source.survey().items)
    assert item == Item("photos", "Ada L", "Ada_L/1.png")
    assert load()[:4] == b"\x89PNG"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_circular_links_end(tmp_path):
    people_folder(tmp_path / "p", people=2, photos=1)
    (tmp_path / "p" / "Person_00" / "loop").symlink_to(tmp_path / "p")
    (tmp_path / "p" / "Person_00" / "lost.jpg").symlink_to(tmp_path / "nowhere")
    survey = FolderSource(tmp_path / "p").survey()
    assert sum("loop" not in item.photo for item in survey.items) == 2
    assert survey.skipped["folder that links back to another"] >= 1
    assert survey.skipped["not a file"] >= 1


def test_a_photo_of_too_many_bytes_is_not_read(tmp_path, monkeypatch):
    path = write(tmp_path / "p" / "Ada" / "1.png", person(1))
    monkeypatch.setattr("mien.dataset.sources.source.MAX_BYTES", path.stat().st_size - 1)
    source = FolderSource(tmp_path / "p")
    ((_, load),) = source.read(source.survey().items)
    with pytest.raises(PhotoTooLarge):
        load()


def test_a_deleted_photo_is_one_unreadable_photo(tmp_path):
    path = write(tmp_path / "p" / "Ada" / "1.png", person(1))
    source = FolderSource(tmp_path / "p")
    items = source.survey().items
    path.unlink()
    ((_, load),) = source.read(items)
    with pytest.raises(PhotoError):
        load()


def write_list(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


def test_a_list(tmp_path):
    write(tmp_path / "in" / "x.png", person(1))
    spec = write_list(
        tmp_path,
        "person,Path,more\nAC/DC \U0001f600,in/x.png,1\nAda,gone.png,\n,in/x.png,\nAda,gone.png,\n",
        "utf-8-sig",
    )
    (source,) = open_sources([spec])
    survey = source.survey()
    assert [(i.person, i.photo) for i in survey.items] == [
        ("AC/DC \U0001f600", "in/x.png"),
        ("Ada", "gone.png"),
    ]
    assert sum(survey.skipped.values()) == 2
    (_, first), (_, second) = source.read(survey.items)
    assert first()
    with pytest.raises(PhotoError, match=r"gone\.png"):
        second()


@pytest.mark.parametrize(
    "data",
    [b"", b"file,name\na,b\n", b"path,person\n\xff\xfe,x\n", b'path,person\n"' + b"x" * 200_000],
)
def test_invalid_lists_are_rejected(tmp_path, data):
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    (source,) = open_sources([str(path)])
    with pytest.raises(UnusableSource) as caught:
        source.survey()
    assert caught.value.hint


def test_missing_sources_are_rejected(tmp_path):
    for spec in (tmp_path / "no", "lfw:" + str(tmp_path / "no.tgz")):
        with pytest.raises(SourceNotFound, match="no") as caught:
            open_sources([str(spec)])
        assert "person" in caught.value.hint


def test_a_file_of_another_kind_is_rejected(tmp_path):
    path = tmp_path / "x.rar"
    path.write_bytes(b"Rar!")
    with pytest.raises(UnusableSource):
        open_sources([str(path)])


def test_lfw_offline_gives_a_hint(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    with pytest.raises(SourceNotFound) as caught:
        open_sources(["lfw"])
    assert "lfw:PATH" in caught.value.hint


def survey_of(label, *names):
    return Survey(tuple(Item(label, name, f"{name}.jpg") for name in names))


def test_equal_names_are_one_person():
    merged = merge(
        {
            "a": survey_of("a", "Ada Lovelace", "Ada Lovelace", "Bob"),
            "b": survey_of("b", "ADA lovelace", "Cleo"),
        }
    )
    assert [item.person for item in merged.items] == ["Ada Lovelace"] * 2 + [
        "Bob",
        "Ada Lovelace",
        "Cleo",
    ]
    assert merged.merged == ("Ada Lovelace",)


def test_equal_names_kept_apart():
    surveys = {"a": survey_of("a", "Ada", "Bob"), "b": survey_of("b", "ada")}
    merged = merge(surveys, keep_apart=True)
    assert [item.person for item in merged.items] == ["Ada (a)", "Bob", "Ada (b)"]
    assert merged.merged == ()


def test_two_sources_of_one_name_get_two_labels(tmp_path):
    for folder in ("x", "y"):
        write(tmp_path / folder / "photos" / "Ada" / "1.png", person(1))
    sources = open_sources([str(tmp_path / folder / "photos") for folder in ("x", "y")])
    assert [source.label for source in sources] == ["photos", "photos 2"]
