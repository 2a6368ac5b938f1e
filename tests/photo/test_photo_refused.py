"""Unreadable photos are refused with name and hint, and never read in part."""

import io
import os
import struct
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile
from synthetic import FILES, encode, four_quarters, noise

from mien.errors import BrokenPhoto, PhotoError, PhotoNotFound, PhotoTooLarge, UnsupportedPhoto
from mien.photo import MAX_BYTES, MAX_PIXELS, decode_photo, read_photo


def refused(data, leaf, text="", name="Zoë 🎉.jpg"):
    with pytest.raises(PhotoError) as caught:
        decode_photo(data, name=name)
    assert type(caught.value) is leaf
    assert name in str(caught.value)
    assert text in str(caught.value)
    assert caught.value.hint.endswith(".")


def photo_or_error(data, name):
    try:
        return decode_photo(data, name=name)
    except PhotoError as error:
        return error


def not_found(path, text):
    with pytest.raises(PhotoNotFound) as caught:
        read_photo(path)
    assert text in str(caught.value)
    assert caught.value.hint.endswith(".")


def test_a_missing_file_is_an_error(tmp_path):
    not_found(tmp_path / "gone.jpg", "gone.jpg: no such file")
    not_found(tmp_path / "no folder" / "gone.jpg", "no such file")
    (tmp_path / "file").write_text("x")
    not_found(tmp_path / "file" / "under-a-file.jpg", "no such file")


def test_a_folder_is_refused(tmp_path):
    not_found(tmp_path, f"{tmp_path} is a folder")


def test_an_invalid_path_is_an_error():
    not_found("a\0b.jpg", "b.jpg cannot be read")


def test_a_name_that_is_too_long_is_an_error(tmp_path):
    not_found(tmp_path / ("x" * 5000), "cannot be read")


@pytest.mark.skipif(sys.platform == "win32", reason="needs the permissions of POSIX")
def test_a_file_without_permission_is_an_error(tmp_path):
    path = tmp_path / "secret.jpg"
    path.write_bytes(FILES["jpeg"])
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("the superuser may read everything")
    not_found(path, "secret.jpg may not be read")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    not_found(tmp_path / "pipe.jpg", "is not a file")


def test_a_broken_link_is_an_error(tmp_path):
    (tmp_path / "link.jpg").symlink_to("gone.jpg")
    not_found(tmp_path / "link.jpg", "no such file")


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(BrokenPhoto, match=r"empty\.jpg is empty"):
        read_photo(path)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"Dear diary, today nothing happened.\n", "a text"),
        ("Liebes Tagebuch, schöne Grüße".encode(), "a text"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"<?xml version='1.0'?>\n<svg/>", "an SVG drawing"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><p>404", "a web page"),
        (b"PK\x03\x04\x14\0\0\0", "a zip archive"),
        (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", "a video"),
        (b"\x1aE\xdf\xa3\x93B\x82\x88matroska", "a video"),
        (b"RIFF\x24\0\0\0AVI LIST", "a video"),
        (b"8BPS\0\x01", "a Photoshop document"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    ],
)
def test_other_files_are_named_by_their_format(data, what):
    refused(data, UnsupportedPhoto, f"it seems to be {what}")


@pytest.mark.parametrize("data", [b"\0", b"\xff", b"\xff\xd8", b"\x93\x01\x80" * 99])
def test_bytes_of_no_known_format_are_refused(data):
    refused(data, UnsupportedPhoto)


def test_other_formats_that_pillow_reads_are_refused():
    for kind in ("PPM", "ICO", "TGA", "PCX", "EPS"):
        refused(encode(four_quarters(), kind), UnsupportedPhoto)


def test_control_characters_in_names_are_replaced():
    with pytest.raises(BrokenPhoto) as caught:
        decode_photo(b"", name="a\x1b[2J\n\udc80.jpg")
    assert str(caught.value).isprintable()
    str(caught.value).encode()


@pytest.fixture(params=[False, True], ids=["strict", "tolerant"])
def pillow_switch(request):
    """Some libraries allow Pillow to read truncated pictures, in the whole process."""
    ImageFile.LOAD_TRUNCATED_IMAGES = request.param
    yield
    assert ImageFile.LOAD_TRUNCATED_IMAGES is request.param
    ImageFile.LOAD_TRUNCATED_IMAGES = False


@pytest.mark.usefixtures("pillow_switch")
@pytest.mark.parametrize("kind", FILES)
def test_a_truncated_photo_is_refused_or_complete(kind):
    data = FILES[kind]
    whole = decode_photo(data, name="whole").pixels
    for kept in {*np.linspace(12, len(data) - 1, 60).astype(int).tolist(), len(data) - 3}:
        found = photo_or_error(data[:kept], "cut.jpg")
        if isinstance(found, PhotoError):
            assert "cut.jpg" in str(found)
            assert found.hint
        else:
            assert np.array_equal(found.pixels, whole)


@pytest.mark.usefixtures("pillow_switch")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP"])
def test_half_a_photo_is_refused(kind):
    data = encode(noise(), kind)
    refused(data[: len(data) // 2], BrokenPhoto)


def test_the_second_picture_may_be_truncated():
    for kind in ("mpo", "gif-animation"):
        assert decode_photo(FILES[kind][:-20], name=kind).width == 96


def test_too_many_bytes(tmp_path):
    refused(bytes(MAX_BYTES + 1), PhotoTooLarge, "64 MiB")
    path = tmp_path / "vast.jpg"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(PhotoTooLarge, match=r"vast\.jpg is larger than 64 MiB"):
        read_photo(path)


def png_chunk(name, payload):
    body = name + payload
    return struct.pack(">I", len(payload)) + body + struct.pack(">I", zlib.crc32(body))


def png(width, height, *chunks, pixels=b""):
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data + png_chunk(b"IEND", b"")


def patched(data, at, replacement):
    return data[:at] + replacement + data[at + len(replacement) :]


def giants(side):
    """Return small files of several formats whose headers state side x side pixels."""
    jpeg, gif = FILES["jpeg"], FILES["gif"]
    frame = jpeg.index(b"\xff\xc0") + 5
    bmp = patched(FILES["bmp"], 18, struct.pack("<ii", side, side))
    heic = FILES["heic"]
    size = struct.pack(">II", side, side)
    tiff = io.BytesIO()
    Image.new("1", (side, side)).save(tiff, "TIFF", compression="group4") if side < 20_000 else None
    files = {
        "jpeg": patched(jpeg, frame, struct.pack(">HH", side, side)),
        "png": png(side, side),
        "gif": patched(gif, 6, struct.pack("<HH", side, side)),
        "bmp": bmp,
        "heic": patched(heic, heic.index(b"ispe") + 8, size),
        "tiff": tiff.getvalue(),
    }
    return {kind: data for kind, data in files.items() if data}


@pytest.mark.parametrize("side", [10_001, 13_500, 60_000])
def test_too_many_pixels_are_refused_before_they_are_decoded(side):
    assert side**2 > MAX_PIXELS
    for kind, data in giants(side).items():
        tracemalloc.start()
        # libheif has a look of its own at the sizes in a file, and may find them at odds.
        leaves = (PhotoTooLarge, BrokenPhoto) if kind == "heic" else PhotoTooLarge
        with pytest.raises(leaves, match=f"{kind} photo"):
            decode_photo(data, name=f"{kind} photo")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 20 << 20


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80 << 20))),
        png_chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(80 << 20))),
        png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(80 << 20))),
    ],
    ids=["zTXt", "iTXt", "iCCP"],
)
def test_compressed_text_does_not_fill_the_memory(chunk):
    data = png(2, 2, *[chunk] * 20, pixels=bytes(14))
    tracemalloc.start()
    found = photo_or_error(data, "bomb.png")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not isinstance(found, PhotoError) or ("bomb.png" in str(found) and found.hint)
    assert peak < 40 << 20


def test_compressed_pixels_beyond_the_picture_are_not_read():
    assert decode_photo(png(2, 2, pixels=bytes(50 << 20)), name="bomb.png").width == 2


def test_a_jpeg_with_thousands_of_scans_is_refused():
    data = encode(four_quarters(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    refused(data[:last] + data[last:-2] * 5000 + b"\xff\xd9", BrokenPhoto, "scans")


def test_a_video_after_a_phones_photo_is_not_counted_as_scans():
    behind = np.random.default_rng(0).integers(0, 256, 8 << 20, np.uint8).tobytes()
    assert behind.count(b"\xff\xda") > 100
    assert decode_photo(FILES["jpeg"] + behind, name="moving.jpg").width == 96


def test_a_tiff_with_huge_tiles_is_refused():
    tags = {256: 2, 257: 2, 258: 8, 259: 8, 262: 1, 277: 1, 322: 32000, 323: 32000, 324: 8, 325: 9}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(64)
    refused(data, PhotoTooLarge, "32000")


def raw_file(*, mark: bytes = b"", tag: int | None = None) -> bytes:
    """Return a TIFF with a thumbnail in it, as a camera's raw file begins."""
    tags = {256: 2, 257: 2, 258: 8, 259: 1, 262: 1, 273: 400, 277: 1, 278: 2, 279: 4}
    if tag is not None:
        tags[tag] = 0x00000401
    start = 16 if mark else 8
    entries = b"".join(struct.pack("<HHII", each, 4, 1, value) for each, value in tags.items())
    head = (b"II*\0" + struct.pack("<I", start) + mark).ljust(start, b"\0")
    data = head + struct.pack("<H", len(tags)) + entries
    return data.ljust(404, b"\0")


def test_a_cameras_raw_file_is_not_read_as_its_thumbnail():
    assert decode_photo(raw_file(), name="plain.tif").pixels.shape == (2, 2, 3)
    for data in (raw_file(mark=b"CR"), raw_file(tag=50706)):
        refused(data, UnsupportedPhoto, "it seems to be a camera's raw file")
    for data in (
        b"FUJIFILMCCD-RAW 0201",
        b"IIU\0\x18\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    ):
        refused(data, UnsupportedPhoto, "it seems to be a camera's raw file")
