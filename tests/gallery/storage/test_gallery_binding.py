"""Without the key no one changes an encrypted gallery unnoticed."""

# ruff: noqa: S608 - the statements are made here

from __future__ import annotations

import shutil
import sqlite3

import pytest
from spheres import ORIGIN, centre, enrol_all, face_sample, faces

from mien.errors import GalleryError, GalleryLocked, NotAGallery
from mien.gallery import Gallery
from mien.gallery.integrity import check_gallery
from mien.gallery.storage.connecting import FILE

KEY = bytes(range(32))


def filled(folder, key=KEY):
    """Make a gallery of three people with two photos each, and a rejected face."""
    with Gallery.create(folder, ORIGIN, thumbnails=True, key=key) as made:
        for number, name in enumerate(["Ada", "Brian", "Carol"]):
            enrol_all(made, name, number, 2)
        made.note_consent("Ada", "by letter")
        made.reject("Ada", centre(9), shows="Brian")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "g"
    filled(folder)
    return folder


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made, tmp_path / "g")
    return tmp_path / "g"


def tampered(folder, *statements):
    """Change the file of a gallery as another program can."""
    base = sqlite3.connect(folder / FILE)
    for sql in statements:
        base.executescript(sql)
    base.commit()
    base.close()


SWAP = (
    "UPDATE {0} SET {1} = -1 WHERE {2} = 1; UPDATE {0} SET {1} = 1 WHERE {2} = 2; "
    "UPDATE {0} SET {1} = 2 WHERE {1} = -1;"
)


def exchanged(table, column, first=1, second=2):
    """Return the SQL that exchanges a column of two rows."""
    a, b = (f"(SELECT {column} FROM old WHERE number = {number})" for number in (second, first))
    unique = column in {"id", "spelling"}
    return (
        f"CREATE TEMP TABLE old AS SELECT * FROM {table}; "
        + (f"UPDATE {table} SET {column} = 'x' || number; " if unique else "")
        + f"UPDATE {table} SET {column} = {a} WHERE number = {first}; "
        f"UPDATE {table} SET {column} = {b} WHERE number = {second}; "
        + (f"UPDATE {table} SET {column} = (SELECT {column} FROM old "
           f"WHERE number = {table}.number) WHERE {column} LIKE 'x%'; " if unique else "")
        + "DROP TABLE old;"
    )  # fmt: skip


SCHEMA = (
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, '{}', '{}') "
    "WHERE name = '{}'; PRAGMA writable_schema = OFF"
)

NOTICED_AT_OPENING = {
    "photos of two people exchanged": SWAP.format("photos", "person", "person"),
    "one photo of another person": "UPDATE photos SET person = 2 WHERE number = 1",
    "people exchanged": SWAP.format("people", "number", "number"),
    "ids of people exchanged": exchanged("people", "id"),
    "names exchanged": exchanged("people", "sealed"),
    "names in the clear": "UPDATE people SET name = 'Eve', sealed = NULL WHERE number = 1",
    "templates exchanged": exchanged("photos", "template", 1, 3),
    "quality": "UPDATE photos SET quality = 0.01 WHERE number = 1",
    "contract": "UPDATE photos SET contract = 'd' WHERE number = 1",
    "time of a photo": "UPDATE photos SET added = '2001-01-01T00:00:00+00:00' WHERE number = 1",
    "forced": "UPDATE photos SET forced = '' WHERE number = 2; "
    "UPDATE photos SET forced = 'disagrees' WHERE number = 1",
    "rejected face of another person": "UPDATE negatives SET person = 3",
    "rejected face that shows another": "UPDATE negatives SET shows = 3",
    "rejected face that shows no one": "UPDATE negatives SET shows = NULL",
    "rejected face deleted": "DELETE FROM negatives",
    "photo deleted": "DELETE FROM photos WHERE number = 1",
    "person deleted": "DELETE FROM photos WHERE person = 1; DELETE FROM negatives; "
    "DELETE FROM people WHERE number = 1",
    "photo copied": "INSERT INTO photos (id, person, contract, sha256, source, added, quality, "
    "forced, template, thumbnail, sealed) SELECT 'x', person, contract, '', source, added, "
    "quality, forced, template, thumbnail, sealed FROM photos WHERE number = 1",
    "generation raised": "UPDATE meta SET value = '99' WHERE key = 'generation'",
    "generation lowered": "UPDATE meta SET value = '1' WHERE key = 'generation'",
    "rate": "UPDATE meta SET value = '0.5' WHERE key = 'rate'",
    "thumbnails": "UPDATE meta SET value = '0' WHERE key = 'thumbnails'",
    "origin": "UPDATE meta SET value = replace(value, 'toy', 'boy') WHERE key = 'origin'",
    "id of the gallery": "UPDATE meta SET value = replace(value, 'a', 'b') || 'c' WHERE key = 'id'",
    "no digest": "DELETE FROM meta WHERE key = 'digest'",
    "short digest": "UPDATE meta SET value = 'AAAA' WHERE key = 'digest'",
    "digest that is not base64": "UPDATE meta SET value = '?' WHERE key = 'digest'",
    "digest of zeros": "UPDATE meta SET value = replace(hex(zeroblob(66)), '00', 'AA') "
    "WHERE key = 'digest'",
    "no lock": "UPDATE meta SET value = '' WHERE key = 'lock'",
    "older version": "PRAGMA user_version = 3; DELETE FROM meta WHERE key IN ('digest', 'id')",
    "a trigger": "CREATE TRIGGER t AFTER INSERT ON audit BEGIN DELETE FROM photos; END",
    "a view": "CREATE VIEW v AS SELECT 1",
    "a table": "CREATE TABLE notes (text TEXT)",
    "a generation that is no number": "UPDATE meta SET value = 'x' WHERE key = 'generation'",
    "a generation of too many digits": "UPDATE meta SET value = '1' || hex(zeroblob(4000)) "
    "WHERE key = 'generation'",
    "photos that stay when their person is forgotten": SCHEMA.format(
        "ON DELETE CASCADE", "ON DELETE SET NULL", "photos"
    ),
    "photos without their person": SCHEMA.format(
        "REFERENCES people (number) ON DELETE CASCADE", "", "photos"
    ),
}


@pytest.mark.parametrize("name", NOTICED_AT_OPENING)
def test_a_change_is_noticed_when_the_gallery_is_opened(folder, name):
    tampered(folder, NOTICED_AT_OPENING[name])
    with pytest.raises(GalleryError):
        Gallery.open(folder, key=KEY)


NOTICED_BY_CHECK = {
    "note in the clear": "UPDATE people SET consent = 'all' WHERE number = 1",
    "time of a change": "UPDATE people SET changed = created || 'x' WHERE number = 1",
    "what a name is searched by": exchanged("people", "spelling"),
    "what a photo is searched by": "UPDATE photos SET sha256 = '' WHERE number = 1",
    "thumbnail": "UPDATE photos SET thumbnail = NULL WHERE number = 1",
    "thumbnails exchanged": exchanged("photos", "thumbnail", 1, 3),
    "names of files exchanged": exchanged("photos", "sealed", 1, 3),
    "line of the audit trail deleted": "DELETE FROM audit WHERE number = 2",
    "line of the audit trail changed": "UPDATE audit SET key = 'someone' WHERE number = 1",
}


@pytest.mark.parametrize("name", NOTICED_BY_CHECK)
def test_a_change_is_noticed_by_the_check(folder, name):
    tampered(folder, NOTICED_BY_CHECK[name])
    with Gallery.open(folder, key=KEY) as gallery:
        assert check_gallery(gallery).faults


@pytest.mark.parametrize("name", [*list(NOTICED_AT_OPENING)[::4], *NOTICED_BY_CHECK])
def test_a_change_is_not_covered_up_by_later_ones(folder, name):
    """Neither by changes that Mien makes afterwards, nor by another key."""
    sql = {**NOTICED_AT_OPENING, **NOTICED_BY_CHECK}[name]
    with Gallery.open(folder, key=KEY) as gallery:
        tampered(folder, sql)
        for change in (
            lambda: gallery.enrol("Ada", face_sample(0, 7), force=True),
            lambda: gallery.note_consent("Ada", "by phone"),
            lambda: gallery.rename("Brian", "Brien"),
            lambda: gallery.merge("Ada", "Brien"),
            lambda: gallery.forget("Ada"),
        ):
            try:
                change()
            except GalleryError:
                break
        with pytest.raises(GalleryError):
            gallery.rotate_key(bytes(32))
        assert check_gallery(gallery).faults


def test_a_name_does_not_lead_to_another_person(folder):
    """What names are searched by was exchanged: the search does not answer with the wrong one."""
    tampered(folder, NOTICED_BY_CHECK["what a name is searched by"])
    with Gallery.open(folder, key=KEY) as gallery:
        with pytest.raises(GalleryLocked, match="cannot be decrypted"):
            gallery.person("Ada")
        assert gallery.person("Carol").name == "Carol"


def rows_of(file, table, where="1"):
    base = sqlite3.connect(file)
    rows = base.execute(f"SELECT * FROM {table} WHERE {where}").fetchall()
    base.close()
    return rows


def inserted(folder, table, rows):
    base = sqlite3.connect(folder / FILE)
    marks = ", ".join("?" * len(rows[0]))
    base.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    base.commit()
    base.close()


def test_a_forgotten_person_who_is_copied_back_from_a_backup_is_noticed(folder, tmp_path):
    backup = shutil.copy(folder / FILE, tmp_path / "backup")
    with Gallery.open(folder, key=KEY) as gallery:
        gallery.forget("Carol")
    inserted(folder, "people", rows_of(backup, "people", "number = 3"))
    inserted(folder, "photos", rows_of(backup, "photos", "person = 3"))
    with pytest.raises(NotAGallery, match="3 people are in it, and 2 were stored"):
        Gallery.open(folder, key=KEY)


def test_a_forgotten_person_who_takes_the_place_of_another_is_noticed(folder, tmp_path):
    """Then the numbers of rows agree; every row is Mien's own, and every row decrypts."""
    backup = shutil.copy(folder / FILE, tmp_path / "backup")
    with Gallery.open(folder, key=KEY) as gallery:
        gallery.forget("Carol")
        enrol_all(gallery, "Dora", 7, 2)
    tampered(folder, "DELETE FROM photos WHERE person = 3; DELETE FROM people WHERE number = 3")
    inserted(folder, "people", rows_of(backup, "people", "number = 3"))
    inserted(folder, "photos", rows_of(backup, "photos", "person = 3"))
    with Gallery.open(folder, key=KEY) as gallery:
        assert gallery.identify(faces(centre(2)))[0].name == "Carol"
        assert "put back from an older copy" in "\n".join(check_gallery(gallery).faults)


def test_photos_of_a_forgotten_person_do_not_become_those_of_the_next(folder, tmp_path):
    """The next person gets the number that the forgotten one had."""
    backup = shutil.copy(folder / FILE, tmp_path / "backup")
    with Gallery.open(folder, key=KEY) as gallery:
        gallery.forget("Carol")
        enrol_all(gallery, "Dora", 7, 2)
    tampered(folder, "DELETE FROM photos WHERE person = 3")
    inserted(folder, "photos", rows_of(backup, "photos", "person = 3"))
    with pytest.raises(GalleryLocked, match="cannot be decrypted"):
        Gallery.open(folder, key=KEY)


def test_an_older_digest_put_back_is_noticed(folder):
    (before,) = rows_of(folder / FILE, "meta", "key = 'digest'")
    with Gallery.open(folder, key=KEY) as gallery:
        gallery.enrol("Ada", face_sample(0, 7), force=True)
    tampered(
        folder,
        f"UPDATE meta SET value = '{before[1]}' WHERE key = 'digest'",
        "DELETE FROM photos WHERE number = 7",
    )
    with pytest.raises(NotAGallery, match="of generation"):
        Gallery.open(folder, key=KEY)


def test_a_stored_digest_tells_nothing(folder):
    """The same rows are stored differently each time: sums of digests cannot be combined."""
    seen = set()
    for _ in range(4):
        with Gallery.open(folder, key=KEY) as gallery:
            gallery.add_person("Dora")
            gallery.forget("Dora")
            with gallery.exclusively() as store:
                found = store.database.stored_digest()
        ((_, text),) = rows_of(folder / FILE, "meta", "key = 'digest'")
        assert found.total.to_bytes(32, "big").hex() not in text
        seen.add((text, len(text)))
    assert len({text for text, _ in seen}) == 4
    assert len({length for _, length in seen}) == 1


@pytest.mark.parametrize("table", ["people", "photos", "negatives"])
def test_rows_of_another_gallery_of_the_same_key_are_refused(folder, tmp_path, table):
    filled(tmp_path / "other")
    rows = rows_of(tmp_path / "other" / FILE, table)
    if table != "people":  # ids of people are random: take those of this gallery
        people = rows_of(tmp_path / "other" / FILE, "people")
        tampered(folder, f"DELETE FROM {table}")
        for number, person, *_ in people:
            tampered(folder, f"UPDATE people SET id = '{person}' WHERE number = {number}")
    else:
        tampered(folder, "PRAGMA foreign_keys = OFF; DELETE FROM people")
    inserted(folder, table, rows)
    with pytest.raises(GalleryLocked, match="cannot be decrypted"):
        Gallery.open(folder, key=KEY)


def test_a_folder_put_back_whole_is_noticed_by_its_generation(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "backup")
    with Gallery.open(folder, key=KEY) as gallery:
        gallery.forget("Carol")
        known = gallery.generation
        assert check_gallery(gallery, at_least=known).faults == ()
    with Gallery.open(tmp_path / "backup", key=KEY) as old:
        assert check_gallery(old).faults == ()
        (fault,) = check_gallery(old, at_least=known).faults
        assert fault == (
            f"it is of generation {known - 1}, not of {known} or a later one: "
            "an older copy was put back"
        )


@pytest.mark.parametrize(
    "change",
    ["note_consent", "rename", "merge", "forget", "forget_picture", "reject", "enrol", "set_rate"],
)
def test_each_change_raises_the_generation(folder, change):
    with Gallery.open(folder, key=KEY) as gallery:
        before = gallery.generation
        arguments = {
            "note_consent": ("Ada", "no"), "rename": ("Ada", "Eda"), "merge": ("Ada", "Brian"),
            "forget": ("Ada",), "forget_picture": (gallery.pictures("Ada")[0].id,),
            "reject": ("Ada", centre(5)), "enrol": ("Ada", face_sample(0, 5)), "set_rate": (0.1,),
        }  # fmt: skip
        getattr(gallery, change)(*arguments[change])
        assert gallery.generation == before + 1


def test_names_notes_and_names_of_files_are_encrypted(folder):
    data = b"".join(path.read_bytes() for path in folder.iterdir())
    sample = face_sample(0, 0)
    for text in ("Brian", "brian", "Carol", "by letter", sample.source):
        assert text.encode() not in data, text
    assert sample.sha256.encode() not in data
    with Gallery.open(folder, key=KEY) as gallery:
        assert gallery.person("ADA").consent == "by letter"
        assert gallery.pictures("Ada")[0].source == sample.source
        assert gallery.pictures("Ada")[0].sha256 == sample.sha256
        again = gallery.enrol("Ada", sample)
        assert (again.taken, again.reason) == (False, "already-enrolled")


def test_the_length_of_a_name_is_hidden(tmp_path):
    with Gallery.create(tmp_path, ORIGIN, key=KEY) as gallery:
        gallery.add_person("A")
        gallery.add_person("A name of many letters")
    (one,), (other,) = rows_of(tmp_path / FILE, "(SELECT length(sealed) FROM people)")
    assert one == other
