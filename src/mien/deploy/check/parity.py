"""Parity check: compare a deployment's answers with the library's."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from mien.deploy.check.runners import Ask, running_app, running_lambda
from mien.deploy.check.running_page import RunningPage, page_model, running_page
from mien.deploy.packaging.digests import check_digests
from mien.deploy.packaging.sizes import LAMBDA_PHOTO
from mien.deploy.service.core import (
    RECOGNIZER,
    SETTINGS,
    deployment_fields,
    deployment_kind,
)
from mien.errors import NotADeployment, PhotoError
from mien.photo import decode_photo, encode_png
from mien.recognizer import Recognizer
from mien.text import count
from mien.types import Face, Progress, silent

if TYPE_CHECKING:
    from mien.graph.storage_form import Form

SIMILARITY = 1e-3
PIXELS = 1.0
"""Largest allowed differences of similarities and of box coordinates in pixels."""

Runner = Callable[[Path, Mapping[str, Any]], AbstractContextManager[Ask]]

_RUNNERS: dict[str, Runner] = {
    "lambda": running_lambda,
    "app": running_app,
    "page": running_page,
}


@dataclass(slots=True)
class Agreement:
    """Differences between a deployment's answers and the library's.

    Both sides are compared as JSON: boxes with one decimal, similarities with four.

    Attributes:
        photos: how many photos were compared.
        faces: how many faces the library found in them.
        similarity: the largest difference of a similarity.
        pixels: the largest difference of a box coordinate.
        disagreements: one sentence per disagreement.
    """

    photos: int = 0
    faces: int = 0
    similarity: float = 0.0
    pixels: float = 0.0
    disagreements: list[str] = field(default_factory=list)

    def compare(self, name: str, faces: Sequence[Face], answer: Mapping[str, Any]) -> None:
        """Compare the library's faces of a photo with a deployment's answer."""
        self.photos += 1
        self.faces += len(faces)
        rows = answer["faces"]
        if rows is None:
            self.disagreements.append(f"{name}: the deployment reports: {answer['error']}")
        elif len(rows) != len(faces):
            found = count(len(rows), "face")
            self.disagreements.append(
                f"{name}: the deployment finds {found}, the library {len(faces)}"
            )
        else:
            for number, (face, row) in enumerate(zip(faces, rows, strict=True), start=1):
                where = f"{name}, face {number}"
                self.disagreements += self._differences(where, face.to_dict(), row)

    def _differences(
        self, where: str, expected: Mapping[str, Any], row: Mapping[str, Any]
    ) -> Iterator[str]:
        if row["name"] != expected["name"]:
            yield f"{where}: the deployment names {row['name']}, the library {expected['name']}"
        pixels = float(np.abs(np.array(row["box"]) - np.array(expected["box"])).max())
        self.pixels = max(self.pixels, pixels)
        if pixels > PIXELS:
            yield f"{where}: the boxes are {pixels:.1f} pixels apart"
        ours, theirs = _similarities(expected), _similarities(row)
        # People with equal similarities at the end of the list may differ: only common ones count.
        common = ours.keys() & theirs.keys()
        difference = max((abs(ours[person] - theirs[person]) for person in common), default=1.0)
        self.similarity = max(self.similarity, difference)
        if difference > SIMILARITY or len(ours) != len(theirs):
            yield f"{where}: similarities are {difference:.4f} apart"


def _similarities(face: Mapping[str, Any]) -> dict[str, float]:
    return {candidate["name"]: candidate["similarity"] for candidate in face["candidates"]}


@dataclass(frozen=True, slots=True)
class Parity:
    """Result of a parity check.

    Attributes:
        deployment: its kind: lambda, app or page.
        weights: the form in which it stores the weights.
        agreement: comparison with the library, which runs the same weights.
        original: largest difference of a similarity between the recognizer given and the stored
            form of its weights, both run by the library; None where no recognizer was given.
        renamed: faces that the recognizer given names differently.
        skipped: photos that cannot be read or cannot be sent to the deployment.
        added: files in the folder that were not there when the deployment was made.
    """

    deployment: str
    weights: str
    agreement: Agreement
    original: float | None
    renamed: tuple[str, ...]
    skipped: tuple[str, ...]
    added: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), **deployment_fields(self.deployment)}


def check_deployment(
    folder: Path,
    photos: Sequence[Path],
    recognizer: Recognizer | None = None,
    progress: Progress = silent,
) -> Parity:
    """Run a deployment on this machine and compare it with the library on some photos.

    First every file is compared with its digest.

    Args:
        folder: written by `deploy_lambda`, `deploy_app` or `deploy_page`.
        photos: the photos to compare on.
        recognizer: the recognizer that it was made of. Without it the library runs the
            deployment's own file, after a check of its digest.
        progress: called before each photo.

    Raises:
        NotADeployment: the folder is not a deployment, is damaged or does not start, or a file
            of it was changed.
        CheckImpossible: this machine cannot run it.
    """
    folder = folder.resolve()
    settings = settings_of(folder)
    # Version 0.1.0 wrote no digests.
    added = check_digests(folder) if "digests" in settings else ()
    kind = deployment_kind(settings)
    if kind not in _RUNNERS:
        raise NotADeployment(f"{folder} is a deployment of an unknown kind: {kind}")
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
                skipped.append(f"{path} is larger than Lambda allows")
                continue
            if kind == "page":  # browsers decode JPEGs differently: send the library's pixels
                photo = replace(photo, scale=1.0)
                data = encode_png(photo.pixels)
            faces = reference.identify(photo)
            agreement.compare(str(path), faces, ask(data))
            if recognizer is not None:
                difference, names = _from_original(str(path), faces, recognizer.identify(photo))
                original = max(original, difference)
                renamed += names
    if isinstance(ask, RunningPage):
        agreement.disagreements += ask.problems
    return Parity(
        kind,
        settings["weights"],
        agreement,
        None if recognizer is None else original,
        tuple(renamed),
        tuple(skipped),
        added,
    )


def settings_of(folder: Path) -> dict[str, Any]:
    """Return a deployment's settings file.

    Raises:
        NotADeployment: the folder is not a deployment.
    """
    try:
        settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _not_a_deployment(folder) from error
    if deployment_kind(settings) is None:
        raise _not_a_deployment(folder)
    return settings


def _not_a_deployment(folder: Path) -> NotADeployment:
    return NotADeployment(
        f"{folder} is not a deployment made by Mien, or is damaged",
        hint="Make it again.",
        code="deployment-damaged",
    )


def _reference(
    folder: Path, settings: Mapping[str, Any], recognizer: Recognizer | None
) -> Recognizer:
    if recognizer is not None:
        return recognizer.stored_as(cast("Form", settings["weights"]))
    model = _recognizer_of(folder, settings)
    if hashlib.sha256(model).hexdigest() != settings["sha256"]:
        raise NotADeployment(
            f"{folder}: the recognizer changed since the deployment was made",
            hint="Make it again.",
            code="deployment-changed",
        )
    return Recognizer(model, name=f"{folder}/{RECOGNIZER}")


def _recognizer_of(folder: Path, settings: Mapping[str, Any]) -> bytes:
    kind = deployment_kind(settings)
    try:
        if kind == "page":
            return page_model(folder, settings)
        if kind != "lambda":
            return (folder / RECOGNIZER).read_bytes()
        if settings["image"]:
            return (folder / "image" / RECOGNIZER).read_bytes()
        with zipfile.ZipFile(folder / "function.zip") as archive:
            return archive.read(RECOGNIZER)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise _not_a_deployment(folder) from error


def _from_original(
    name: str, faces: Sequence[Face], others: Sequence[Face]
) -> tuple[float, list[str]]:
    """Return the largest change of a similarity by the form of the weights, and changed names."""
    if len(faces) != len(others):
        return 1.0, [f"{name}: {count(len(faces), 'face')}, not {len(others)}"]
    difference, renamed = 0.0, []
    for face, other in zip(faces, others, strict=True):
        ours = {candidate.name: candidate.similarity for candidate in face.candidates}
        theirs = {candidate.name: candidate.similarity for candidate in other.candidates}
        common = ours.keys() & theirs.keys()
        difference = max([difference, *(abs(ours[person] - theirs[person]) for person in common)])
        if face.name != other.name:
            renamed.append(f"{name}: {face.name}, not {other.name}")
    return difference, renamed
