"""LFW's list of people: `people.txt` (View 2) or `peopleDevTrain.txt` and the like (View 1)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mien.errors import InvalidPairs

_ANATOMY = (
    "A list of people is as the LFW page publishes it: people.txt, peopleDevTrain.txt or the like."
)


@dataclass(frozen=True, slots=True)
class LfwPerson:
    """A person of LFW.

    Attributes:
        name: as in the archive, with underscores.
        photos: how many there are of the person.
        fold: number of the fold the person is in, from 0.
    """

    name: str
    photos: int
    fold: int

    @property
    def files(self) -> tuple[str, ...]:
        """The names of the person's files in the official archive."""
        return tuple(f"{self.name}_{number:04d}.jpg" for number in range(1, self.photos + 1))


def read_lfw_people(path: Path | str) -> tuple[LfwPerson, ...]:
    """Read a list of people, with folds or without.

    Raises:
        InvalidPairs: when there is no such file, or with the number of the line it goes wrong in.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise InvalidPairs(f"{path}: {error.strerror or error}", hint=_ANATOMY) from error
    except UnicodeDecodeError as error:
        raise InvalidPairs(f"{path}: not a text file", hint=_ANATOMY) from error
    people: list[LfwPerson] = []
    left, fold, folds = 0, -1, 0
    for number, line in enumerate(lines, 1):
        fields = line.split()
        where = f"{path}, line {number}"
        if not fields:
            continue
        if left == 0:
            # A fold begins with the number of its people; where there are folds, the first line
            # of all says how many.
            count = _count(fields[0], where)
            if number == 1 and len(fields) == 1 and _alone(lines):
                folds = count
            else:
                left, fold = count, fold + 1
            continue
        if len(fields) != 2:
            raise InvalidPairs(f"{where}: expected name and number of photos", hint=_ANATOMY)
        people.append(LfwPerson(fields[0], _count(fields[1], where), fold))
        left -= 1
    if left or not people or (folds and fold + 1 != folds):
        raise InvalidPairs(
            f"{path}: people are missing at its end",
            hint="The file is cut short: fetch it again.",
        )
    return tuple(people)


def _alone(lines: list[str]) -> bool:
    """Say whether the second line is one number too: then the first is that of folds."""
    return len(lines) > 1 and len(lines[1].split()) == 1


def _count(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 7):
        raise InvalidPairs(f"{where}: {text!r} is not a number", hint=_ANATOMY)
    return int(text)
