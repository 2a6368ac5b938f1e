"""Lists of people of LFW: `people.txt` (View 2), `peopleDevTrain.txt` and others (View 1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mien.errors import InvalidPairs

_FORMAT = (
    "A list of people has the format of the LFW page: people.txt, peopleDevTrain.txt or the like."
)


@dataclass(frozen=True, slots=True)
class LfwPerson:
    """A person of LFW.

    Attributes:
        name: as in the archive, with underscores.
        photos: number of photos of the person.
        fold: number of the person's fold, from 0.
    """

    name: str
    photos: int
    fold: int

    @property
    def files(self) -> tuple[str, ...]:
        """File names of the person's photos in the official archive."""
        return tuple(f"{self.name}_{number:04d}.jpg" for number in range(1, self.photos + 1))


def read_lfw_people(path: Path | str) -> tuple[LfwPerson, ...]:
    """Read a list of people, with folds or without.

    Raises:
        InvalidPairs: the file does not exist or is malformed; the message names the line.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise InvalidPairs(f"{path}: {error.strerror or error}", hint=_FORMAT) from error
    except UnicodeDecodeError as error:
        raise InvalidPairs(f"{path}: not a text file", hint=_FORMAT) from error
    people: list[LfwPerson] = []
    left, fold, folds = 0, -1, 0
    for number, line in enumerate(lines, 1):
        fields = line.split()
        where = f"{path}, line {number}"
        if not fields:
            continue
        if left == 0:
            # A fold begins with its number of people. If the file has folds, its very first line
            # is the number of folds.
            count = _count(fields[0], where)
            if number == 1 and len(fields) == 1 and _starts_with_folds(lines):
                folds = count
            else:
                left, fold = count, fold + 1
            continue
        if len(fields) != 2:
            raise InvalidPairs(f"{where}: expected name and number of photos", hint=_FORMAT)
        people.append(LfwPerson(fields[0], _count(fields[1], where), fold))
        left -= 1
    if left or not people or (folds and fold + 1 != folds):
        raise InvalidPairs(
            f"{path}: people are missing at the end",
            hint="The file is incomplete: download it again.",
        )
    return tuple(people)


def _starts_with_folds(lines: list[str]) -> bool:
    """Return whether the second line is one number too; then the first is the number of folds."""
    return len(lines) > 1 and len(lines[1].split()) == 1


def _count(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 7):
        raise InvalidPairs(f"{where}: {text!r} is not a number", hint=_FORMAT)
    return int(text)
