"""Archives of photos, as sources of a dataset; every second zip as an upload for training."""

from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path

from fuzz.targets import Target
from fuzz.targets.in_memory import folder_in_memory, ignore_checksums

INSTRUMENTED = ("mien.dataset.sources", "mien.names", "mien.server.training.job_photos")


def target() -> Target:
    """Return the target; it writes each input to a file, in memory where the system has such."""
    from mien.dataset.sources.archives import TarSource, ZipSource
    from mien.errors import PhotoError
    from mien.server.http.forms import Upload
    from mien.server.training.job_photos import _upload_files

    ignore_checksums()
    folder = folder_in_memory()
    path = Path(folder.name) / "archive"

    def run(data: bytes, _: object = folder) -> None:
        packed = b"PK\5\6" in data
        if packed and zlib.crc32(data) % 2:
            for _name, load in _upload_files([Upload("photos.zip", data)], Counter()):
                load()
            return
        path.write_bytes(data)
        source = ZipSource(path) if packed else TarSource(path)
        survey = source.survey()
        for _item, load in source.read(survey.items):
            try:
                load()
            except PhotoError:
                continue

    return Target(run, INSTRUMENTED, _TOKENS, longest=4096)


_TOKENS = (
    b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"ustar\x0000", b"ustar  \0",
    b"Ada/1.jpg", b"../", b"/", b"\\", b"C:", b".jpg", b"\1\0\x10\0", b"\xff\xff\xff\xff",
    b"\x1f\x8b\x08", b"././@LongLink", b"GNU.sparse.map", b"GNU.sparse.major=1", b"path=", b"size=",
    b"30 mtime=", b"hdrcharset=BINARY", b"0000644\0", b"0000000\0", b"\x80\0\0\0\0\0\0\1",
    b"\x75\x70", b"__MACOSX/", b"\0\x08",
)  # fmt: skip
