"""Export a gallery to one file and import it: people, notes, templates, rejected faces.

The file is a zip archive of `gallery.json`, `templates.f32`, `negatives.f32` (little-endian float32
without a header, which a hostile file could falsify) and the kept thumbnails. The export of an
encrypted gallery is that archive, encrypted as a whole with the gallery's key. Nothing is unpacked
to the disk, and no name inside the archive becomes a path.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import BadExport, InvalidName
from mien.gallery.base import valid_rate
from mien.gallery.exchange.snapshot import contents_of
from mien.gallery.gallery import Gallery
from mien.gallery.people import valid_name
from mien.gallery.storage.cipher import Cipher, key_missing
from mien.gallery.storage.database import FILE
from mien.gallery.values import FaceSample, ImportedPerson, Origin
from mien.names import name_key
from mien.photo.damaged_archives import DAMAGED_ARCHIVE
from mien.text import count
from mien.version import __version__

FORMAT = 1
"""Version of the archive's format; a newer one is refused."""

_MAGIC = b"Mien gallery, sealed, 1\n"
_PLACE = "gallery export"
_CARD, _TEMPLATES, _NEGATIVES, _THUMBNAILS = (
    "gallery.json",
    "templates.f32",
    "negatives.f32",
    "thumbnails",
)
_LARGEST_CARD = 1 << 28
_MOST_GROWTH = 16
"""An export unpacks to at most this many times its size: embeddings can hardly be compressed."""
_GROWTH_ALLOWED_BYTES = 1 << 22
"""An export that unpacks to at most this many bytes is not refused for its growth."""
_LARGEST_THUMBNAIL = 1 << 20
_LONGEST_TEXT = 10_000
_OF_A_PERSON = ("name", "consent", "source")
_ANY, _ID, _SHA256, _TIME = (
    re.compile(pattern, re.DOTALL)
    for pattern in (".*", "[0-9a-f]{12}", "([0-9a-f]{64})?", "[0-9T:.+-]{19,32}")
)
_MOST_ROWS = 20_000_000
_DAMAGE = (*DAMAGED_ARCHIVE, OSError, LookupError, TypeError, AttributeError, InvalidName)


def export_gallery(gallery: Gallery, *, plain: bool = False) -> bytes:
    """Return a gallery as the bytes of one file.

    Args:
        gallery: to export.
        plain: do not encrypt the file, although the gallery is encrypted.
    """
    with gallery.exclusively() as store, store.database.reading():
        contents = contents_of(store, gallery.origin.dimension)
        cipher = store.cipher
    card = {
        "format": FORMAT,
        "mien": __version__,
        "origin": asdict(gallery.origin),
        "rate": gallery.rate,
        "thumbnails": gallery.keeps_thumbnails,
        "people": contents.people,
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_CARD, json.dumps(card, ensure_ascii=False, allow_nan=False))
        archive.writestr(_TEMPLATES, contents.templates.astype("<f4").tobytes())
        archive.writestr(_NEGATIVES, contents.negatives.astype("<f4").tobytes())
        for row, jpeg in contents.thumbnails.items():
            archive.writestr(f"{_THUMBNAILS}/{row}.jpg", jpeg)
    data = buffer.getvalue()
    return data if plain or not cipher.encrypts else _MAGIC + cipher.encrypt(data, _PLACE)


class Export:
    """The checked contents of a file that `export_gallery` made.

    Args:
        data: bytes of the file.
        key: of the gallery that it was exported from, where that was encrypted.
        name: what to call the file in an error.

    Attributes:
        encrypted: whether the file is encrypted.
        origin: of the gallery.
        rate: share of strangers who may be given any name.
        thumbnails: whether the gallery keeps crops.
        people: with their photos.

    Raises:
        BadExport: it is not such a file, or damaged.
        GalleryLocked: it is encrypted, and the key is missing or wrong.
    """

    def __init__(self, data: bytes, *, key: bytes | None = None, name: str = "export") -> None:
        self.encrypted = data.startswith(_MAGIC)
        if self.encrypted:
            if key is None:
                raise key_missing(name)
            data = Cipher(key).decrypt(data[len(_MAGIC) :], _PLACE)
        try:
            archive = zipfile.ZipFile(io.BytesIO(data))
            _check_growth(archive, len(data))
            self._read(archive)
        except _DAMAGE as error:
            raise BadExport(
                f"{name}: not an export of a gallery, or a damaged one: {error}",
                hint="Give the export of a gallery.",
                code="export-damaged",
            ) from error

    def _read(self, archive: zipfile.ZipFile) -> None:
        names = archive.namelist()
        if len(set(names)) != len(names):
            raise ValueError("a member is in it twice")
        card = _parsed(_member(archive, _CARD, _LARGEST_CARD))
        if not isinstance(card["format"], int) or card["format"] > FORMAT:
            raise ValueError("a newer version of Mien made it")
        self.origin = Origin.parse(json.dumps(card["origin"]))
        self.rate = valid_rate(float(card["rate"]))
        self.thumbnails = bool(card["thumbnails"])
        self._people: list[dict[str, Any]] = list(card["people"])
        dimension = self.origin.dimension
        photos = sum(len(person["photos"]) for person in self._people)
        rejected = sum(_count(person["negatives"]) for person in self._people)
        if photos + rejected > _MOST_ROWS or dimension > 1 << 16:
            raise ValueError("it lists too many photos")
        self._templates = _rows(archive, _TEMPLATES, photos * 2, dimension).reshape(
            photos, 2, dimension
        )
        self._negatives = _rows(archive, _NEGATIVES, rejected, dimension)
        kept = {f"{_THUMBNAILS}/{row}.jpg" for row in range(photos)} & set(names)
        if set(names) - kept - {_CARD, _TEMPLATES, _NEGATIVES}:
            raise ValueError("it has members that Mien did not write")
        self._crops = {name: _member(archive, name, _LARGEST_THUMBNAIL) for name in kept}
        self.people = tuple(self._imported_people())
        distinct = {name_key(valid_name(person.name)) for person in self.people}
        if len(distinct) != len(self.people):
            raise ValueError("a name is in it twice")

    def __repr__(self) -> str:
        return f"<Export of {self.origin!r}, {count(len(self.people), 'person', 'people')}>"

    def _imported_people(self) -> Iterator[ImportedPerson]:
        row = rejected = 0
        for person in self._people:
            samples = []
            for photo in person["photos"]:
                samples.append(self._sample(row, photo))
                row += 1
            following = rejected + _count(person["negatives"])
            texts = {field: _text(person[field]) for field in _OF_A_PERSON}
            yield ImportedPerson(
                **texts,
                id=_text(person["id"], _ID),
                created=_text(person["created"], _TIME),
                samples=samples,
                negatives=list(self._negatives[rejected:following]),
            )
            rejected = following

    def _sample(self, row: int, photo: dict[str, Any]) -> FaceSample:
        return FaceSample(
            embedding=self._templates[row, 0],
            mirrored=self._templates[row, 1],
            contract=self.origin.contract,
            quality=float(photo["quality"]),
            sha256=_text(photo["sha256"], _SHA256),
            source=_text(photo["source"]),
            added=_text(photo["added"], _TIME),
            forced=_text(photo["forced"]),
            crop=self._crops.get(f"{_THUMBNAILS}/{row}.jpg", b""),
        )


def import_into(path: Path, export: Export, *, key: bytes | None = None) -> tuple[int, int]:
    """Import the people of an export into a gallery, all or none; made where there is none.

    Args:
        path: the gallery's folder.
        export: to import.
        key: of that gallery; where it is given, a new gallery is encrypted with it.

    Returns:
        The number of people, and the number of photos that were not in the gallery yet.

    Raises:
        ContractMismatch: the gallery has other embeddings.
    """
    if (path / FILE).exists():
        gallery = Gallery.open(path, key=key)
    else:
        gallery = Gallery.create(
            path, export.origin, rate=export.rate, thumbnails=export.thumbnails, key=key
        )
    with gallery:
        gallery.check_contract(export.origin.contract)
        return gallery.import_people(export.people, together=True)


def _check_growth(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse an archive of `size` bytes that unpacks to far more, before a member is read.

    No more than the stated size of a member is unpacked, so a false statement gains nothing.
    """
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max(_GROWTH_ALLOWED_BYTES, _MOST_GROWTH * size):
        raise ValueError(f"it unpacks to more than {_MOST_GROWTH} times its size")


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    if archive.getinfo(name).file_size > limit:
        raise ValueError(f"{name} is too large")
    return archive.read(name)


def _parsed(card: bytes) -> Any:
    """Return a card's JSON; one of mostly brackets would take far more memory than its bytes."""
    if card.count(b"{") + card.count(b"[") > len(card) // 8 + 1000:
        raise ValueError("its list of people is malformed")
    return json.loads(card)


def _rows(archive: zipfile.ZipFile, name: str, rows: int, dimension: int) -> NDArray[np.float32]:
    if archive.getinfo(name).file_size != rows * dimension * 4:
        raise ValueError(f"{name} does not fit the list of people")
    vectors = np.frombuffer(archive.read(name), "<f4").astype(np.float32).reshape(rows, dimension)
    if not np.allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-3):
        raise ValueError(f"{name} has embeddings that are not of length 1")
    return vectors


def _text(value: Any, pattern: re.Pattern[str] = _ANY) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or not pattern.fullmatch(value):
        raise TypeError("a text is missing or malformed")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise TypeError("a number is missing")
    return value
