"""Which recognizer files hold a person: by name, or by what they would call the face.

Only the file's metadata and prototypes are read; its models are not loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.errors import RecognizerError, RecognizerNotFound
from mien.files import is_folder
from mien.matching import HeadMatcher
from mien.names import name_key
from mien.onnx_files.graph_checks import check_graph
from mien.recognizer.file import stored_head
from mien.recognizer.metadata import read_fields, read_learned, unreadable
from mien.types import Embeddings, Head

_SUFFIX = ".onnx"


@dataclass(frozen=True, slots=True)
class SoughtPerson:
    """The person to look for.

    Attributes:
        name: in any spelling.
        templates: (N, D) float32 of length 1, of the person's photos.
        contract: id of the templates' embeddings.
    """

    name: str
    templates: NDArray[np.float32]
    contract: str


@dataclass(frozen=True, slots=True)
class Holding:
    """A person in a recognizer file.

    Attributes:
        name: the name in the file; empty if the file cannot be read.
        by: `name` if the names are equal; `face` if the file gives this name to at least half of
            the person's photos; `unreadable` if the file may hold the person.
    """

    name: str
    by: Literal["name", "face", "unreadable"]


def find_in(head: Head, wanted: SoughtPerson) -> Holding | None:
    """Return how the people of a recognizer include a person; None if they do not."""
    key = name_key(wanted.name)
    for name in head.people:
        if name_key(name) == key:
            return Holding(name, "name")
    if not len(wanted.templates) or head.contract != wanted.contract:
        return None
    matcher = HeadMatcher(head)
    # One at a time: of the faces of one photo only one would get the name.
    faces = (Embeddings(row[None], wanted.contract) for row in wanted.templates)
    names = Counter(answer.name for face in faces for answer in matcher.identify(face))
    del names[None]
    for found, photos in names.most_common(1):
        if found is not None and 2 * photos >= len(wanted.templates):
            return Holding(found, "face")
    return None


def read_head(path: Path) -> Head:
    """Return what a recognizer file learned.

    Raises:
        RecognizerNotFound: the file cannot be read.
        NotARecognizer: Mien did not write it, or it is damaged.
    """
    import onnx  # noqa: PLC0415

    name = str(path)
    try:
        model = path.read_bytes()
    except OSError as error:
        raise RecognizerNotFound(
            f"cannot read {path}: {error.strerror}",
            hint="Give a recognizer file, or a folder of them.",
        ) from error
    try:
        check_graph(model)
        found = onnx.load_from_string(model)
    except ValueError as error:
        raise unreadable(name, str(error)) from error
    fields = read_fields({each.key: each.value for each in found.metadata_props}, name)
    return stored_head(found.graph.initializer, read_learned(fields, name), name)


def find_in_files(paths: Iterator[Path], wanted: SoughtPerson) -> Iterator[tuple[Path, Holding]]:
    """Yield the recognizer files that hold a person, and those that cannot be read."""
    for path in paths:
        try:
            found = find_in(read_head(path), wanted)
        except RecognizerError:
            found = Holding("", "unreadable")
        if found is not None:
            yield path, found


def recognizer_files(path: Path) -> Iterator[Path]:
    """Yield a file, or the recognizer files in a folder and below it."""
    if is_folder(path):
        yield from sorted(each for each in path.rglob(f"*{_SUFFIX}") if each.is_file())
    else:
        yield path
