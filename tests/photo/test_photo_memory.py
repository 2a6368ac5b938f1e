"""How much memory a photo takes: large ones are reduced, converted in bands, and counted."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import threading
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from synthetic import FILES, encode, four_quarters, noise

from mien.errors import BrokenPhoto, PhotoTooLarge
from mien.photo import bands, decode_photo, memory, moderate_size, open_photo, wanted_size
from mien.photo.memory import LARGE_PHOTO, decoding
from mien.photo.photo_limits import MAX_DECODING, MAX_SIDE
from mien.photo.wanted_size import WantedSize
from mien.types import Photo

MEASURE = """
import json, re, sys
from mien.photo import decode_photo

def megabytes(what):
    text = open("/proc/self/status").read()
    return int(re.search(what + r":\\s+(\\d+)", text).group(1)) / 1000

data = sys.stdin.buffer.read()
decode_photo(data[-int(sys.argv[1]):], name="small", long_side=2560)
rest = megabytes("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
photo = decode_photo(data[:-int(sys.argv[1])], name="huge", long_side=2560)
shape, scale = photo.pixels.shape, photo.scale
del photo
found = {"peak": megabytes("VmHWM") - rest, "after": megabytes("VmRSS") - rest}
print(json.dumps({**found, "shape": shape, "scale": scale}))
"""


def png(width: int, height: int, *, orientation: int = 1) -> bytes:
    """Return a PNG of one colour, made without the picture in memory."""

    def chunk(name: bytes, payload: bytes) -> bytes:
        body = name + payload
        return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))

    packer = zlib.compressobj(1)
    row = bytes(1 + 3 * width)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">HHI", orientation, 0, 0)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"eXIf", exif), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_photo_of_100_megapixels_takes_less_than_a_gigabyte_and_gives_it_back():
    small = FILES["png"]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(len(small))],
        input=png(10_000, 10_000, orientation=6) + small,
        capture_output=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert (found["shape"], found["scale"]) == ([5000, 5000, 3], 0.5)
    assert found["peak"] < 600
    assert found["after"] < 100


@pytest.mark.parametrize("kind", FILES)
def test_bands_give_the_same_pixels_as_the_whole_picture(kind, monkeypatch):
    whole = decode_photo(FILES[kind], name=kind).pixels
    monkeypatch.setattr(bands, "_BAND", 700)
    assert np.array_equal(decode_photo(FILES[kind], name=kind).pixels, whole)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_bands_are_turned_like_the_whole_picture(orientation, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = noise().resize((50, 31))
    turned = [encode(picture, "PNG", exif=exif), picture.convert("RGBA")]
    turned[1].putalpha(picture.getchannel("R"))
    turned[1] = encode(turned[1], "PNG", exif=exif)
    for data in turned:
        whole = decode_photo(data, name="whole").pixels
        monkeypatch.setattr(bands, "_BAND", 150)
        assert np.array_equal(decode_photo(data, name="bands").pixels, whole)
        monkeypatch.undo()


@pytest.mark.parametrize("mode", ["I", "F"])
def test_the_highest_value_is_that_of_all_bands(mode, monkeypatch):
    values = np.linspace(0, 70_000, 40 * 30).reshape(30, 40)
    data = encode(Image.fromarray(values.astype(np.int32 if mode == "I" else np.float32)), "TIFF")
    whole = decode_photo(data, name="whole").pixels
    assert whole[-1, -1].tolist() == [255] * 3
    monkeypatch.setattr(bands, "_BAND", 100)
    assert np.array_equal(decode_photo(data, name="bands").pixels, whole)


def test_a_large_photo_is_reduced_to_the_mean_of_its_pixels(monkeypatch):
    monkeypatch.setattr(wanted_size, "LARGE_PHOTO", 90 * 60)
    monkeypatch.setattr(bands, "_BAND", 400)
    pixels = np.asarray(noise().resize((97, 65)))
    means = np.pad(pixels, ((0, 1), (0, 1), (0, 0)), "edge").reshape(33, 2, 49, 2, 3).mean((1, 3))
    for source in (encode(Image.fromarray(pixels), "PNG"), pixels, Image.fromarray(pixels)):
        photo = open_photo(source, long_side=48)
        assert (photo.width, photo.height, photo.scale) == (49, 33, 0.5)
        assert np.abs(photo.pixels - means).max() <= 1
        assert open_photo(source, long_side=49).scale == 1
        assert open_photo(source).scale == 1
    again = open_photo(Photo(pixels, "", "p", 0.5), long_side=48)
    assert (again.width, again.scale) == (49, 0.25)


def test_photos_up_to_26_megapixels_are_decoded_as_they_are():
    wanted = WantedSize(2560)
    assert wanted.factor((5120, 5120)) == 1
    assert wanted.factor((5121, 5120)) == 2
    assert wanted.factor((10_000, 10_000)) == 2
    assert wanted.factor((8064, 6048)) == 2
    assert wanted.factor((65_535, 1500)) == 16
    assert WantedSize().factor((10_000, 10_000)) == 1
    assert WantedSize(max_pixels=LARGE_PHOTO).factor((10_000, 10_000)) == 2


def test_a_jpeg_is_decoded_at_the_most_pixels_wanted():
    data = encode(four_quarters().resize((960, 640)), "JPEG")
    for most, width in ((None, 960), (960 * 640, 960), (960 * 640 - 1, 480), (2000, 30)):
        photo = decode_photo(data, name="photo", max_pixels=most)
        assert (photo.width, photo.scale) == (width, width / 960)


def test_positions_move_with_the_pixels(monkeypatch):
    monkeypatch.setattr(moderate_size, "LARGE_PHOTO", 1000)
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[20:22, 30:32] = 255
    small, points = moderate_size.at_moderate_size(
        Photo(pixels, "", "p"), np.array([[30.5, 20.5]], np.float32)
    )
    assert small.pixels.shape == (20, 30, 3)
    assert points.tolist() == [[15, 10]]
    assert small.pixels[10, 15].tolist() == [255] * 3


@pytest.mark.parametrize(("width", "height"), [(50_000_000, 2), (2, 50_000_000), (MAX_SIDE + 1, 1)])
def test_a_picture_that_is_far_too_long_is_refused(width, height):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = b"IHDR" + head
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    data += b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    bmp = encode(Image.new("L", (4, 4)), "BMP")
    bmp = bmp[:18] + struct.pack("<ii", width, height) + bmp[26:]
    for each in (data, bmp):
        with pytest.raises(BrokenPhoto, match="no photo has a side of more than 100000"):
            decode_photo(each, name="line")
    with pytest.raises(BrokenPhoto):
        open_photo(np.broadcast_to(np.uint8(0), (height, width, 3)))


def lossless_webp(width: int, height: int) -> bytes:
    """Return a WebP that states this size, without the pixels."""
    data = bytearray(encode(Image.new("RGB", (8, 8)), "WEBP", lossless=True))
    at = data.index(b"VP8L") + 9
    (bits,) = struct.unpack_from("<I", data, at)
    struct.pack_into("<I", data, at, (bits & ~0xFFFFFFF) | (width - 1) | (height - 1) << 14)
    return bytes(data)


def test_a_photo_that_takes_too_much_memory_is_refused_before_it_is_decoded():
    for width, height in ((16_383, 6_103), (8000, 7500)):
        with pytest.raises(PhotoTooLarge, match="MiB to decode; the limit is 900 MiB"):
            decode_photo(lossless_webp(width, height), name="large.webp")


def test_coefficients_of_a_jpeg_in_several_scans_are_counted():
    whole = Image.new("RGB", (800, 600))
    counts = {}
    for name, options in (
        ("one scan", {}),
        ("progressive", {"progressive": True}),
        ("all colours", {"progressive": True, "subsampling": 0}),
    ):
        data = encode(whole, "JPEG", **options)
        picture = Image.open(BytesIO(data))
        counts[name] = memory.decoding_bytes(picture, "JPEG", picture.size, data, {})
    pixels = 800 * 600
    assert counts == {"one scan": 4 * pixels, "progressive": 7 * pixels, "all colours": 10 * pixels}


def test_a_tiff_in_one_strip_is_counted_twice():
    whole = Image.new("RGB", (800, 600))
    counts = []
    for rows in (8, 600):
        data = encode(whole, "TIFF", compression="tiff_deflate", tiffinfo={278: rows})
        picture = Image.open(BytesIO(data))
        counts.append(
            memory.decoding_bytes(picture, "TIFF", picture.size, data, picture.tag_v2) / 800
        )
    assert counts == [4 * 600 + 3 * 8, 4 * 600 + 3 * 600]


def test_large_photos_together_take_no_more_than_one_may():
    half = MAX_DECODING // 2
    taken, most = [0], [0]
    lock = threading.Lock()
    together = threading.Barrier(2, timeout=20)

    def decode() -> None:
        with decoding(half):
            with lock:
                taken[0] += half
                most[0] = max(most[0], taken[0])
            together.wait()
            with lock:
                taken[0] -= half

    threads = [threading.Thread(target=decode) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most[0] == MAX_DECODING


def test_memory_is_given_back_after_a_large_photo_that_fails(monkeypatch):
    given = []
    monkeypatch.setattr(memory, "_trim", lambda: given.append)
    with pytest.raises(OSError, match="gone"), decoding(MAX_DECODING):
        raise OSError("gone")
    assert given
    assert memory._Large.taken == 0
