"""Every way a photo may come: the browser's decoders beside the library's."""

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
"""How far apart two decoders of the same JPEG may leave the answers."""


def jpeg(picture, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=92, **options)
    return buffer.getvalue()


def other(picture, kind, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def lying_down(picture) -> bytes:
    """Return a JPEG that is stored on its side and says so, as phones write them."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(picture.transpose(Image.Transpose.ROTATE_90), exif=exif)


def through_a_profile(picture) -> bytes:
    """Return a JPEG whose colours are in a space of its own, with its profile."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return jpeg(picture, icc_profile=lab.tobytes())


def see_through(picture) -> bytes:
    """Return a PNG whose lower part is half transparent."""
    picture = picture.convert("RGBA")
    alpha = np.full((picture.height, picture.width), 255, np.uint8)
    alpha[picture.height * 2 // 3 :] = 120
    picture.putalpha(Image.fromarray(alpha))
    return other(picture, "PNG")


WAYS = {
    "JPEG": jpeg,
    "progressive JPEG": lambda picture: jpeg(picture, progressive=True),
    "on its side": lying_down,
    "a profile": through_a_profile,
    "grey": lambda picture: jpeg(picture.convert("L")),
    "WebP": lambda picture: other(picture, "WEBP", quality=90),
    "AVIF": lambda picture: other(picture, "AVIF", quality=85),
    "GIF": lambda picture: other(picture, "GIF"),
    "BMP": lambda picture: other(picture, "BMP"),
    "transparent": see_through,
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


@pytest.mark.parametrize("way", WAYS)
def test_photos_of_every_kind_are_seen_as_by_the_library(visit, recognizer, portraits, way):
    with Image.open(portraits / "obama2.jpg") as picture:
        picture.thumbnail((640, 640))
        data = WAYS[way](picture.convert("RGB"))
    photo = decode_photo(data, name=way, long_side=recognizer.max_long_side)
    (face,) = recognizer.identify(photo)
    answer = visit.identify(data, way)
    assert (answer["width"], answer["height"]) == tuple(
        round(side / photo.scale) for side in (photo.width, photo.height)
    )
    (row,) = answer["faces"]
    assert face.name is not None
    assert row["name"] == face.name == OBAMA
    assert row["similarity"] == pytest.approx(face.similarity, abs=JPEG_SIMILARITY)
    pixels = JPEG_PIXELS / photo.scale
    assert np.array(row["box"]) == pytest.approx(face.box, abs=pixels)


def test_a_crop_is_a_picture(visit, portraits):
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
