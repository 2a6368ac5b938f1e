"""Encryption at rest: keys, encrypted galleries, changing the key."""

from __future__ import annotations

import os
import stat
import sys
import threading
from types import SimpleNamespace

import pytest
from spheres import ORIGIN, centre, enrolled, face_sample, faces

from faults import KILLED, every_fault
from mien.errors import GalleryLocked, OutputError
from mien.gallery import Gallery, find_key, key_text, new_key, parse_key, write_new_key
from mien.gallery.exchange.transfer import Export, export_gallery, import_into
from mien.gallery.integrity import check_gallery
from mien.gallery.storage.cipher import Cipher

KEY, OTHER = bytes(range(32)), bytes(32)


def test_decryption_needs_the_same_key_and_place():
    cipher = Cipher(KEY)
    closed = cipher.encrypt(b"template", "photo 1")
    assert b"template" not in closed
    assert closed != cipher.encrypt(b"template", "photo 1")
    assert cipher.decrypt(closed, "photo 1") == b"template"
    for broken, place, key in (
        (closed, "photo 2", KEY),
        (closed, "photo 1", OTHER),
        (closed[:-1], "photo 1", KEY),
        (closed[:5], "photo 1", KEY),
        (b"", "photo 1", KEY),
        (closed[:-1] + bytes([closed[-1] ^ 1]), "photo 1", KEY),
    ):
        with pytest.raises(GalleryLocked, match="cannot be decrypted"):
            Cipher(key).decrypt(broken, place)


def test_without_a_key_bytes_are_not_encrypted():
    cipher = Cipher()
    assert not cipher.encrypts
    assert cipher.decrypt(cipher.encrypt(b"template", "photo 1"), "photo 1") == b"template"
    with pytest.raises(GalleryLocked, match="32 bytes, this one 5"):
        Cipher(b"short")


def test_a_missing_package_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(GalleryLocked, match="needs the package cryptography"):
        Cipher(KEY)


def test_keys_are_found_in_a_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("MIEN_KEY", raising=False)
    assert find_key() is None
    made = write_new_key(tmp_path / "keys" / "office.key")
    assert find_key(tmp_path / "keys" / "office.key") == made
    assert len({made, new_key(), new_key()}) == 3
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "keys" / "office.key").stat().st_mode) == 0o600
    monkeypatch.setenv("MIEN_KEY", f" {key_text(KEY)}\n")
    assert find_key() == KEY
    assert find_key(tmp_path / "keys" / "office.key") == made
    with pytest.raises(OutputError, match="cannot write"):
        write_new_key(tmp_path / "keys" / "office.key")
    with pytest.raises(GalleryLocked, match="cannot be read"):
        find_key(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "text", ["x", "", "é" * 44, key_text(KEY)[:-4], key_text(KEY * 2), "=" * 44]
)
def test_a_malformed_key_is_refused(text, monkeypatch, tmp_path):
    with pytest.raises(GalleryLocked, match="here holds no key") as caught:
        parse_key(text, "here")
    assert caught.value.code == "key-malformed"
    (tmp_path / "key").write_text(text, "utf-8")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(GalleryLocked):
        find_key(tmp_path / "key")
    if text:
        monkeypatch.setenv("MIEN_KEY", text)
        with pytest.raises(GalleryLocked, match="MIEN_KEY"):
            find_key()


@pytest.fixture
def encrypted(tmp_path):
    with Gallery.create(tmp_path / "people", ORIGIN, thumbnails=True, key=KEY) as made:
        enrolled(made, 3, 2)
        made.reject("person 0", centre(9))
        yield made


def in_the_clear(gallery):
    """Return which data of person 0 can be read in the files of a gallery."""
    data = b"".join(path.read_bytes() for path in gallery.path.iterdir())
    sample = face_sample(0, 0)
    parts = {"crop": sample.embedding.tobytes(), "mirrored": sample.mirrored.tobytes()}
    parts |= {"thumbnail": sample.crop, "negative": centre(9).tobytes()}
    return {name for name, part in parts.items() if part[:32] in data}


def test_an_encrypted_gallery_has_nothing_in_the_clear(encrypted):
    assert encrypted.encrypted
    assert in_the_clear(encrypted) == set()
    (first, *_) = encrypted.pictures("person 0")
    assert encrypted.thumbnail(first.id) == face_sample(0, 0).crop
    assert encrypted.identify(faces(centre(1)))[0].name == "person 1"


def test_an_encrypted_gallery_opens_with_its_key_only(encrypted):
    for key in (None, OTHER):
        with pytest.raises(GalleryLocked) as caught:
            Gallery.open(encrypted.path, key=key)
        assert caught.value.code == "gallery-locked"
        assert "MIEN_KEY" in caught.value.hint
    with Gallery.open(encrypted.path, key=KEY) as again:
        assert again.head().prototypes.tobytes() == encrypted.head().prototypes.tobytes()


def test_a_gallery_that_is_not_encrypted_does_not_open_with_a_key(tmp_path):
    """Who gives a key expects that what is written is encrypted."""
    with Gallery.create(tmp_path, ORIGIN) as plain:
        enrolled(plain, 1, 1)
    before = (tmp_path / "gallery.sqlite").read_bytes()
    with pytest.raises(GalleryLocked, match="is not encrypted, and a key was given") as refused:
        Gallery.open(tmp_path, key=KEY)
    assert refused.value.code == "gallery-not-encrypted"
    assert (tmp_path / "gallery.sqlite").read_bytes() == before
    with Gallery.open(tmp_path) as again:
        assert not again.encrypted


def test_an_encrypted_gallery_whose_lock_is_removed_does_not_open_with_its_key(encrypted):
    with encrypted._database.writing():
        encrypted._database.set_meta("lock", "")
    with pytest.raises(GalleryLocked, match="is not encrypted"):
        Gallery.open(encrypted.path, key=KEY)


def test_nothing_is_imported_in_the_clear_where_a_key_is_given(encrypted, tmp_path):
    export = Export(export_gallery(encrypted), key=KEY)
    Gallery.create(tmp_path / "plain", encrypted.origin).close()
    with pytest.raises(GalleryLocked, match="is not encrypted"):
        import_into(tmp_path / "plain", export, key=KEY)
    with Gallery.open(tmp_path / "plain") as plain:
        assert not plain.people()


def test_after_changing_the_key_nothing_is_left_for_the_old_one(encrypted):
    before = encrypted.head()
    blobs = [row[0] for row in encrypted._database.base.execute("SELECT template FROM photos")]
    encrypted.rotate_key(OTHER)
    data = b"".join(path.read_bytes() for path in encrypted.path.iterdir())
    assert not [blob for blob in blobs if blob[12:44] in data]
    with pytest.raises(GalleryLocked):
        Gallery.open(encrypted.path, key=KEY)
    encrypted.enrol("person 0", face_sample(0, 7))
    with Gallery.open(encrypted.path, key=OTHER) as again:
        assert again.person("person 0").photos == 3
        assert np_equal(again.head().negatives, before.negatives)
        assert check_gallery(again).faults == ()
    encrypted.rotate_key(None)
    assert in_the_clear(encrypted) == {"crop", "mirrored", "thumbnail", "negative"}
    encrypted.rotate_key(KEY)
    assert in_the_clear(encrypted) == set()
    with pytest.raises(GalleryLocked, match="32 bytes"):
        encrypted.rotate_key(b"short")


def np_equal(a, b):
    return a.tobytes() == b.tobytes()


def test_another_process_does_not_write_with_the_old_key(encrypted):
    with Gallery.open(encrypted.path, key=KEY) as other:
        encrypted.rotate_key(OTHER)
        with pytest.raises(GalleryLocked, match="key was changed"):
            other.enrol("person 0", face_sample(0, 7))
        assert other.identify(faces(centre(1)))[0].known
    assert check_gallery(encrypted).faults == ()


def test_a_template_moved_to_another_row_is_detected(encrypted):
    base = encrypted._database.base
    rows = base.execute("SELECT id, template FROM photos ORDER BY number").fetchall()
    base.execute("UPDATE photos SET template = ? WHERE id = ?", (rows[0][1], rows[5][0]))
    with pytest.raises(GalleryLocked, match=f"photo {rows[5][0]} cannot be decrypted"):
        Gallery.open(encrypted.path, key=KEY)
    assert any("cannot be decrypted" in fault for fault in check_gallery(encrypted).faults)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_key_file_that_others_may_read_is_refused(tmp_path, mode):
    path = tmp_path / "office key"
    key = write_new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(mode)
    with pytest.raises(GalleryLocked, match="others") as caught:
        find_key(path)
    assert caught.value.hint == f"Take it from them: chmod 600 '{path}'"
    path.chmod(0o400)
    assert find_key(path) == key


@pytest.mark.parametrize("user", ["another", "root"])
def test_a_secret_that_root_mounted_is_a_warning(tmp_path, monkeypatch, caplog, user):
    path = tmp_path / "key"
    key = write_new_key(path)
    path.chmod(0o444)
    found = path.stat()
    owned = os.stat_result((*found[:4], 0, *found[5:]))
    monkeypatch.setattr(os, "fstat", lambda _: owned)
    monkeypatch.setattr(os, "geteuid", lambda: 0 if user == "root" else 1000)
    if user == "root":
        with pytest.raises(GalleryLocked, match="others"):
            find_key(path)
        flags = SimpleNamespace(f_flag=os.ST_RDONLY)  # mounted as by Docker and Kubernetes
        monkeypatch.setattr(os, "fstatvfs", lambda _: flags)
    assert find_key(path) == key
    assert "others than its owner may read" in caplog.text


def test_a_key_from_a_pipe_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o644)
    key = new_key()
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text(key_text(key)))
    writer.start()
    assert find_key(tmp_path / "pipe") == key
    writer.join()


def test_a_new_key_is_written_through_a_symlink_and_never_over_a_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    key = write_new_key(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert find_key(tmp_path / "real") == key
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "real", "pipe"):
        with pytest.raises(OutputError):
            write_new_key(tmp_path / name)


def test_a_new_key_is_whole_or_absent_while_system_calls_fail(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    path = tmp_path / "key"
    for fault in every_fault(lambda: write_new_key(path)):
        path.unlink(missing_ok=True)
        fault.run(lambda: write_new_key(path))
        if path.exists() and fault.error != KILLED and not fault.persists:
            find_key(path)
