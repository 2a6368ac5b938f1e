"""Does a vessel answer as the library does?"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mien.deploy.check.runners import Ask, running_app, running_lambda
from mien.deploy.check.running_page import RunningPage, page_model, running_page
from mien.deploy.packaging.sizes import LAMBDA_PHOTO
from mien.deploy.service.core import RECOGNIZER, SETTINGS
from mien.errors import NotADeployment, PhotoError
from mien.photo import decode_photo, encode_png
from mien.recognizer import Recognizer
from mien.text import count
from mien.types import Face, Progress, silent

if TYPE_CHECKING:
    from mien.graph.storage_form import Form

SIMILARITY = 1e-3
PIXELS = 1.0
"""How far a vessel's similarities and boxes may lie from the library's."""

Runner = Callable[[Path, Mapping[str, Any]], AbstractContextManager[Ask]]

_RUNNERS: dict[str, Runner] = {
    "lambda": running_lambda,
    "app": running_app,
    "page": running_page,
}


@dataclass(slots=True)
class Agreement:
    """How far two roads lie apart, at most.

    Attributes:
        photos: how many were compared.
        faces: in them, by the library.
        similarity: the largest difference of a similarity.
        pixels: the largest difference of a box's side.
        disagreements: one sentence each; empty where both say the same.
    """

    photos: int = 0
    faces: int = 0
    similarity: float = 0.0
    pixels: float = 0.0
    disagreements: list[str] = field(default_factory=list)

    def compare(self, name: str, faces: Sequence[Face], answer: Mapping[str, Any]) -> None:
        """Compare the library's faces of a photo with a vessel's answer to it."""
        self.photos += 1
        self.faces += len(faces)
        rows = answer["faces"]
        if rows is None:
            self.disagreements.append(f"{name}: the vessel says: {answer['error']}")
        elif len(rows) != len(faces):
            told = f"{name}: the vessel finds {count(len(rows), 'face')}, the library {len(faces)}"
            self.disagreements.append(told)
        else:
            for number, (face, row) in enumerate(zip(faces, rows, strict=True), start=1):
                self.disagreements += self._differences(f"{name}, face {number}", face, row)

    def _differences(self, where: str, face: Face, row: Mapping[str, Any]) -> Iterator[str]:
        name = face.name
        if row["name"] != name:
            yield f"{where}: the vessel says {row['name']}, the library {name}"
        pixels = float(np.abs(np.array(row["box"]) - face.box).max())
        self.pixels = max(self.pixels, pixels)
        if pixels > PIXELS:
            yield f"{where}: the boxes are {pixels:.1f} pixels apart"
        ours = {candidate.name: candidate.similarity for candidate in face.candidates}
        theirs = {candidate["name"]: candidate["similarity"] for candidate in row["candidates"]}
        # Of people as alike as the last one listed, either may be listed.
        both = ours.keys() & theirs.keys()
        apart = max((abs(ours[person] - theirs[person]) for person in both), default=1.0)
        self.similarity = max(self.similarity, apart)
        if apart > SIMILARITY or len(ours) != len(theirs):
            yield f"{where}: similarities are {apart:.4f} apart"


@dataclass(frozen=True, slots=True)
class Parity:
    """What a check found.

    Attributes:
        vessel: its kind.
        weights: how they are stored in it.
        agreement: with the library, which runs the same weights.
        original: how far the recognizer given lies from the one in the vessel, by the library,
            largest difference of a similarity; None where none was given.
        renamed: faces that the recognizer given names otherwise.
        skipped: photos that cannot be sent to the vessel or be read at all.
    """

    vessel: str
    weights: str
    agreement: Agreement
    original: float | None
    renamed: tuple[str, ...]
    skipped: tuple[str, ...]


def check_deployment(
    folder: Path,
    photos: Sequence[Path],
    recognizer: Recognizer | None = None,
    progress: Progress = silent,
) -> Parity:
    """Run a vessel on this machine and compare it with the library on some photos.

    Args:
        folder: that `mien deploy lambda`, `mien deploy app` or `mien deploy page` wrote.
        photos: to compare on.
        recognizer: what it was made of; without it the library runs the vessel's own file, and
            only a digest tells whether that is still what was written.
        progress: told of each photo.

    Raises:
        NotADeployment: the folder is none of these, is damaged or does not start.
        CheckImpossible: it cannot be run here.
    """
    folder = folder.resolve()
    settings = settings_of(folder)
    kind = settings["vessel"]
    if kind not in _RUNNERS:
        raise NotADeployment(f"{folder} is a vessel of a kind that is not known here: {kind}")
    reference = _reference(folder, settings, recognizer)
    agreement = Agreement()
    skipped, renamed, original = [], [], 0.0
    with _RUNNERS[kind](folder, settings) as ask:
        for done, path in enumerate(photos, start=1):
            progress(done, len(photos), "photos")
            try:
                data = path.read_bytes()
                photo = decode_photo(data, name=str(path), long_side=reference.max_long_side)
            except (OSError, PhotoError) as error:
                skipped.append(f"{path}: {error}")
                continue
            if kind == "lambda" and len(data) > LAMBDA_PHOTO:
                skipped.append(f"{path} is larger than Lambda takes")
                continue
            if kind == "page":  # a browser decodes otherwise: it is given the library's pixels
                photo = replace(photo, scale=1.0)
                data = encode_png(photo.pixels)
            faces = reference.identify(photo)
            agreement.compare(str(path), faces, ask(data))
            if recognizer is not None:
                apart, names = _from_original(str(path), faces, recognizer.identify(photo))
                original = max(original, apart)
                renamed += names
    if isinstance(ask, RunningPage):
        agreement.disagreements += ask.amiss
    return Parity(
        kind,
        settings["weights"],
        agreement,
        None if recognizer is None else original,
        tuple(renamed),
        tuple(skipped),
    )


def settings_of(folder: Path) -> dict[str, Any]:
    """Return what a vessel says of itself.

    Raises:
        NotADeployment: the folder is none.
    """
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        if isinstance(settings, dict) and isinstance(settings["vessel"], str):
            return settings
    except (OSError, ValueError, KeyError) as error:
        raise _no_vessel(folder) from error
    raise _no_vessel(folder)


def _no_vessel(folder: Path) -> NotADeployment:
    return NotADeployment(
        f"{folder} is no vessel that Mien made, or is damaged",
        hint="Make it again with `mien deploy`.",
    )


def _reference(
    folder: Path, settings: Mapping[str, Any], recognizer: Recognizer | None
) -> Recognizer:
    if recognizer is not None:
        return recognizer.stored_as(cast("Form", settings["weights"]))
    model = _recognizer_of(folder, settings)
    if hashlib.sha256(model).hexdigest() != settings["sha256"]:
        raise NotADeployment(
            f"{folder}: the recognizer changed since the vessel was made",
            hint="Make it again with `mien deploy`.",
        )
    return Recognizer(model, name=f"{folder}/{RECOGNIZER}")


def _recognizer_of(folder: Path, settings: Mapping[str, Any]) -> bytes:
    try:
        if settings["vessel"] == "page":
            return page_model(folder, settings)
        if settings["vessel"] != "lambda":
            return (folder / RECOGNIZER).read_bytes()
        if settings["image"]:
            return (folder / "image" / RECOGNIZER).read_bytes()
        with zipfile.ZipFile(folder / "function.zip") as archive:
            return archive.read(RECOGNIZER)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise _no_vessel(folder) from error


def _from_original(
    name: str, faces: Sequence[Face], others: Sequence[Face]
) -> tuple[float, list[str]]:
    """Return how far similarities moved with the weights' form, and what is named otherwise."""
    if len(faces) != len(others):
        return 1.0, [f"{name}: {count(len(faces), 'face')}, not {len(others)}"]
    apart, renamed = 0.0, []
    for face, other in zip(faces, others, strict=True):
        ours = {candidate.name: candidate.similarity for candidate in face.candidates}
        theirs = {candidate.name: candidate.similarity for candidate in other.candidates}
        both = ours.keys() & theirs.keys()
        apart = max([apart, *(abs(ours[person] - theirs[person]) for person in both)])
        if face.name != other.name:
            renamed.append(f"{name}: {face.name}, not {other.name}")
    return apart, renamed
