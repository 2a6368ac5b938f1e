"""Photo formats: the browser's decoders compared with the library's."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageCms
from real_page import OBAMA, real_recognizer
from toy_page import needs_browser, needs_runtime

from mien.deploy.check.browser import visiting
from mien.deploy.check.static_site import serving
from mien.deploy.static_page import deploy_page
from mien.photo import decode_photo, encode_png, read_photo

JPEG_SIMILARITY, JPEG_PIXELS = 0.01, 2.0
"""Allowed differences of the answers by two decoders of the same JPEG."""


def jpeg(picture, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92, **options)
    return buffer.getvalue()


def saved(picture, kind, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def rotated_by_exif(picture) -> bytes:
    """Return a JPEG that is stored on its side, with the EXIF orientation that phones write."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(picture.transpose(Image.Transpose.ROTATE_90), exif=exif)


def with_colour_profile(picture) -> bytes:
    """Return a JPEG with a colour profile."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return jpeg(picture, icc_profile=lab.tobytes())


def half_transparent(picture) -> bytes:
    """Return a PNG whose lower third is half transparent."""
    picture = picture.convert("RGBA")
    alpha = np.full((picture.height, picture.width), 255, np.uint8)
    alpha[picture.height * 2 // 3 :] = 120
    picture.putalpha(Image.fromarray(alpha))
    return saved(picture, "PNG")


FORMATS = {
    "JPEG": jpeg,
    "progressive JPEG": lambda picture: jpeg(picture, progressive=True),
    "on its side": rotated_by_exif,
    "a profile": with_colour_profile,
    "grey": lambda picture: jpeg(picture.convert("L")),
    "WebP": lambda picture: saved(picture, "WEBP", quality=90),
    "AVIF": lambda picture: saved(picture, "AVIF", quality=85),
    "GIF": lambda picture: saved(picture, "GIF"),
    "BMP": lambda picture: saved(picture, "BMP"),
    "transparent": half_transparent,
    "very large": lambda picture: jpeg(picture.resize((4600, 5750))),
}


@pytest.fixture(scope="module")
def recognizer(engine, portraits):
    needs_browser()
    needs_runtime()
    return real_recognizer(engine, portraits)


@pytest.fixture(scope="module")
def visit(recognizer, tmp_path_factory):
    folder = deploy_page(recognizer, tmp_path_factory.mktemp("page") / "out").folder
    with serving(folder) as site, visiting() as visit:
        visit.open(site.address)
        yield visit


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_answers_of_the_library(visit, recognizer, portraits, kind):
    with Image.open(portraits / "obama2.jpg") as picture:
        picture.thumbnail((640, 640))
        data = FORMATS[kind](picture.convert("RGB"))
    photo = decode_photo(data, name=kind, long_side=recognizer.max_long_side)
    (face,) = recognizer.identify(photo)
    answer = visit.identify(data, kind)
    assert (answer["width"], answer["height"]) == tuple(
        round(side / photo.scale) for side in (photo.width, photo.height)
    )
    (row,) = answer["faces"]
    assert face.name is not None
    assert row["name"] == face.name == OBAMA
    assert row["similarity"] == pytest.approx(face.similarity, abs=JPEG_SIMILARITY)
    pixels = JPEG_PIXELS / photo.scale
    assert np.array(row["box"]) == pytest.approx(face.box, abs=pixels)


def test_crop_is_an_image(visit, portraits):
    shown = visit.page.evaluate(
        """async (coded) => {
          const bytes = Uint8Array.from(atob(coded), (letter) => letter.charCodeAt(0));
          const {faces: [face]} = await mien.engine.identify(new Blob([bytes]));
          const image = new Image();
          image.src = face.crop;
          await image.decode();
          return [image.width, image.height, face.falsePositiveRate];
        }""",
        _coded(encode_png(read_photo(portraits / "biden.jpg").pixels)),
    )
    assert shown[:2] == [112, 112]
    assert 0 <= shown[2] < 1e-3


def _coded(data: bytes) -> str:
    return base64.b64encode(data).decode()
