"""The digest over all rows follows every change, at the cost of what changed."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spheres import ORIGIN, centre, enrolled, face_sample

from mien.errors import NotAGallery
from mien.gallery import Gallery
from mien.gallery.integrity import check_gallery
from mien.gallery.storage import row_digests
from mien.gallery.storage.connecting import FILE
from mien.gallery.storage.row_digests import (
    TABLES,
    ChangedRows,
    GalleryDigest,
    digest_of,
    row_digest,
    settings_digest,
)
from mien.gallery.storage.schema import migrate
from mien.gallery.storage.sealing import Seal

KEY = bytes(range(32))
BLANK = GalleryDigest(0, (0,) * len(TABLES), 0, bytes(32))
KEYS = pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])


def blank():
    base = sqlite3.connect(":memory:", isolation_level=None)
    base.execute("PRAGMA foreign_keys = ON")
    migrate(base)
    return base


def test_every_column_is_in_the_digest():
    base = blank()
    found = {
        table: tuple(row[1] for row in base.execute(f"PRAGMA table_info({table})"))
        for (table,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert found.pop("meta") == ("key", "value")
    assert found == {table: tuple(columns) for table, columns in TABLES.items()}


NUMBER = st.integers(1, 4)
TEXT = st.sampled_from(["", "a", "a,", "aa", "Émilie"])
CHANGES = st.lists(
    st.one_of(
        st.tuples(
            st.just("INSERT OR IGNORE INTO people VALUES (?, ?, ?, ?, ?, '', '', '', ?)"),
            st.tuples(NUMBER, TEXT, TEXT, TEXT, TEXT, st.none() | st.binary(max_size=3)),
        ),
        st.tuples(
            st.just("INSERT OR IGNORE INTO photos VALUES (?, ?, ?, '', ?, '', '', ?, '', ?, ?, ?)"),
            st.tuples(
                NUMBER, TEXT, NUMBER, TEXT, st.sampled_from([0.0, 0.5, 1.0]),
                st.binary(max_size=3), st.none() | st.just(b""), st.none(),
            ),
        ),
        st.tuples(
            st.just("INSERT OR IGNORE INTO negatives VALUES (?, ?, ?, ?, '', '', ?)"),
            st.tuples(NUMBER, TEXT, NUMBER, st.none() | NUMBER, st.binary(max_size=3)),
        ),
        st.tuples(
            st.just("INSERT INTO audit (time, action, person, key, detail) VALUES (?, ?, ?, ?, ?)"),
            st.tuples(TEXT, TEXT, TEXT, TEXT, TEXT),
        ),
        st.tuples(st.just("DELETE FROM people WHERE number = ?"), st.tuples(NUMBER)),
        st.tuples(st.just("DELETE FROM photos WHERE person = ?"), st.tuples(NUMBER)),
        st.tuples(
            st.just("UPDATE OR IGNORE photos SET person = ?, sha256 = ? WHERE number > ?"),
            st.tuples(NUMBER, TEXT, NUMBER),
        ),
        st.tuples(st.just("UPDATE people SET name = ?"), st.tuples(TEXT)),
        st.tuples(
            st.just("UPDATE OR IGNORE people SET number = ? WHERE number = ?"),
            st.tuples(NUMBER, NUMBER),
        ),
        st.tuples(st.just("UPDATE negatives SET shows = NULL"), st.just(())),
    ),
    max_size=20,
)  # fmt: skip


@settings(max_examples=60)
@given(changes=CHANGES, cut=st.integers(0, 20), key=st.sampled_from([None, KEY]))
def test_the_digest_after_any_changes_is_that_of_all_rows(changes, cut, key):
    """Also where a foreign key deletes rows, and over two transactions."""
    base, seal = blank(), Seal(key, "0" * 32)
    followed, digest = ChangedRows(base), BLANK
    for part in (changes[:cut], changes[cut:]):
        base.execute("BEGIN")
        followed.start(seal.digest_key)
        try:
            for sql, values in part:
                base.execute(sql, values)
        except sqlite3.IntegrityError:  # as in Mien, the whole transaction is undone
            base.execute("ROLLBACK")
            continue
        digest = followed.applied(digest)
        base.execute("COMMIT")
    found = digest_of(base, seal)
    assert (digest.total, digest.counts) == (found.total, found.counts)
    base.close()


VALUES = st.lists(
    st.none() | st.integers(-3, 300) | st.binary(max_size=4) | st.text(max_size=4) | st.floats(0, 1)
)


@given(VALUES, VALUES)
def test_two_rows_have_one_digest_only_if_they_are_equal(one, other):
    def typed(values):
        return [(type(value), value) for value in values]

    same = row_digest(KEY, "photos", tuple(one)) == row_digest(KEY, "photos", tuple(other))
    assert same == (typed(one) == typed(other))
    assert row_digest(KEY, "photos", tuple(one)) != row_digest(KEY, "people", tuple(one))
    assert row_digest(KEY, "photos", tuple(one)) != row_digest(b"", "photos", tuple(one))


@given(
    total=st.integers(0, 2**256 - 1),
    counts=st.tuples(*[st.integers(0, 2**64 - 1)] * len(TABLES)),
    generation=st.integers(0, 2**64 - 1),
    setting=st.binary(min_size=32, max_size=32),
)
def test_a_digest_is_read_back_as_it_was_packed(total, counts, generation, setting):
    digest = GalleryDigest(total, counts, generation, setting)
    assert GalleryDigest.unpacked(digest.packed()) == digest
    with pytest.raises(ValueError, match="damaged"):
        GalleryDigest.unpacked(digest.packed()[:-1])


class Counter:
    """Counts the digests of rows that are computed."""

    def __init__(self, monkeypatch):
        self.tables = []
        real = row_digests.row_digest

        def counted(key, table, values):
            self.tables.append(table)
            return real(key, table, values)

        monkeypatch.setattr(row_digests, "row_digest", counted)

    def of(self, change):
        self.tables.clear()
        change()
        return {table: self.tables.count(table) for table in set(self.tables)}


@KEYS
@pytest.mark.parametrize("people", [3, 20])
def test_a_change_costs_the_digests_of_what_changed(tmp_path, monkeypatch, people, key):
    """However many people are in the gallery; opening it reads no row for the digest."""
    counter = Counter(monkeypatch)
    with Gallery.create(tmp_path, ORIGIN, key=key) as gallery:
        enrolled(gallery, people, 2)
        gallery.reject("person 1", centre(77))
        touched = {"people": 2}
        assert counter.of(lambda: gallery.enrol("person 0", face_sample(0, 5), force=True)) == {
            "photos": 1, "audit": 1, **touched,
        }  # fmt: skip
        assert counter.of(lambda: gallery.rename("person 0", "Ada")) == {"people": 4, "audit": 1}
        assert counter.of(lambda: gallery.note_consent("Ada", "yes")) == {"people": 4, "audit": 1}
        assert counter.of(lambda: gallery.reject("Ada", centre(78))) == {
            "negatives": 1, "audit": 1,
        }  # fmt: skip
        assert counter.of(lambda: gallery.audit("identified")) == {"audit": 1}
        assert counter.of(lambda: gallery.forget("person 1")) == {
            "people": 1, "photos": 2, "negatives": 1, "audit": 1,
        }  # fmt: skip
        assert counter.of(lambda: gallery.set_rate(0.02)) == {"audit": 1}
    assert counter.of(lambda: Gallery.open(tmp_path, key=key).close()) == {}
    with Gallery.open(tmp_path, key=key) as gallery:
        counts = counter.of(lambda: check_gallery(gallery))
        assert (counts["people"], counts["photos"]) == (people - 1, 2 * people - 1)


def fail_half_way(gallery):
    with gallery._database.writing():
        gallery._store.delete_person(1)
        raise ZeroDivisionError


@KEYS
def test_a_change_that_fails_leaves_the_digest_as_it_was(tmp_path, key):
    with Gallery.create(tmp_path, ORIGIN, key=key) as gallery:
        enrolled(gallery, 2, 2)
        with pytest.raises(ZeroDivisionError):
            fail_half_way(gallery)
        assert check_gallery(gallery).faults == ()
        gallery.forget("person 0")
        assert check_gallery(gallery).faults == ()


def flipped(path, part):
    """Flip the sign bit of the first number of some bytes in a file."""
    data = bytearray(path.read_bytes())
    data[data.index(part) + 3] ^= 0x80
    path.write_bytes(data)


@pytest.mark.parametrize("view", ["embedding", "mirrored"])
def test_a_flipped_sign_of_an_embedding_is_noticed(tmp_path, view):
    """Its length is 1 as before, so that nothing but the digest tells."""
    with Gallery.create(tmp_path, ORIGIN) as gallery:
        enrolled(gallery, 2, 2)
    flipped(tmp_path / FILE, getattr(face_sample(1, 1), view).tobytes())
    with Gallery.open(tmp_path) as gallery:
        (fault,) = check_gallery(gallery).faults
        assert "rows are not as they were stored" in fault
        gallery.enrol("person 1", face_sample(1, 3), force=True)
        gallery.forget("person 1")
        assert check_gallery(gallery).faults
        with pytest.raises(NotAGallery, match="not as they were stored"):
            gallery.rotate_key(KEY)


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("DELETE FROM photos WHERE number = 1", "3 photos are in it, and 4 were stored"),
        ("UPDATE photos SET quality = 0.25 WHERE number = 1", "rows are not as they were"),
        ("UPDATE people SET consent = 'x' WHERE number = 1", "rows are not as they were"),
        ("DELETE FROM audit WHERE number = 1", "lines of the audit trail are in it"),
        ("UPDATE meta SET value = '9' WHERE key = 'generation'", "of generation 9"),
        ("UPDATE meta SET value = '0.5' WHERE key = 'rate'", "settings were changed"),
        ("UPDATE meta SET value = 'AAAA' WHERE key = 'digest'", "its digest is damaged"),
        ("DELETE FROM meta WHERE key = 'digest'", "its digest is damaged"),
    ],
)
def test_damage_to_a_plain_gallery_is_reported_and_it_still_opens(tmp_path, sql, fault):
    with Gallery.create(tmp_path, ORIGIN) as gallery:
        enrolled(gallery, 2, 2)
    base = sqlite3.connect(tmp_path / FILE)
    base.execute(sql)
    base.commit()
    base.close()
    with Gallery.open(tmp_path) as gallery:
        assert len(gallery.people()) == 2
        assert fault in "\n".join(check_gallery(gallery).faults)


def test_settings_are_digested_by_what_they_say():
    base = blank()
    seen = set()
    for name in (*row_digests.SETTINGS, "scrub", "generation"):
        base.execute("INSERT INTO meta VALUES (?, 'x')", (name,))
        seen.add(settings_digest(base))
    assert len(seen) == len(row_digests.SETTINGS)


def test_the_digest_of_a_row_stays_what_it_is():
    """Stored galleries depend on it."""
    values = (1, "a", 0.5, None, b"\0\1")
    assert f"{row_digest(KEY, 'photos', values):064x}" == DIGEST_WITH_A_KEY
    assert f"{row_digest(b'', 'photos', values):064x}" == DIGEST_WITHOUT


DIGEST_WITH_A_KEY = "24f4e3cdaa92b2c7acfd9b74519a3632628bc7aaf92a0d05e961fed392768533"
DIGEST_WITHOUT = "c2f4f5975ec5a475033df5aacf2addde003f5f5a678440bcb8ef83311a50f552"
