"""Any pairs of photos: a CSV file with a line for each, `first,second,same`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidPairs, NothingToMeasure
from mien.evaluation.verification.embed_photos import (
    EmbeddedFace,
    Which,
    embed_photos,
    largest_face,
)
from mien.evaluation.verification.score_pairs import MISSED, ScoredPairs, score_pairs
from mien.matching import PhotoEmbedder
from mien.photo import MAX_BYTES
from mien.types import Progress, silent

_ANATOMY = (
    "A line for each pair: path,path,same with 1 or 0 for same, and if you like the number of"
    " a fold. LFW's own files are for `mien evaluate lfw`."
)
_TRUE, _FALSE = (
    frozenset({"1", "true", "yes", "same"}),
    frozenset({"0", "false", "no", "different"}),
)


@dataclass(frozen=True, slots=True)
class PhotoPair:
    """Two photos to compare.

    Attributes:
        first: path of one photo, as the file has it.
        second: of the other.
        same: whether they show one person.
        fold: number of the fold it belongs to; 0 where the file has none.
    """

    first: str
    second: str
    same: bool
    fold: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PairListResult:
    """Verification on the pairs of a list.

    Attributes:
        pairs: in the file's order.
        scored: what was measured on them.
        photos: number of photos compared.
        people: how many people they show, as far as the pairs tell.
        missed: paths of photos without a face, or that cannot be read.
        contract: how the embeddings were made.
    """

    pairs: tuple[PhotoPair, ...]
    scored: ScoredPairs
    photos: int
    people: int
    missed: tuple[str, ...]
    contract: str


def read_pair_list(path: Path | str) -> tuple[PhotoPair, ...]:
    """Read a CSV of pairs; a first line of names is passed over.

    Raises:
        InvalidPairs: when there is no such file, or with the number of the line it goes wrong in.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidPairs(f"{path}: {error.strerror or error}", hint=_ANATOMY) from error
    except UnicodeDecodeError as error:
        raise InvalidPairs(f"{path}: not a text file", hint=_ANATOMY) from error
    pairs: list[PhotoPair] = []
    try:
        for number, row in enumerate(csv.reader(io.StringIO(text, newline="")), 1):
            cells = [cell.strip() for cell in row]
            if not any(cells) or (number == 1 and _names(cells)):
                continue
            pairs.append(_pair(cells, f"{path}, line {number}"))
    except csv.Error as error:
        raise InvalidPairs(f"{path}: {error}", hint=_ANATOMY) from error
    if not pairs:
        raise InvalidPairs(f"{path}: there is no pair in it", hint=_ANATOMY)
    return tuple(pairs)


def evaluate_pair_list(
    engine: PhotoEmbedder,
    root: Path | str,
    pairs: Sequence[PhotoPair],
    *,
    which: Which = largest_face,
    choose_on: Sequence[PhotoPair] = (),
    workers: int = 2,
    progress: Progress = silent,
) -> PairListResult:
    """Compare the pairs of a list.

    With two folds or more each is judged at the threshold best on the others, as LFW's View 2.

    Args:
        engine: embeds a photo; called from several threads.
        root: folder that the paths are relative to.
        pairs: what to compare.
        which: says which face of a photo is the person's.
        choose_on: pairs that the threshold is chosen on instead.
        workers: number of threads.
        progress: told of each photo.

    Raises:
        NothingToMeasure: none of the photos shows a face, or all pairs are of one kind.
    """
    wanted = sorted({path for p in (*pairs, *choose_on) for path in (p.first, p.second)})
    found = embed_photos(
        engine, _photos(Path(root), wanted), total=len(wanted), which=which, workers=workers,
        progress=progress,
    )  # fmt: skip
    faces = {path: face for path, face in found if face is not None}
    if not faces:
        raise NothingToMeasure("no face was found in any photo of the pairs", hint=_ANATOMY)
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
    """Return a number for the person of each photo: photos that are the same person share it."""
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


def _photos(root: Path, paths: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    for path in paths:
        try:
            # What is too large is cut, and so cannot be read: it counts as missed.
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


def _names(cells: Sequence[str]) -> bool:
    """Say whether a line is one of column names."""
    return len(cells) > 2 and cells[2].lower() == "same" and cells[0].lower() in _HEADS


_HEADS = frozenset({"first", "path", "path1", "photo", "photo1", "a"})


def _pair(cells: Sequence[str], where: str) -> PhotoPair:
    if len(cells) not in (3, 4) or not cells[0] or not cells[1]:
        raise InvalidPairs(f"{where}: expected path,path,same", hint=_ANATOMY)
    if cells[0] == cells[1]:
        raise InvalidPairs(f"{where}: a photo is paired with itself", hint=_ANATOMY)
    word = cells[2].lower()
    if word not in _TRUE | _FALSE:
        raise InvalidPairs(f"{where}: {cells[2]!r} is not 1 or 0", hint=_ANATOMY)
    fold = cells[3] if len(cells) > 3 else "0"
    if not (fold.isascii() and fold.isdigit() and len(fold) < 7):
        raise InvalidPairs(f"{where}: {fold!r} is not the number of a fold", hint=_ANATOMY)
    return PhotoPair(cells[0], cells[1], word in _TRUE, int(fold))
