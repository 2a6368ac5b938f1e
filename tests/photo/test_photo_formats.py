"""Photos of all formats are read upright, and at a reduced size where that is enough."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from synthetic import FILES, encode, four_quarters, is_four_quarters, lying, noise

from mien.photo import SUFFIXES, decode_photo, encode_jpeg, encode_png, read_photo


@pytest.mark.parametrize("kind", FILES)
def test_the_first_picture_of_each_format_is_read_upright(kind):
    photo = decode_photo(FILES[kind], name="a.photo")
    assert photo.pixels.shape == (64, 96, 3)
    assert is_four_quarters(photo.pixels)
    assert photo.sha256 == hashlib.sha256(FILES[kind]).hexdigest()
    assert (photo.name, photo.scale) == ("a.photo", 1.0)
    assert not photo.pixels.flags.writeable


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {"quality": 95}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_every_orientation_is_turned_upright(kind, options, orientation):
    stored, exif = lying(four_quarters(), orientation)
    photo = decode_photo(encode(stored, kind, exif=exif, **options), name="turned")
    assert photo.pixels.shape == (64, 96, 3)
    assert is_four_quarters(photo.pixels)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_invalid_orientation_is_ignored(orientation):
    _, exif = lying(four_quarters(), 1)
    exif[0x0112] = orientation
    photo = decode_photo(encode(four_quarters(), "JPEG", exif=exif, quality=95), name="odd")
    assert is_four_quarters(photo.pixels)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0" * 99])
def test_broken_exif_is_ignored(exif):
    photo = decode_photo(encode(four_quarters(), "JPEG", exif=exif, quality=95), name="odd")
    assert is_four_quarters(photo.pixels)


@pytest.mark.parametrize(
    ("long_side", "expected"),
    [
        (None, 4000),
        (5000, 4000),
        (4000, 4000),
        (2001, 4000),
        (2000, 2000),
        (1001, 2000),
        (640, 1000),
        (500, 500),
        (1, 500),
    ],
)
def test_large_jpegs_are_decoded_reduced_but_not_below_the_requested_side(long_side, expected):
    data = encode(four_quarters(4000, 2400), "JPEG", quality=80)
    photo = decode_photo(data, name="large", long_side=long_side)
    assert photo.pixels.shape == (expected * 3 // 5, expected, 3)
    assert photo.scale == expected / 4000
    assert is_four_quarters(photo.pixels)


@pytest.mark.parametrize("size", [(1999, 1003), (1003, 1999), (1601, 7), (801, 801), (33, 17)])
@pytest.mark.parametrize("long_side", [1, 100, 201, 800, 1000])
def test_unusual_sizes_keep_the_requested_side_and_report_their_scale(size, long_side):
    data = encode(Image.new("RGB", size, "grey"), "JPEG")
    photo = decode_photo(data, name="odd", long_side=long_side)
    assert max(photo.width, photo.height) >= min(long_side, max(size))
    assert np.allclose((photo.width, photo.height), np.array(size) * photo.scale, atol=1)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_reduced_photo_is_upright_too(orientation):
    stored, exif = lying(four_quarters(2400, 1600), orientation)
    photo = decode_photo(encode(stored, "JPEG", exif=exif), name="turned", long_side=600)
    assert photo.pixels.shape == (400, 600, 3)
    assert photo.scale == 0.25
    assert is_four_quarters(photo.pixels)


def test_only_jpegs_are_reduced():
    photo = decode_photo(encode(four_quarters(800, 400), "PNG"), name="p", long_side=100)
    assert (photo.width, photo.scale) == (800, 1.0)


def test_a_picture_of_ten_thousand_pixels_across():
    photo = decode_photo(encode(four_quarters(10_000, 40), "PNG"), name="panorama")
    assert photo.pixels.shape == (40, 10_000, 3)
    assert is_four_quarters(photo.pixels)


def test_a_picture_of_one_pixel():
    pixels = decode_photo(encode(Image.new("RGB", (1, 1), "red"), "PNG"), name="dot").pixels
    assert pixels.tolist() == [[[255, 0, 0]]]


def test_files_with_any_name_are_read(tmp_path):
    folder = tmp_path / "Zoë & 山田 🎉"
    folder.mkdir()
    path = folder / "no such thing as an ending; 'quoted' 📷"
    path.write_bytes(FILES["png"])
    for given in (path, str(path)):
        assert is_four_quarters(read_photo(given).pixels)
        assert read_photo(given).name == str(path)


def test_the_format_is_detected_by_bytes_not_by_suffix(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(FILES["heic"])
    assert is_four_quarters(read_photo(path).pixels)


def test_suffixes_are_those_of_readable_formats():
    assert {".jpg", ".jpeg", ".png", ".webp", ".avif", ".heic", ".gif", ".tif", ".bmp"} <= SUFFIXES
    assert all(ending == ending.lower() and ending.startswith(".") for ending in SUFFIXES)


def test_many_threads_read_concurrently():
    kinds = list(FILES) * 6
    with ThreadPoolExecutor(8) as pool:
        photos = list(pool.map(lambda kind: decode_photo(FILES[kind], name=kind), kinds))
    assert all(is_four_quarters(photo.pixels) for photo in photos)


def test_written_pictures_can_be_read():
    pixels = np.asarray(noise())
    assert np.array_equal(decode_photo(encode_png(pixels), name="p").pixels, pixels)
    again = decode_photo(encode_jpeg(pixels, quality=100), name="j").pixels
    assert np.abs(again.astype(int) - pixels).mean() < 2
    # A view that is not contiguous, such as a mirrored crop, is written as it looks.
    assert np.array_equal(
        decode_photo(encode_png(pixels[:, ::-1]), name="p").pixels, pixels[:, ::-1]
    )
