"""Photos with damaged bytes are read or refused with a PhotoError, without delay."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import FILES, encode, four_quarters, lying

from mien.errors import PhotoError
from mien.photo import decode_photo
from mien.types import Photo

SECONDS = 5
LEAVES = {leaf.__name__ for leaf in PhotoError.__subclasses__()}

_, TURNED = lying(four_quarters(), 6)
SAMPLES = FILES | {
    "jpeg-exif": encode(four_quarters(), "JPEG", exif=TURNED, icc_profile=b"\0" * 300),
    "cmyk": encode(four_quarters().convert("CMYK"), "JPEG"),
    "png-exif": encode(four_quarters(), "PNG", exif=TURNED, icc_profile=b"\0" * 300),
    "png-palette": encode(four_quarters().quantize(4), "PNG", transparency=1),
    "png-16": encode(four_quarters().convert("I;16"), "PNG"),
    "webp-exif": encode(four_quarters().convert("RGBA"), "WEBP", exif=TURNED),
    "avif-exif": encode(four_quarters(), "AVIF", exif=TURNED),
    "tiff-jpeg": encode(four_quarters(), "TIFF", compression="jpeg"),
    "tiff-float": encode(four_quarters().convert("F"), "TIFF"),
    "bmp-palette": encode(four_quarters().quantize(4), "BMP"),
}

# Damage near the beginning strikes headers, where it is most interesting.
edits = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 400), st.integers(0, 100_000)),
        st.one_of(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]), st.integers(0, 255)),
        st.integers(0, 8),
    ),
    max_size=12,
)


def damaged(data, changes, kept):
    bytes_ = bytearray(data)
    for at, value, length in changes:
        where = at % len(bytes_)
        bytes_[where : where + length] = bytes([value]) * length
    return bytes(bytes_[: max(1, int(kept * len(bytes_)))])


def assert_read_or_refused(data, long_side=None):
    began = time.monotonic()
    try:
        result = decode_photo(data, name="mutant.jpg", long_side=long_side)
    except PhotoError as error:
        result = error
    assert time.monotonic() - began < SECONDS
    if isinstance(result, PhotoError):
        assert type(result).__name__ in LEAVES
        assert "mutant.jpg" in str(result)
        assert result.hint
    else:
        assert isinstance(result, Photo)


@pytest.mark.parametrize("kind", SAMPLES)
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    changes=edits,
    kept=st.one_of(st.just(1.0), st.floats(0, 1)),
    long_side=st.sampled_from([None, 1, 40]),
)
def test_a_damaged_file_is_read_or_refused(kind, changes, kept, long_side):
    assert_read_or_refused(damaged(SAMPLES[kind], changes, kept), long_side)


@settings(max_examples=200)
@given(
    start=st.sampled_from([b"", *(data[:16] for data in SAMPLES.values())]),
    rest=st.binary(max_size=200),
)
def test_any_bytes_after_a_valid_beginning(start, rest):
    assert_read_or_refused((start + rest) or b"\0")


@pytest.mark.parametrize("kept", [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999])
def test_truncated_real_photos_are_refused(portraits, kept):
    for path in sorted(portraits.iterdir()):
        data = path.read_bytes()
        with pytest.raises(PhotoError, match="cut short"):
            decode_photo(data[: int(kept * len(data))], name="cut short")


def test_real_photos_are_read(portraits):
    for path in sorted(portraits.iterdir()):
        photo = decode_photo(path.read_bytes(), name=path.name, long_side=640)
        assert max(photo.width, photo.height) >= 640
        assert photo.pixels.std() > 20
