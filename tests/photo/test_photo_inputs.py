"""A photo may be given as path, bytes, array, PIL image or `Photo`; anything else is refused."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic import FILES, encode, four_quarters, is_four_quarters, lying, noise

from mien.errors import BrokenPhoto, PhotoNotFound, PhotoTooLarge, UnsupportedPhoto
from mien.photo import MAX_PIXELS, open_photo, read_photo
from mien.recognizer import Recognizer
from toy_graphs import red_squares, toy_engine, toy_head

UPRIGHT = np.asarray(four_quarters())
TRUNCATED = encode(noise(), "JPEG")[:2000]
WANTED = "shape (height, width, 3), dtype uint8, in the order red, green, blue"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


# Forms that are taken


@pytest.mark.parametrize("form", [str, Path, os.fspath])
def test_a_path_is_read(tmp_path, form):
    path = tmp_path / "a.png"
    path.write_bytes(FILES["png"])
    photo = open_photo(form(path))
    assert is_four_quarters(photo.pixels)
    assert photo.sha256 == hashlib.sha256(FILES["png"]).hexdigest()
    assert photo.name == str(path)


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_bytes_are_decoded(form):
    photo = open_photo(form(FILES["jpeg"]), name="upload")
    assert is_four_quarters(photo.pixels)
    assert (photo.name, photo.sha256) == ("upload", hashlib.sha256(FILES["jpeg"]).hexdigest())


def test_an_array_is_taken_as_rgb():
    photo = open_photo(UPRIGHT)
    assert np.array_equal(photo.pixels, UPRIGHT)
    assert photo.sha256 == hashlib.sha256(UPRIGHT.tobytes()).hexdigest()
    assert (photo.name, photo.scale) == ("photo", 1.0)


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda a: a[::-1][::-1],
        lambda a: a[:, :, ::-1][:, :, ::-1],
        lambda a: np.repeat(a, 2, axis=0)[::2],
    ],
    ids=["Fortran order", "reversed rows", "reversed planes", "every second row"],
)
def test_an_array_may_lie_in_memory_in_any_way(change):
    photo = open_photo(change(UPRIGHT))
    assert np.array_equal(photo.pixels, UPRIGHT)
    assert photo.pixels.flags.c_contiguous


def test_an_array_is_copied_and_left_alone():
    mine = UPRIGHT.copy()
    photo = open_photo(mine)
    mine[...] = 7
    assert np.array_equal(photo.pixels, UPRIGHT)
    assert mine.flags.writeable
    assert not photo.pixels.flags.writeable


def test_a_photo_is_returned_unchanged():
    photo = open_photo(FILES["png"])
    assert open_photo(photo, name="other", long_side=8) is photo


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr", "RGBX"])
def test_a_pil_image_of_any_colour_mode(mode):
    assert is_four_quarters(open_photo(four_quarters().convert(mode)).pixels, tolerance=25)


@pytest.mark.parametrize("mode", ["L", "LA", "1", "I;16", "I", "F"])
def test_a_grey_pil_image(mode):
    grey = Image.linear_gradient("L")
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    elif mode == "I":
        picture = Image.fromarray(np.asarray(grey, np.int32) * 257)
    else:
        picture = grey.convert(mode)
    assert picture.mode == mode
    pixels = open_photo(picture).pixels
    assert pixels.shape == (256, 256, 3)
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
    if mode != "1":
        assert np.abs(pixels[..., 0].astype(int) - np.asarray(grey)).max() <= 1


def test_transparent_pixels_of_a_pil_image_become_white():
    assert (open_photo(Image.new("RGBA", (4, 4), (0, 0, 0, 0))).pixels == 255).all()
    palette = Image.new("P", (4, 4))
    palette.info["transparency"] = 0
    assert (open_photo(palette).pixels == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation_of_a_pil_image_is_applied(kind, orientation):
    stored, exif = lying(four_quarters(), orientation)
    picture = opened(encode(stored, kind, exif=exif, quality=95))
    photo = open_photo(picture)
    assert photo.pixels.shape == UPRIGHT.shape
    assert is_four_quarters(photo.pixels)


def test_a_pil_image_is_left_as_it_is():
    stored, exif = lying(four_quarters(), 6)
    picture = opened(encode(stored, "PNG", exif=exif))
    picture.load()
    before = picture.tobytes()
    open_photo(picture)
    assert (picture.size, picture.mode, picture.tobytes()) == (stored.size, "RGB", before)
    assert picture.getexif()[0x0112] == 6


def test_a_pil_image_made_in_memory_is_copied():
    picture = four_quarters()
    photo = open_photo(picture)
    picture.paste((0, 0, 0), (0, 0, *picture.size))
    assert is_four_quarters(photo.pixels)


@pytest.mark.parametrize("kind", sorted(FILES.keys() - {"heic", "heic-turned"}))
def test_pil_image_and_bytes_of_a_file_are_the_same_photo(kind):
    picture = opened(FILES[kind])
    assert np.array_equal(open_photo(picture).pixels, open_photo(FILES[kind]).pixels)


def test_an_animation_is_taken_at_its_current_frame():
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    picture = opened(data)
    assert open_photo(picture).pixels[0, 0].tolist() == [255, 0, 0]
    picture.seek(1)
    assert open_photo(picture).pixels[0, 0].tolist() == [0, 0, 255]


# What is refused


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (UPRIGHT[..., 0], "grey"),
        (np.dstack([UPRIGHT, UPRIGHT[..., :1]]), "BGRA"),
        (UPRIGHT / 255, "0 to 1"),
        (UPRIGHT.astype(np.float32), "0 to 1"),
        (UPRIGHT.astype(np.uint16) * 257, "16-bit"),
        (UPRIGHT.astype(np.int64), "dtype uint8"),
        (UPRIGHT > 9, "dtype uint8"),
        (UPRIGHT[..., :1], "3"),
        (UPRIGHT[..., :2], "3"),
        (UPRIGHT.transpose(2, 0, 1), "transpose(1, 2, 0)"),
        (UPRIGHT[None], "one photo at a time"),
        (UPRIGHT[0, 0], "3"),
        (UPRIGHT[:0], "3"),
        (np.array(b"bytes"), "dtype uint8"),
        (np.array([object()]), "dtype uint8"),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}" if isinstance(value, np.ndarray) else value,
)
def test_another_array_is_refused_with_what_is_wanted(array, advice):
    with pytest.raises(UnsupportedPhoto, match="upload") as caught:
        open_photo(array, name="upload")
    assert str(array.shape) in str(caught.value)
    assert str(array.dtype) in str(caught.value)
    assert advice in caught.value.hint
    assert WANTED in caught.value.hint


def test_the_advice_makes_a_photo():
    bgra = np.dstack([UPRIGHT[:, :, ::-1], UPRIGHT[..., :1]])
    assert np.array_equal(open_photo(bgra[:, :, 2::-1]).pixels, UPRIGHT)
    unit = UPRIGHT / 255
    assert np.array_equal(open_photo((255 * unit).round().astype("uint8")).pixels, UPRIGHT)
    deep = UPRIGHT.astype(np.uint16) * 257
    assert np.array_equal(open_photo((deep // 257).astype("uint8")).pixels, UPRIGHT)
    grey = UPRIGHT[..., 0]
    assert open_photo(np.stack([grey, grey, grey], axis=-1)).pixels.shape == UPRIGHT.shape


@pytest.mark.parametrize(
    "source", [None, 3, UPRIGHT.tolist(), [FILES["png"]], ("a.jpg",), io.BytesIO(FILES["png"])]
)
def test_other_objects_are_refused_with_what_is_wanted(source):
    with pytest.raises(UnsupportedPhoto, match=type(source).__name__) as caught:
        open_photo(source)
    assert "Give a path, the bytes of an image file, a NumPy array or a PIL image" in (
        caught.value.hint
    )


def test_errors_of_files_are_those_of_reading(tmp_path):
    with pytest.raises(PhotoNotFound):
        open_photo(tmp_path / "absent.jpg")
    with pytest.raises(PhotoNotFound):
        open_photo(tmp_path)
    with pytest.raises(UnsupportedPhoto):
        open_photo(b"not a picture at all")
    with pytest.raises(BrokenPhoto):
        open_photo(TRUNCATED)


def test_a_damaged_pil_image_is_refused():
    with pytest.raises(BrokenPhoto, match="damaged"):
        open_photo(opened(TRUNCATED))


def test_colours_that_are_not_read_are_refused():
    with pytest.raises(UnsupportedPhoto, match="LAB"):
        open_photo(Image.new("LAB", (4, 4)))


def test_too_many_pixels_are_refused():
    row = np.zeros((1, 1, 3), np.uint8)
    huge = np.broadcast_to(row, (10_001, MAX_PIXELS // 10_000, 3))
    with pytest.raises(PhotoTooLarge, match="megapixels"):
        open_photo(huge)


# The same answers for each form


def forms_of(path: Path) -> dict[str, object]:
    """Return the photo in a file in each form; the array is what a PIL user would make."""
    with Image.open(path) as picture:
        picture.load()
    return {
        "path": path,
        "text": str(path),
        "bytes": path.read_bytes(),
        "PIL image": picture,
        "array": np.asarray(picture.convert("RGB")),
        "Photo": open_photo(path),
    }


def same_answers(recognizer: Recognizer, path: Path) -> int:
    """Check that each form of a photo gives the answers of its path; return how many faces."""
    expected = recognizer.identify(path)
    for form, source in forms_of(path).items():
        found = recognizer.identify(source)
        assert [face.name for face in found] == [face.name for face in expected], form
        for face, other in zip(found, expected, strict=True):
            assert face.similarity == pytest.approx(other.similarity, abs=0.01), form
            assert np.allclose(face.box, other.box, atol=3), form
    return len(expected)


@pytest.mark.parametrize("orientation", [1, 6])
def test_each_form_gives_the_same_answers(tmp_path, orientation):
    engine = toy_engine()
    recognizer = Recognizer.build(
        toy_head(3, threshold=0.05, contract=engine.contract), engine, threads=1
    )
    picture = Image.fromarray(red_squares(480, 560, [(10, 12), (30, 40)]))
    stored, exif = lying(picture, orientation)
    path = tmp_path / "squares.png"
    stored.save(path, exif=exif)
    expected = recognizer.identify(picture)
    assert len(expected) == 2
    for form, source in forms_of(path).items():
        if form == "array" and orientation != 1:
            continue  # an array has no EXIF
        found = recognizer.identify(source)
        assert [face.name for face in found] == [face.name for face in expected]
        for face, other in zip(found, expected, strict=True):
            assert face.similarity == pytest.approx(other.similarity, abs=1e-6)


@pytest.mark.weights
def test_each_form_of_a_portrait_gives_the_same_answers(engine, portraits):
    enrolled = {"Joe Biden": "biden.jpg", "Barack Obama": "obama.jpg"}
    rows = []
    for name in enrolled.values():
        embedded = engine.embed_photo(open_photo(portraits / name))
        rows.append(embedded.embeddings.vectors[embedded.detections.largest()])
    head = toy_head(tuple(enrolled), threshold=0.38, contract=engine.contract, dimension=128)
    recognizer = Recognizer.build(replace(head, prototypes=np.stack(rows)), engine, threads=1)
    assert sum(same_answers(recognizer, path) for path in sorted(portraits.iterdir())) >= 6


@pytest.mark.parametrize("source", [b"bytes", UPRIGHT, None, 3])
def test_read_photo_takes_paths_only_and_names_the_call_that_takes_more(source):
    with pytest.raises(UnsupportedPhoto, match="is not a path") as caught:
        read_photo(source)
    assert "open_photo" in caught.value.hint
