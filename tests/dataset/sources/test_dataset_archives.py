import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile

import pytest
from squares import SquareEngine, person, photo_bytes

from mien.dataset.build import Options, build, build_dataset
from mien.dataset.sources import archives
from mien.dataset.sources.archives import TarSource, ZipSource
from mien.errors import BrokenPhoto, PhotoTooLarge, UnsafeArchive, UnusableSource

PHOTO = photo_bytes(person(1))


def tar_of(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for member in members:
            info, data = (
                member
                if isinstance(member[0], tarfile.TarInfo)
                else (tarfile.TarInfo(member[0]), member[1])
            )
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zip_of(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def special_member(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info, b""


def read(source):
    survey = source.survey()
    found = []
    for item, load in source.read(survey.items):
        try:
            found.append((item.person, item.photo, load()))
        except (BrokenPhoto, PhotoTooLarge) as error:
            found.append((item.person, item.photo, type(error)))
    return survey, found


MEMBERS = [("set/Ada_L/1.png", PHOTO), ("set/Bob/1.png", PHOTO), ("set/readme.txt", b"x")]


@pytest.mark.parametrize("kind", ["zip", "tgz", "tar"])
def test_archives_are_read(tmp_path, kind):
    path = tmp_path / f"some.{kind}"
    if kind == "zip":
        source = ZipSource(zip_of(path, MEMBERS))
    else:
        source = TarSource(tar_of(path, MEMBERS, "w:gz" if kind == "tgz" else "w"))
    survey, found = read(source)
    assert source.label == "some"
    assert found == [("Ada L", "set/Ada_L/1.png", PHOTO), ("Bob", "set/Bob/1.png", PHOTO)]
    assert survey.skipped == {"not a photo": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name", ["/etc/Ada/1.png", "../Ada/1.png", "set/../../Ada/1.png", "C:/Ada/1.png"]
)
def test_members_with_a_path_outside_are_rejected(tmp_path, name):
    with pytest.raises(UnsafeArchive, match="leads out"):
        ZipSource(zip_of(tmp_path / "a.zip", [(name, PHOTO)])).survey()
    with pytest.raises(UnsafeArchive, match="leads out"):
        TarSource(tar_of(tmp_path / "a.tgz", [(name, PHOTO)])).survey()


def test_a_path_outside_with_backslashes_is_rejected(tmp_path):
    with pytest.raises(UnsafeArchive):
        ZipSource(zip_of(tmp_path / "a.zip", [("..\\Ada\\1.png", PHOTO)])).survey()


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_rejected(tmp_path, kind):
    path = tar_of(tmp_path / "a.tgz", [*MEMBERS, special_member("set/Bob/2.png", kind)])
    with pytest.raises(UnsafeArchive, match="device"):
        TarSource(path).survey()


def test_links_are_skipped(tmp_path):
    links = [
        special_member("set/Bob/2.png", tarfile.SYMTYPE, "/etc/passwd"),
        special_member("set/Bob/3.png", tarfile.LNKTYPE, "set/Bob/1.png"),
    ]
    survey, found = read(TarSource(tar_of(tmp_path / "a.tgz", MEMBERS + links)))
    assert len(found) == 2
    assert survey.skipped["link or device in an archive"] == 2


def test_links_in_zips_are_skipped(tmp_path):
    link = zipfile.ZipInfo("set/Bob/2.png")
    link.external_attr = 0o120777 << 16
    path = zip_of(tmp_path / "a.zip", [*MEMBERS, (link, "/etc/passwd")])
    survey, found = read(ZipSource(path))
    assert len(found) == 2
    assert survey.skipped["link or device in an archive"] == 1


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_repeated_members_count_once(tmp_path, kind):
    members = [*MEMBERS, ("set/Bob/1.png", b"other")]
    path = tmp_path / f"a.{kind}"
    source = ZipSource(zip_of(path, members)) if kind == "zip" else TarSource(tar_of(path, members))
    survey, found = read(source)
    assert found[1] == ("Bob", "set/Bob/1.png", PHOTO)
    assert len(found) == 2
    assert survey.skipped["member that repeats another's name"] == 1


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_too_many_members(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    path = tmp_path / f"a.{kind}"
    source = ZipSource(zip_of(path, MEMBERS)) if kind == "zip" else TarSource(tar_of(path, MEMBERS))
    with pytest.raises(UnsafeArchive, match="more than 2 members"):
        source.survey()


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_an_oversized_member_is_one_unreadable_photo(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archives, "MAX_BYTES", 1 << 16)
    members = [("set/Ada/1.png", bytes(1 << 17)), ("set/Bob/1.png", PHOTO)]
    path = tmp_path / f"a.{kind}"
    source = ZipSource(zip_of(path, members)) if kind == "zip" else TarSource(tar_of(path, members))
    _, found = read(source)
    assert [data for _, _, data in found] == [PhotoTooLarge, PHOTO]


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_archives_that_grow_too_much_are_rejected(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(archives, "GROWTH_ALLOWED_BYTES", 1 << 20)
    zeros = [(f"set/Ada/{i}.png", bytes(1 << 20)) for i in range(8)]
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in zeros:
                archive.writestr(name, data)
        source = ZipSource(path)
    else:
        source = TarSource(tar_of(path, zeros))
    with pytest.raises(UnsafeArchive, match="times its size"):
        source.survey()


def test_an_oversized_header_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_BYTES", 1 << 16)
    header = tarfile.TarInfo("pax")
    header.type = tarfile.XHDTYPE
    header.size = 1 << 20
    path = tmp_path / "a.tgz"
    with gzip.open(path, "wb") as file:
        file.write(header.tobuf() + bytes(1 << 20))
    with pytest.raises(UnsafeArchive, match="header"):
        TarSource(path).survey()


def test_an_encrypted_zip_gives_a_hint(tmp_path):
    path = zip_of(tmp_path / "a.zip", [("set/Ada/1.png", PHOTO)])
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UnusableSource, match="encrypted") as caught:
        ZipSource(path).survey()
    assert "folder" in caught.value.hint


def test_a_damaged_member_is_one_unreadable_photo(tmp_path):
    path = zip_of(tmp_path / "a.zip", [("set/Ada/1.png", b"A" * 500), ("set/Bob/1.png", PHOTO)])
    data = bytearray(path.read_bytes())
    data[data.index(b"A" * 100) + 50] ^= 1
    path.write_bytes(data)
    _, found = read(ZipSource(path))
    assert [data for _, _, data in found] == [BrokenPhoto, PHOTO]


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_with_damage_that_its_packing_notices(tmp_path, packing):
    path = zip_of(tmp_path / "a.zip", [("set/Bob/1.png", PHOTO)])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("set/Ada/1.png", PHOTO, packing)
        place = archive.getinfo("set/Ada/1.png").header_offset
    data = bytearray(path.read_bytes())
    data[place + 60 : place + 90] = bytes(30)
    path.write_bytes(data)
    _, found = read(ZipSource(path))
    assert sorted(str(data) for _, _, data in found) == sorted([str(BrokenPhoto), str(PHOTO)])


def test_a_member_without_a_name_is_skipped(tmp_path):
    path = zip_of(tmp_path / "a.zip", [("set/Ada/1.png", PHOTO), ("@@@@", b"x"), ("set/B/", b"")])
    path.write_bytes(path.read_bytes().replace(b"@@@@", bytes(4)))  # a name ends at a null
    _, found = read(ZipSource(path))
    assert [photo for _, photo, _ in found] == ["set/Ada/1.png"]


@pytest.mark.parametrize("kind", ["zip", "tgz"])
def test_a_truncated_archive_is_rejected(tmp_path, kind):
    members = [(f"set/Ada/{i}.png", bytes(range(256)) * 400) for i in range(4)]
    path = tmp_path / f"a.{kind}"
    source = ZipSource(zip_of(path, members)) if kind == "zip" else TarSource(tar_of(path, members))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnusableSource, match="damaged or incomplete"):
        source.survey()


@pytest.mark.parametrize("kind", ["zip", "tgz", "tar"])
@pytest.mark.parametrize("data", [b"", b"not an archive at all" * 100, b"\x1f\x8b" + b"junk" * 50])
def test_a_file_that_is_not_an_archive_is_rejected(tmp_path, kind, data):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(data)
    source = ZipSource(path) if kind == "zip" else TarSource(path)
    with pytest.raises(UnusableSource):
        source.survey()


def test_undeclared_utf8_names_in_a_zip(tmp_path):
    path = zip_of(tmp_path / "a.zip", [("set/\u0410\u0434\u0430/1.png", PHOTO)])
    data = bytearray(path.read_bytes())
    data[7] &= ~8
    data[data.index(b"PK\x01\x02") + 9] &= ~8
    path.write_bytes(data)
    _, found = read(ZipSource(path))
    assert found == [("\u0410\u0434\u0430", "set/\u0410\u0434\u0430/1.png", PHOTO)]


def zip_of_many(path, count, suffix):
    """Write a zip of empty members, by hand: `zipfile` itself would keep them."""
    start = 30
    with path.open("wb") as file:
        file.write(b"PK\3\4".ljust(start, b"\0"))
        for number in range(count):
            name = f"{number % 100}/{number}{suffix}".encode()
            fields = (0x02014B50, 20, 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0)
            file.write(struct.pack("<I6H3I5H2I", *fields) + name)
        size = file.tell() - start
        for form, *numbers in (
            ("<IQ2H2I4Q", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, start),
            ("<IIQI", 0x07064B50, 0, start + size, 1),
            ("<I4H2IH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0),
        ):
            file.write(struct.pack(form, *numbers))
    return path


def peak_of_survey(path, count, suffix):
    """Return the most bytes in use at once while a zip's list of members is read."""
    source = ZipSource(zip_of_many(path, count, suffix))
    tracemalloc.start()
    try:
        survey = source.survey()
        photos = count if suffix == ".jpg" else 0
        assert (len(survey.items), survey.skipped.total()) == (photos, count - photos)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("suffix", "most"), [(".txt", 250), (".jpg", 500)])
def test_a_zip_of_very_many_members_takes_little_memory_for_each(tmp_path, suffix, most):
    """The list is read as a whole, about 60 bytes for a member; of a photo the name stays."""
    few, many = (peak_of_survey(tmp_path / "a.zip", n, suffix) for n in (4_000, 16_000))
    assert (many - few) / 12_000 < most


def test_a_zip_of_too_many_members_is_refused_before_its_end(tmp_path, monkeypatch):
    path = zip_of_many(tmp_path / "many.zip", 70_000, ".jpg")
    seen = []
    monkeypatch.setattr(archives, "_check_path", lambda _, name: seen.append(name))
    with pytest.raises(UnsafeArchive, match="more than 1,000 members"):
        ZipSource(path, max_members=1000).survey()
    assert len(seen) == 1000


def test_the_limit_of_members_is_an_option(tmp_path):
    path = str(zip_of_many(tmp_path / "many.zip", 5, ".jpg"))
    with pytest.raises(UnsafeArchive, match="more than 4 members"):
        build_dataset(path, tmp_path / "out", engine=SquareEngine(), max_members=4)
    with pytest.raises(UnsafeArchive, match="more than 4 members"):
        build([path], tmp_path / "out", SquareEngine(), Options(max_members=4))
