"""Base class of sources: collections of photos of people."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from stat import S_ISREG

from mien.dataset.sources.layout import Item, Survey
from mien.errors import BrokenPhoto, PhotoNotFound, PhotoTooLarge, SourceNotFound
from mien.photo import MAX_BYTES

Load = Callable[[], bytes]
"""Function that returns a photo's bytes; raises PhotoError where they cannot be read."""


class Source(ABC):
    """A named collection of photos of people.

    Attributes:
        label: short name of the source, as in the manifest.
        location: path, for the dataset's card.
    """

    def __init__(self, label: str, location: Path | str) -> None:
        self.label = label
        self.location = location

    @abstractmethod
    def survey(self) -> Survey:
        """List the source's photos and their people, without decoding a photo.

        Raises:
            DatasetError: the source cannot be used.
        """

    @abstractmethod
    def read(self, items: Sequence[Item]) -> Iterator[tuple[Item, Load]]:
        """Yield each item with a function that reads its bytes; few are in memory at a time."""


def file_loader(path: Path, name: str) -> Load:
    """Return a function that reads a photo file; `name` is used in its errors."""

    def load() -> bytes:
        try:
            found = path.stat()
            if not S_ISREG(found.st_mode):
                raise PhotoNotFound(f"{name}: is not a file")
            if found.st_size > MAX_BYTES:
                raise too_large(name, found.st_size)
            return path.read_bytes()
        except FileNotFoundError as error:
            raise PhotoNotFound(f"{name}: there is no such file") from error
        except OSError as error:
            raise BrokenPhoto(f"{name}: cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise PhotoNotFound(f"{name}: not a path of a file") from error

    return load


def too_large(name: str, size: int) -> PhotoTooLarge:
    """Return the error for a photo with more bytes than the limit."""
    return PhotoTooLarge(
        f"{name}: {size:,} bytes are more than the limit of {MAX_BYTES:,}",
        hint="Save it smaller.",
    )


def source_hint() -> str:
    """Return a sentence with the kinds of sources."""
    return (
        "A source is a folder with a folder per person, a .zip, .tar or .tgz of that, a .csv "
        "with the columns path,person, or lfw[:PATH]."
    )


def source_not_found(path: Path) -> SourceNotFound:
    """Return the error for a source that does not exist."""
    return SourceNotFound(f"{path}: there is no such file or folder", hint=source_hint())
