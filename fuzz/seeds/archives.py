"""Small archives, sound and hostile."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Mapping

_PEOPLE = {"Ada/1.jpg": b"\xff\xd8\xff a", "Ada/2.jpg": b"\xff\xd8\xff b", "Ben/1.png": b"\x89PNG"}


def seeds() -> Mapping[str, bytes]:
    """Return the inputs by file name."""
    usual = _zip(_PEOPLE)
    streamed = io.BytesIO()
    with zipfile.ZipFile(_Unseekable(streamed), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_entry("Ada/1.jpg"), b"photo" * 9)
    link = tarfile.TarInfo("Ada/link.jpg")
    link.type, link.linkname = tarfile.SYMTYPE, "../../secret"
    device = tarfile.TarInfo("Ada/null.jpg")
    device.type = tarfile.CHRTYPE
    sparse = tarfile.TarInfo("Ada/sparse.jpg")
    sparse.pax_headers = {
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "Ada/sparse.jpg",
        "GNU.sparse.realsize": "99",
    }  # fmt: skip
    long_name = tarfile.TarInfo("Ada/" + "a" * 120 + ".jpg")
    plain = _tar([tarfile.TarInfo(name) for name in _PEOPLE])
    return {
        "usual.zip": usual,
        "packed.zip": _zip(_PEOPLE, zipfile.ZIP_DEFLATED),
        "bzip2.zip": _zip({"Ada/1.jpg": b"photo"}, zipfile.ZIP_BZIP2),
        "lzma.zip": _zip({"Ada/1.jpg": b"photo"}, zipfile.ZIP_LZMA),
        "large-sizes.zip": _large(),
        "streamed.zip": streamed.getvalue(),
        "empty.zip": _zip({}),
        "utf-8.zip": _zip({"Zoë/été.jpg": b"photo"}),
        "out.zip": _zip({"../Ada/1.jpg": b"photo"}),
        "drive.zip": _zip({"C:/Ada/1.jpg": b"photo"}),
        "wrapped.zip": _zip({f"all/{name}": data for name, data in _PEOPLE.items()}),
        "comment.zip": usual[:-2] + b"\x04\x00note",
        "before.zip": b"#!/bin/sh\n" + usual,
        "cut.zip": usual[: len(usual) // 2],
        "usual.tar": plain,
        "usual.tgz": gzip.compress(plain, mtime=0),
        "gnu.tar": _tar([long_name], tarfile.GNU_FORMAT),
        "pax.tar": _tar([long_name], tarfile.PAX_FORMAT),
        "sparse.tar": _tar([sparse], tarfile.PAX_FORMAT),
        "link.tar": _tar([link]),
        "device.tar": _tar([device]),
        "cut.tar": plain[:700],
    }


class _Unseekable:
    """A file that zipfile writes to as to a pipe."""

    def __init__(self, file: io.BytesIO) -> None:
        self.write, self.flush = file.write, file.flush


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name)


def _zip(members: Mapping[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(_entry(name), data, kind)
    return buffer.getvalue()


def _large() -> bytes:
    """Return an archive whose member has its sizes in 64 bits."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w") as archive,
        archive.open(_entry("Ada/1.jpg"), "w", force_zip64=True) as member,
    ):
        member.write(b"photo")
    return buffer.getvalue()


def _tar(members: list[tarfile.TarInfo], form: int = tarfile.USTAR_FORMAT) -> bytes:
    """Return a tar file with only one of the empty blocks at its end."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for member in members:
            data = _PEOPLE.get(member.name, b"photo") if member.isreg() else b""
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue().rstrip(b"\0") + bytes(512)
