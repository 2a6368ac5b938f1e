"""Pictures of all colour spaces are converted to 8-bit RGB."""

import struct
import zlib

import numpy as np
import PIL
import pytest
from PIL import Image, ImageCms
from synthetic import encode, four_quarters, is_four_quarters, quarters_of

from mien.errors import UnsupportedPhoto
from mien.photo import decode_photo

GREYS = [76, 150, 29, 255]  # of the four quarters, by ITU-R 601


def pixels_of(picture, kind, **options):
    return decode_photo(encode(picture, kind, **options), name="picture").pixels


def is_grey_quarters(pixels, tolerance=2):
    gap = np.abs(quarters_of(pixels).astype(int) - np.array(GREYS)[:, None]).max()
    return bool(gap <= tolerance)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF", "BMP", "JPEG"])
def test_grey(kind):
    assert is_grey_quarters(pixels_of(four_quarters().convert("L"), kind), tolerance=4)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF", "BMP"])
def test_black_and_white(kind):
    picture = Image.new("1", (96, 64))
    picture.paste(1, (48, 0, 96, 64))
    assert quarters_of(pixels_of(picture, kind)).tolist() == [[0] * 3, [255] * 3] * 2


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "GIF", "BMP"])
def test_palette(kind):
    assert is_four_quarters(pixels_of(four_quarters().convert("P"), kind))


@pytest.mark.parametrize("transparency", [0, bytes([0, 255, 255, 255])])
def test_palette_with_transparency(transparency):
    picture = four_quarters().quantize(4)
    gone = picture.getpixel((10, 10))
    if isinstance(transparency, bytes):
        transparency = bytes(0 if index == gone else 255 for index in range(4))
    else:
        transparency = gone
    pixels = pixels_of(picture, "PNG", transparency=transparency)
    assert quarters_of(pixels)[0].tolist() == [255] * 3
    assert quarters_of(pixels)[1].tolist() == [0, 255, 0]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_transparent_pixels_become_white(kind):
    picture = four_quarters().convert("RGBA")
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (0, 0, 48, 32))
    alpha.paste(128, (48, 0, 96, 32))
    picture.putalpha(alpha)
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "AVIF" else {}
    quarters = quarters_of(pixels_of(picture, kind, **options)).astype(int)
    expected = [[255, 255, 255], [127, 255, 127], [0, 0, 255], [255, 255, 255]]
    assert np.abs(quarters - expected).max() <= 8


def test_grey_over_white():
    picture = Image.merge("LA", (Image.new("L", (96, 64), 40), Image.new("L", (96, 64), 0)))
    for kind in ("PNG", "TIFF"):
        assert (pixels_of(picture, kind) == 255).all()


def test_colour_made_transparent():
    pixels = pixels_of(four_quarters(), "PNG", transparency=(255, 0, 0))
    assert quarters_of(pixels).tolist() == [[255] * 3, [0, 255, 0], [0, 0, 255], [255] * 3]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_16_bits(kind):
    values = np.repeat(np.linspace(0, 65535, 256).astype(np.uint16)[None], 4, axis=0)
    pixels = pixels_of(Image.fromarray(values), kind)
    assert np.array_equal(
        pixels, np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 4, 0).repeat(3, 2)
    )


def test_grey_of_32_bits():
    values = np.repeat(np.linspace(0, 65535, 256).astype(np.int32)[None], 4, axis=0)
    assert pixels_of(Image.fromarray(values), "TIFF")[0, :, 0].tolist() == list(range(256))


@pytest.mark.parametrize("ceiling", [1, 255, 65535])
def test_floats(ceiling):
    values = np.repeat(np.linspace(0, ceiling, 256, dtype=np.float32)[None], 4, axis=0)
    assert pixels_of(Image.fromarray(values), "TIFF")[0, :, 0].tolist() == list(range(256))


def test_nan_and_infinity_become_black():
    values = np.full((8, 8), 0.5, np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    pixels = pixels_of(Image.fromarray(values), "TIFF")
    assert pixels[0, :3, 0].tolist() == [0, 0, 0]
    assert pixels[1, 0].tolist() == [128] * 3


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk(kind):
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    assert is_four_quarters(pixels_of(four_quarters().convert("CMYK"), kind, **options))


def with_adobe(data, transform):
    """Return a JPEG with Adobe's segment that states its colour transform."""
    payload = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)
    bare = data
    at = bare.find(b"\xff\xee")
    if at >= 0:
        length = int.from_bytes(bare[at + 2 : at + 4], "big")
        bare = bare[:at] + bare[at + 2 + length :]
    return bare[:2] + b"\xff\xee" + struct.pack(">H", len(payload) + 2) + payload + bare[2:]


def test_cmyk_as_adobe_writes_it_inverted():
    # Pillow writes CMYK inverted under Adobe's mark, as Photoshop does.
    data = encode(four_quarters().convert("CMYK"), "JPEG", quality=95, subsampling=0)
    assert b"Adobe" in data
    assert is_four_quarters(decode_photo(with_adobe(data, 0), name="adobe").pixels)


def test_ycck():
    # YCCK is CMY as YCbCr, and K. Pillow writes none: it is given what becomes that inverted.
    inks = Image.eval(four_quarters(), lambda value: 255 - value).convert("YCbCr")
    channels = [Image.eval(channel, lambda value: 255 - value) for channel in inks.split()]
    stored = Image.merge("CMYK", [*channels, Image.new("L", inks.size)])
    data = with_adobe(encode(stored, "JPEG", quality=98, subsampling=0), 2)
    assert is_four_quarters(decode_photo(data, name="ycck").pixels)


@pytest.mark.skipif(int(PIL.__version__.partition(".")[0]) < 13, reason="read from Pillow 13 on")
def test_ycbcr_tiff():
    assert is_four_quarters(pixels_of(four_quarters().convert("YCbCr"), "TIFF"))


def test_lab_is_refused_with_a_hint():
    lab = Image.merge("LAB", [Image.new("L", (9, 9), 128)] * 3)
    with pytest.raises(UnsupportedPhoto, match=r"my\.tif.*LAB") as caught:
        decode_photo(encode(lab, "TIFF"), name="my.tif")
    assert "JPEG" in caught.value.hint


def swapped_profile():
    """Return an sRGB profile whose red is green and whose green is red."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(int.from_bytes(data[128:132], "big")):
        at = 132 + 12 * number
        tag = bytes(data[at : at + 4])
        if tag in {b"rXYZ", b"gXYZ"}:
            data[at : at + 4] = b"gXYZ" if tag == b"rXYZ" else b"rXYZ"
        if tag == b"desc":
            offset, size = struct.unpack(">II", data[at + 4 : at + 12])
            text = bytes(data[offset : offset + size])
            data[offset : offset + size] = text.replace(b"\0s\0R\0G\0B", b"\0t\0e\0s\0t")
    return bytes(data)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 98, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("AVIF", {"quality": 98}),
    ],
)
def test_an_embedded_profile_is_applied(kind, options):
    pixels = pixels_of(four_quarters(), kind, icc_profile=swapped_profile(), **options)
    quarters = quarters_of(pixels).astype(int)
    assert np.abs(quarters - [[0, 255, 0], [255, 0, 0], [0, 0, 255], [255, 255, 255]]).max() <= 16


def test_a_profile_is_applied_to_a_palette_picture():
    picture = four_quarters().quantize(4)
    pixels = pixels_of(picture, "PNG", icc_profile=swapped_profile())
    assert quarters_of(pixels)[0].tolist()[0] < 20


@pytest.mark.parametrize("profile", [b"x", b"\0" * 200, swapped_profile()[:300], b"A" * 900_000])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_broken_profile_is_ignored(profile, mode):
    data = encode(four_quarters().convert(mode), "JPEG", quality=95, icc_profile=profile)
    pixels = decode_photo(data, name="photo").pixels
    assert is_grey_quarters(pixels, 6) if mode == "L" else is_four_quarters(pixels, 16)


def test_a_profile_of_another_colour_space_is_ignored():
    data = encode(four_quarters().convert("L"), "PNG", icc_profile=swapped_profile())
    assert is_grey_quarters(decode_photo(data, name="photo").pixels)


def test_a_tiff_whose_zero_is_white():
    values = np.repeat(np.array([[0, 65535]], np.uint16), 2, axis=0)
    data = encode(Image.fromarray(values), "TIFF", tiffinfo={262: 0})
    assert decode_photo(data, name="inverted").pixels[0, :, 0].tolist() == [255, 0]


def png_of(values, colour):
    """Return a PNG with 16 bits per channel, which Pillow writes only in grey."""
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("alpha", [False, True])
def test_colour_of_16_bits(alpha):
    pixels = np.asarray(four_quarters()).astype(np.uint16) * 257
    if alpha:
        opaque = np.full((*pixels.shape[:2], 1), 65535, np.uint16)
        opaque[:32, :48] = 0
        pixels = np.concatenate([pixels, opaque], axis=2)
    found = quarters_of(decode_photo(png_of(pixels, 6 if alpha else 2), name="deep").pixels)
    assert found.tolist() == [
        [255] * 3 if alpha else [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255] * 3,
    ]


def test_grey_of_16_bits_over_white():
    pixels = np.zeros((64, 96, 2), np.uint16)
    pixels[..., 0] = 40 * 257
    pixels[:, 48:, 1] = 65535
    found = quarters_of(decode_photo(png_of(pixels, 4), name="deep").pixels)
    assert found.tolist() == [[255] * 3, [40] * 3] * 2
