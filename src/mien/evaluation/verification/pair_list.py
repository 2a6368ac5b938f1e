"""Verification on the user's own pairs of photos, from a CSV file `first,second,same`."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidPairs, NothingToMeasure
from mien.evaluation.verification.embed_photos import (
    EmbeddedFace,
    Which,
    embed_photos,
    largest_face,
)
from mien.evaluation.verification.score_pairs import (
    MISSED,
    ScoredPairs,
    pairs_to_dict,
    score_pairs,
)
from mien.matching import PhotoEmbedder
from mien.photo import MAX_BYTES
from mien.text import count
from mien.types import Progress, silent

_FORMAT = (
    "One line per pair: path,path,same with 1 or 0 for same, and optionally the number of a"
    " fold. LFW's own files are read by `mien.read_pairs`."
)
_TRUE, _FALSE = (
    frozenset({"1", "true", "yes", "same"}),
    frozenset({"0", "false", "no", "different"}),
)


@dataclass(frozen=True, slots=True)
class PhotoPair:
    """Two photos to compare.

    Attributes:
        first: path of the first photo, as written in the file.
        second: path of the second photo.
        same: whether they show one person.
        fold: number of the fold; 0 if the file has none.
    """

    first: str
    second: str
    same: bool
    fold: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PairListResult:
    """Verification on the pairs of a list.

    Attributes:
        pairs: the pairs, in the order of the file.
        scored: the measurements on them.
        photos: number of photos compared.
        people: number of people: photos connected by pairs of one person count as one.
        missed: paths of photos in which no face was found, or that cannot be read.
        contract: contract id of the embeddings.
    """

    pairs: tuple[PhotoPair, ...]
    scored: ScoredPairs
    photos: int
    people: int
    missed: tuple[str, ...]
    contract: str

    def to_dict(self) -> dict[str, Any]:
        """Return what `mien evaluate pairs --json` prints; rates lie in [0, 1]."""
        return {
            **pairs_to_dict(self.scored, self.photos, self.missed, self.contract),
            "people": self.people,
        }

    def __repr__(self) -> str:
        return (
            f"<PairListResult {self.scored.summary()}, {count(len(self.missed), 'photo')} missed>"
        )

    def _repr_html_(self) -> str:
        return self.scored.html("Pairs of photos")


def read_pair_list(path: Path | str) -> tuple[PhotoPair, ...]:
    """Read a CSV file of pairs; a header line is skipped.

    Raises:
        InvalidPairs: the file does not exist or is malformed; the message names the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidPairs(
            f"{path}: {error.strerror or error}", hint=_FORMAT, code="pair-list"
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidPairs(f"{path}: not a text file", hint=_FORMAT, code="pair-list") from error
    pairs: list[PhotoPair] = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline="")), 1):
            cells = [cell.strip() for cell in row]
            if not any(cells) or (number == 1 and _is_header(cells)):
                continue
            pairs.append(_pair(cells, f"{path}, line {number}"))
    except csv.Error as error:
        raise InvalidPairs(f"{path}: {error}", hint=_FORMAT, code="pair-list") from error
    if not pairs:
        raise InvalidPairs(f"{path}: it has no pairs", hint=_FORMAT, code="pair-list")
    return tuple(pairs)


def evaluate_pair_list(
    engine: PhotoEmbedder,
    root: Path | str,
    pairs: Sequence[PhotoPair] | str | os.PathLike[str],
    *,
    which: Which = largest_face,
    choose_on: Sequence[PhotoPair] | str | os.PathLike[str] = (),
    workers: int = 2,
    progress: Progress = silent,
) -> PairListResult:
    """Compare the pairs of a list: `mien evaluate pairs`.

    With two or more folds the threshold of each is the best one of the others, as for LFW's
    View 2.

    Args:
        engine: embeds photos; called from several threads.
        root: folder that the paths are relative to.
        pairs: the pairs to compare, or the path of a CSV file.
        which: selects the face of a photo that is compared.
        choose_on: pairs to choose the threshold on, or the path of a CSV file.
        workers: number of threads.
        progress: called after each photo.

    Raises:
        InvalidPairs: a CSV file does not exist or is malformed.
        NothingToMeasure: none of the photos shows a face, or all pairs are of one kind.
    """
    pairs, choose_on = _opened(pairs), _opened(choose_on)
    wanted = sorted({path for p in (*pairs, *choose_on) for path in (p.first, p.second)})
    found = embed_photos(
        engine, _photos(Path(root), wanted), total=len(wanted), which=which, workers=workers,
        progress=progress,
    )  # fmt: skip
    faces = {path: face for path, face in found if face is not None}
    if not faces:
        raise NothingToMeasure(
            "no face was found in any photo of the pairs", hint=_FORMAT, code="pair-list"
        )
    compared = {path for p in pairs for path in (p.first, p.second)}
    people = people_of_pairs((*pairs, *choose_on))
    return PairListResult(
        pairs=tuple(pairs),
        scored=score_pairs(
            _scores(pairs, faces),
            np.array([pair.same for pair in pairs], np.bool_),
            np.array([pair.fold for pair in pairs], np.int64),
            np.array([[people[p.first], people[p.second]] for p in pairs], np.int64),
            chosen=(_scores(choose_on, faces), np.array([p.same for p in choose_on]))
            if choose_on
            else None,
        ),
        photos=len(compared),
        people=len({people[path] for path in compared}),
        missed=tuple(sorted(compared - faces.keys())),
        contract=next(iter(faces.values())).contract,
    )


def people_of_pairs(pairs: Sequence[PhotoPair]) -> dict[str, int]:
    """Return the number of the person in each photo; photos of one person share a number."""
    above: dict[str, str] = {}

    def root(path: str) -> str:
        while above.setdefault(path, path) != path:
            above[path] = above[above[path]]
            path = above[path]
        return path

    for pair in pairs:
        first, second = root(pair.first), root(pair.second)
        if pair.same:
            above[max(first, second)] = min(first, second)
    roots = {path: root(path) for path in above}
    numbers = {name: i for i, name in enumerate(sorted(set(roots.values())))}
    return {path: numbers[name] for path, name in roots.items()}


def _opened(
    pairs: Sequence[PhotoPair] | str | os.PathLike[str],
) -> Sequence[PhotoPair]:
    return read_pair_list(os.fspath(pairs)) if isinstance(pairs, str | os.PathLike) else pairs


def _photos(root: Path, paths: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    for path in paths:
        try:
            # A file that is too large is cut here and cannot be decoded: it counts as missed.
            with (root / path).open("rb") as file:
                yield path, path, file.read(MAX_BYTES)
        except (OSError, ValueError):
            yield path, path, b""


def _scores(pairs: Sequence[PhotoPair], faces: Mapping[str, EmbeddedFace]) -> NDArray[np.float64]:
    scores = np.full(len(pairs), MISSED)
    for index, pair in enumerate(pairs):
        first, second = faces.get(pair.first), faces.get(pair.second)
        if first is not None and second is not None:
            scores[index] = float(first.vector @ second.vector)
    return scores


def _is_header(cells: Sequence[str]) -> bool:
    """Return whether a line has column names."""
    return len(cells) > 2 and cells[2].lower() == "same" and cells[0].lower() in _HEADS


_HEADS = frozenset({"first", "path", "path1", "photo", "photo1", "a"})


def _pair(cells: Sequence[str], where: str) -> PhotoPair:
    if len(cells) not in (3, 4) or not cells[0] or not cells[1]:
        raise InvalidPairs(f"{where}: expected path,path,same", hint=_FORMAT, code="pair-list")
    if cells[0] == cells[1]:
        raise InvalidPairs(
            f"{where}: a photo is paired with itself", hint=_FORMAT, code="pair-list"
        )
    word = cells[2].lower()
    if word not in _TRUE | _FALSE:
        raise InvalidPairs(f"{where}: {cells[2]!r} is not 1 or 0", hint=_FORMAT, code="pair-list")
    fold = cells[3] if len(cells) > 3 else "0"
    if not (fold.isascii() and fold.isdigit() and len(fold) < 7):
        raise InvalidPairs(
            f"{where}: {fold!r} is not the number of a fold", hint=_FORMAT, code="pair-list"
        )
    return PhotoPair(cells[0], cells[1], word in _TRUE, int(fold))
