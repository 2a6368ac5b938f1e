"""The portraits are read from an archive on the user's index, and nothing else is."""

import hashlib
import io
import tarfile

import portraits
import pytest
from portraits import PortraitsUnavailable, fetch

PICTURES = {"one.jpg": b"first", "two.png": b"second"}


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Return a folder in which pip looks for packages instead of an index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("MIEN_OFFLINE", raising=False)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in PICTURES.items()}
    monkeypatch.setattr(portraits, "PORTRAITS", digests)
    return folder


def publish(index, members, name="face_recognition-1.3.0.tar.gz"):
    with tarfile.open(index / name, "w:gz") as archive:
        for path, data in members.items():
            info = tarfile.TarInfo(f"face_recognition-1.3.0/{path}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def as_published(**changed):
    return {f"tests/test_images/{name}": changed.get(name, data) for name, data in PICTURES.items()}


def test_only_the_pictures_are_written_and_no_code_is_run(index, tmp_path):
    trap = tmp_path / "trap"
    code = f"open({str(trap)!r}, 'w')".encode()
    more = {"setup.py": code, "pyproject.toml": b"[build-system", "tests/test_images/x.jpg": b"x"}
    publish(index, as_published() | more)
    folder = tmp_path / "here" / "they are"
    paths = fetch(folder)
    assert {path.name: path.read_bytes() for path in paths} == PICTURES
    assert sorted(folder.iterdir()) == sorted(paths)
    assert not trap.exists()


def test_only_missing_or_damaged_pictures_are_downloaded(index, tmp_path, monkeypatch):
    publish(index, as_published())
    first, second = fetch(tmp_path / "p")
    (index / "face_recognition-1.3.0.tar.gz").rename(index / "gone")
    assert fetch(tmp_path / "p") == [first, second]
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    assert fetch(tmp_path / "p") == [first, second]
    second.write_bytes(b"damaged")
    with pytest.raises(PortraitsUnavailable, match=r"two\.png, and MIEN_OFFLINE"):
        fetch(tmp_path / "p")
    monkeypatch.delenv("MIEN_OFFLINE")
    (index / "gone").rename(index / "face_recognition-1.3.0.tar.gz")
    assert fetch(tmp_path / "p")[1].read_bytes() == PICTURES["two.png"]


def test_an_index_without_the_archive_is_an_error(index, tmp_path):
    publish(index, as_published(), name="face_recognition-1.2.3.tar.gz")
    with pytest.raises(PortraitsUnavailable, match=r"no source distribution.*1\.3\.0"):
        fetch(tmp_path / "p")


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"tests/test_images/one.jpg": b"first"},
        {"tests/test_images/one.jpg": b"first", "tests/test_images/two.png": b"other"},
        {"one.jpg": b"first", "two.png": b"second"},
    ],
)
def test_other_pictures_are_refused_and_none_is_written(index, tmp_path, members):
    publish(index, members)
    with pytest.raises(PortraitsUnavailable, match="not the expected picture"):
        fetch(tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_links_are_not_followed(index, tmp_path):
    with tarfile.open(index / "face_recognition-1.3.0.tar.gz", "w:gz") as archive:
        for name in PICTURES:
            link = tarfile.TarInfo(f"face_recognition-1.3.0/tests/test_images/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
            archive.addfile(link)
    with pytest.raises(PortraitsUnavailable, match="not the expected picture"):
        fetch(tmp_path / "p")


def test_an_archive_larger_than_expected_is_refused(index, tmp_path):
    publish(index, as_published() | {"big": bytes(40 << 20)})
    with pytest.raises(PortraitsUnavailable, match="larger than expected"):
        fetch(tmp_path / "p")


@pytest.mark.parametrize("kept", [0, 10, 100])
def test_a_damaged_archive_is_refused(index, tmp_path, kept):
    publish(index, as_published())
    path = index / "face_recognition-1.3.0.tar.gz"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(PortraitsUnavailable, match=r"archive is damaged|not the expected picture"):
        fetch(tmp_path / "p")


def test_a_folder_that_cannot_be_written_is_an_error(index, tmp_path):
    publish(index, as_published())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PortraitsUnavailable, match="cannot be written"):
        fetch(tmp_path / "file")
