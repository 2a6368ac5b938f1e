"""Pairs files of Labeled Faces in the Wild: View 2 in folds, View 1 without."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mien.errors import InvalidPairs

_ANATOMY = "A pairs file is as the LFW page publishes it: pairs.txt, pairsDevTrain.txt or the like."


@dataclass(frozen=True, slots=True, order=True)
class PhotoId:
    """A photo of LFW: the person and the number, from 1."""

    person: str
    number: int

    @property
    def file_name(self) -> str:
        """The name of its file in the official archive."""
        return f"{self.person}_{self.number:04d}.jpg"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos to compare.

    Attributes:
        first: one photo.
        second: the other.
        fold: number of the fold it belongs to, from 0.
    """

    first: PhotoId
    second: PhotoId
    fold: int

    @property
    def same(self) -> bool:
        """Whether they are labelled as one person."""
        return self.first.person == self.second.person


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of one file, in its order.

    Attributes:
        pairs: at least one of the same person and one of two people.
        folds: number of folds; 1 where the file has none (View 1).
    """

    pairs: tuple[Pair, ...]
    folds: int

    def photos(self) -> frozenset[PhotoId]:
        """Return every photo that a pair names."""
        return frozenset(photo for pair in self.pairs for photo in (pair.first, pair.second))


def read_pairs(path: Path | str) -> Pairs:
    """Read a pairs file: View 2 (`folds pairs` in its first line) or View 1 (`pairs`).

    In each fold the first line's number of pairs of one person (`name i j`) come first, then as
    many of two people (`name i name j`).

    Raises:
        InvalidPairs: when there is no such file, or with the number of the line it goes wrong in.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidPairs(f"{path}: {error.strerror or error}", hint=_ANATOMY) from error
    except UnicodeDecodeError as error:
        raise InvalidPairs(f"{path}: not a text file", hint=_ANATOMY) from error
    return parse_pairs(text, name=str(path))


def parse_pairs(text: str, *, name: str = "pairs") -> Pairs:
    """Return the pairs of a pairs file's text; `name` is for messages. As `read_pairs`."""
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if not lines:
        raise InvalidPairs(f"{name} is empty", hint=_ANATOMY)
    folds, size = _header(lines[0], name)
    expected = 2 * folds * size
    if len(lines) - 1 != expected:
        raise InvalidPairs(
            f"{name}: its first line promises {expected:,} pairs, {len(lines) - 1:,} lines follow",
            hint="The file is cut short or has lines of something else: fetch it again.",
        )
    pairs = []
    for index, line in enumerate(lines[1:]):
        fold, within = divmod(index, 2 * size)
        pairs.append(_pair(line, fold, same=within < size, where=f"{name}, line {index + 2}"))
    return Pairs(tuple(pairs), folds)


def _header(line: str, name: str) -> tuple[int, int]:
    """Return the number of folds, and of pairs of each kind in a fold."""
    fields = line.split()
    if len(fields) not in (1, 2) or not all(_is_count(field) for field in fields):
        raise InvalidPairs(
            f"{name}, line 1: expected the numbers of folds and pairs, found {line!r}",
            hint=_ANATOMY,
        )
    numbers = [int(field) for field in fields]
    return (1, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def _pair(line: str, fold: int, *, same: bool, where: str) -> Pair:
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) != (3 if same else 4):
        kind = "name, number, number" if same else "name, number, name, number"
        raise InvalidPairs(f"{where}: expected {kind}, found {line!r}", hint=_ANATOMY)
    if same:
        fields = [fields[0], fields[1], fields[0], fields[2]]
    first, second = _photo(fields[0], fields[1], where), _photo(fields[2], fields[3], where)
    if first == second:
        raise InvalidPairs(f"{where}: a photo is paired with itself", hint=_ANATOMY)
    if not same and first.person == second.person:
        raise InvalidPairs(
            f"{where}: {first.person} stands among the pairs of two people", hint=_ANATOMY
        )
    return Pair(first, second, fold)


def _photo(person: str, number: str, where: str) -> PhotoId:
    # A name becomes part of a path: one that climbs out of the folder is not a name.
    if not person or "/" in person or "\\" in person or person.startswith("."):
        raise InvalidPairs(f"{where}: {person!r} is not a name", hint=_ANATOMY)
    if not _is_count(number):
        raise InvalidPairs(f"{where}: {number!r} is not the number of a photo", hint=_ANATOMY)
    return PhotoId(person, int(number))


def _is_count(text: str) -> bool:
    return len(text) < 7 and text.isascii() and text.isdigit() and int(text) > 0
