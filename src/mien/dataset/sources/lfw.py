"""Download of Labeled Faces in the Wild (LFW).

G. B. Huang, M. Ramesh, T. Berg, E. Learned-Miller: "Labeled Faces in the Wild", University of
Massachusetts, Amherst, Technical Report 07-49, 2007; deep-funneled by Huang, Mattar, Lee,
Learned-Miller, "Learning to Align from Scratch", NIPS 2012.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path

from mien.errors import DatasetError, SourceNotFound
from mien.files import locked, publish
from mien.models.home import default_home, offline
from mien.types import Progress, silent

URL = "http://vis-www.cs.umass.edu/lfw/lfw-deepfunneled.tgz"
MD5 = "68331da3eb755a505a502b5aacb3c201"
"""MD5 of the official archive; its publisher gives no other digest."""

MAX_DOWNLOAD_BYTES = 200_000_000
_CHUNK = 1 << 18
_TIMEOUT = 30
_HINT = (
    "Fetch lfw-deepfunneled.tgz by other means and give its path: lfw:PATH "
    "(the archive, or the folder it unpacks to)."
)


def fetch_lfw(progress: Progress = silent) -> Path:
    """Return the path of the official deep-funneled archive in Mien's home, downloaded if missing.

    An interrupted download continues where it stopped.

    Raises:
        SourceNotFound: MIEN_OFFLINE is set, or the publisher cannot be reached.
        DatasetError: the downloaded file is not the archive.
    """
    final = default_home() / "datasets" / "lfw-deepfunneled.tgz"
    if final.is_file():
        return final
    if offline():
        raise SourceNotFound(
            f"LFW is not on this machine, and MIEN_OFFLINE is set: {URL}", hint=_HINT
        )
    part = final.with_suffix(".part")
    with locked(final.with_suffix(".lock")):
        if final.is_file():
            return final
        try:
            _download(part, progress)
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = getattr(error, "reason", None) or error
            raise SourceNotFound(
                f"LFW cannot be fetched from {URL}: {reason}", hint=_HINT
            ) from error
        with part.open("rb") as file:
            found = hashlib.file_digest(
                file, lambda: hashlib.md5(usedforsecurity=False)
            ).hexdigest()
        if found != MD5:
            part.unlink()
            raise DatasetError(
                f"{URL}: the downloaded file is not the LFW archive (md5 {found})", hint=_HINT
            )
        publish(part, final)
    return final


def _download(part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(URL, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)  # noqa: S310 — http, as published
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the file is complete: its digest is checked next
            return
        raise
    with response:
        resumed = response.status == 206
        have = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        with part.open("ab" if resumed else "wb") as file:
            while block := response.read(_CHUNK):
                file.write(block)
                have += len(block)
                if have > MAX_DOWNLOAD_BYTES:
                    break
                progress(have, total, "fetching LFW")
    if total is not None and have < total:
        raise ConnectionError(
            f"interrupted after {have:,} of {total:,} bytes; run again to continue"
        )
