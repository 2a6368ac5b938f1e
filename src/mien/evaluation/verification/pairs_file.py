"""Pairs files of Labeled Faces in the Wild: View 2 has folds, View 1 has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mien.errors import InvalidPairs

_FORMAT = "A pairs file has the format of the LFW page: pairs.txt, pairsDevTrain.txt or the like."


@dataclass(frozen=True, slots=True, order=True)
class LfwPhoto:
    """A photo of LFW: the person's name, and the number of the photo from 1."""

    person: str
    number: int

    @property
    def file_name(self) -> str:
        """The name of its file in the official archive."""
        return f"{self.person}_{self.number:04d}.jpg"


@dataclass(frozen=True, slots=True)
class LfwPair:
    """Two photos to compare.

    Attributes:
        first: the first photo.
        second: the second photo.
        fold: number of the fold, from 0.
    """

    first: LfwPhoto
    second: LfwPhoto
    fold: int

    @property
    def same(self) -> bool:
        """Whether both are labelled with one name."""
        return self.first.person == self.second.person


@dataclass(frozen=True, slots=True)
class LfwPairs:
    """The pairs of one file, in the order of the file.

    Attributes:
        pairs: at least one of the same person and one of two people.
        folds: number of folds; 1 if the file has none (View 1).
    """

    pairs: tuple[LfwPair, ...]
    folds: int

    def photos(self) -> frozenset[LfwPhoto]:
        """Return all photos of the pairs."""
        return frozenset(photo for pair in self.pairs for photo in (pair.first, pair.second))


def read_pairs(path: Path | str) -> LfwPairs:
    """Read a pairs file: View 2 (first line: folds, pairs) or View 1 (first line: pairs).

    Each fold lists that number of pairs of one person (`name i j`), then as many pairs of two
    people (`name i name j`).

    Raises:
        InvalidPairs: the file does not exist or is malformed; the message names the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidPairs(f"{path}: {error.strerror or error}", hint=_FORMAT) from error
    except UnicodeDecodeError as error:
        raise InvalidPairs(f"{path}: not a text file", hint=_FORMAT) from error
    return parse_pairs(text, name=str(path))


def parse_pairs(text: str, *, name: str = "pairs") -> LfwPairs:
    """Return the pairs in the text of a pairs file, as `read_pairs`; `name` is for messages."""
    lines = [line.strip() for line in text.rstrip().splitlines()]
    if not lines:
        raise InvalidPairs(f"{name} is empty", hint=_FORMAT)
    folds, size = _header(lines[0], name)
    expected = 2 * folds * size
    if len(lines) - 1 != expected:
        raise InvalidPairs(
            f"{name}: its first line promises {expected:,} pairs, {len(lines) - 1:,} lines follow",
            hint="The file is incomplete or has other lines: download it again.",
        )
    pairs = []
    for index, line in enumerate(lines[1:]):
        fold, within = divmod(index, 2 * size)
        pairs.append(_pair(line, fold, same=within < size, where=f"{name}, line {index + 2}"))
    return LfwPairs(tuple(pairs), folds)


def _header(line: str, name: str) -> tuple[int, int]:
    """Return the number of folds, and the number of pairs of each kind per fold."""
    fields = line.split()
    if len(fields) not in (1, 2) or not all(_is_count(field) for field in fields):
        raise InvalidPairs(
            f"{name}, line 1: expected the numbers of folds and pairs, found {line!r}",
            hint=_FORMAT,
        )
    numbers = [int(field) for field in fields]
    return (1, numbers[0]) if len(numbers) == 1 else (numbers[0], numbers[1])


def _pair(line: str, fold: int, *, same: bool, where: str) -> LfwPair:
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) != (3 if same else 4):
        kind = "name, number, number" if same else "name, number, name, number"
        raise InvalidPairs(f"{where}: expected {kind}, found {line!r}", hint=_FORMAT)
    if same:
        fields = [fields[0], fields[1], fields[0], fields[2]]
    first, second = _photo(fields[0], fields[1], where), _photo(fields[2], fields[3], where)
    if first == second:
        raise InvalidPairs(f"{where}: a photo is paired with itself", hint=_FORMAT)
    if not same and first.person == second.person:
        raise InvalidPairs(
            f"{where}: {first.person} is listed among the pairs of two people", hint=_FORMAT
        )
    return LfwPair(first, second, fold)


def _photo(person: str, number: str, where: str) -> LfwPhoto:
    # A name becomes part of a path, so it must not lead out of the folder.
    if not person or "/" in person or "\\" in person or person.startswith("."):
        raise InvalidPairs(f"{where}: {person!r} is not a name", hint=_FORMAT)
    if not _is_count(number):
        raise InvalidPairs(f"{where}: {number!r} is not the number of a photo", hint=_FORMAT)
    return LfwPhoto(person, int(number))


def _is_count(text: str) -> bool:
    return len(text) < 7 and text.isascii() and text.isdigit() and int(text) > 0
