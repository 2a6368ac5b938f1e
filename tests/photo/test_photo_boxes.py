"""HEIF files that would crash the process are refused before pi-heif reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mien.errors import BrokenPhoto
from mien.photo import boxes, decode_photo

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("kind", [b"\xffxif", b"E\xffif", b"Ex\xff\xff", b"Exi\xe9"])
def test_an_item_whose_type_is_not_text_is_refused(kind):
    # pi-heif 1.4.0 ends the process with a segmentation fault on these.
    data = (GOLDEN / "turned.heic").read_bytes()
    assert data.count(b"Exif\0\0\0\0\x0e") == 1
    hostile = data.replace(b"Exif\0\0\0\0\x0e", kind + b"\0\0\0\0\x0e")
    with pytest.raises(BrokenPhoto, match=r"holiday\.heic is a damaged HEIF file"):
        decode_photo(hostile, name="holiday.heic")


def _file(*items: bytes) -> bytes:
    entries = b"".join((len(item) + 4).to_bytes(4, "big") + item for item in items)
    return b"\0\0\0\x10ftypheic\0\0\0\0" + (len(entries) + 8).to_bytes(4, "big") + b"meta" + entries


@pytest.mark.parametrize(
    "item",
    [
        b"infe\2\0\0\0\0\1\0\0hvc1\0",
        b"infe\3\0\0\0\0\0\0\1\0\0Exif\0",
        b"infe\2\0\0\0\0\1\0\0mime\0application/rdf+xml\0\0",
        b"infe\2\0\0\0\0\1\0\0mimena\xc3\xafve\0text/plain\0\0",
        b"infe\2\0\0\0\0\1\0\0hvc1caf\xe9\0",
    ],
)
def test_items_that_cameras_write_are_accepted(item):
    boxes.check_items(_file(item))


@pytest.mark.parametrize(
    "item",
    [
        b"infe\2\0\0\0\0\1\0\0\xffvc1\0",
        b"infe\3\0\0\0\0\0\0\1\0\0E\xffif\0",
        b"infe\2\0\0\0\0\1\0\0mime\0te\xfft/plain\0\0",
        b"infe\2\0\0\0\0\1\0\0mime\0" + 2000 * b"a",
    ],
)
@pytest.mark.parametrize("before", [(), (b"infe\2\0\0\0\0\1\0\0hvc1\0",), (b"infe",)])
def test_a_type_that_is_not_text_is_found_at_any_position(before, item):
    with pytest.raises(ValueError, match="not text"):
        boxes.check_items(_file(*before, item))


def test_pixels_that_look_like_an_entry_are_accepted():
    entry = b"infe\2\0\0\0\0\1\0\0\xffvc1\0"
    boxes.check_items(_file() + (len(entry) + 8).to_bytes(4, "big") + b"mdat" + entry)


def test_too_many_boxes_are_refused():
    with pytest.raises(ValueError, match="boxes"):
        boxes.check_items(100_000 * b"\0\0\0\x08meta")
