"""Enrolment checks: extract a face sample from a photo, and find objections to enrolling it.

Every refusal states its evidence. A user who has looked at the photo can overrule most of them with
`force`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.dataset.cleaning.face_choice import prominence
from mien.engine import FaceEngine
from mien.errors import SELDOM_FOUND, EnrolmentRefused, NoFace
from mien.gallery.index import Index
from mien.gallery.values import FaceSample, Reason
from mien.photo import encode_jpeg
from mien.policy.similarity_limits import unlike_own
from mien.quality import faults, measure
from mien.text import count
from mien.types import Answer, Detections, Photo

SUBJECT = 1.5
"""The photo's subject has a box of this many times the side of any other face's."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a photo should not be enrolled.

    Attributes:
        reason: the kind.
        detail: in words.
        evidence: in numbers and names, as JSON.
    """

    reason: Reason
    detail: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


def extract_sample(
    engine: FaceEngine,
    photo: Photo,
    *,
    near: NDArray[np.float32] | None = None,
    force: bool = False,
) -> FaceSample:
    """Return a face sample of the person to enrol.

    Of several faces, it takes the one that agrees with the person's other photos; else the photo's
    subject (`subject_of`); else the photo is refused.

    Args:
        engine: the models.
        photo: read at `engine.max_long_side` or larger.
        near: (D,) float32 unit row, the person's prototype; None for a new person.
        force: take the most prominent face where it is not clear which one to take.

    Raises:
        NoFace: no face is found.
        EnrolmentRefused: several faces, and it is not clear which one to take; `evidence` lists
            them.
    """
    found = engine.detect(photo)
    if not len(found):
        raise NoFace(f"no face found in {photo.name}", hint=SELDOM_FOUND)
    crops = engine.align(photo, found)
    chosen = _choose_face(engine, photo, found, crops, near, force=force)
    return sample_of(
        engine,
        crops[chosen],
        found.points[chosen],
        scale=photo.scale,
        sha256=photo.sha256,
        source=photo.name,
    )


def sample_of(
    engine: FaceEngine,
    crop: NDArray[np.uint8],
    points: NDArray[np.float32],
    *,
    scale: float,
    sha256: str,
    source: str,
) -> FaceSample:
    """Return a face sample of an aligned crop.

    Args:
        engine: the models.
        crop: (112, 112, 3) uint8 RGB, aligned.
        points: (5, 2) float32 in pixels of the photo as it was read.
        scale: side of the photo as read over the side of the full photo.
        sha256: hex digest of the photo's bytes.
        source: where the photo came from.
    """
    vectors = engine.embed(np.stack([crop, crop[:, ::-1]])).vectors
    quality = measure(points, crop, scale=scale)
    return FaceSample(
        embedding=vectors[0],
        mirrored=vectors[1],
        contract=engine.contract,
        quality=quality.overall,
        sha256=sha256,
        source=source,
        doubt=faults(quality.size, quality.blur, quality.yaw),
        measures={"size": quality.size, "blur": quality.blur, "yaw": quality.yaw},
        crop=encode_jpeg(crop),
    )


def _choose_face(
    engine: FaceEngine,
    photo: Photo,
    found: Detections,
    crops: NDArray[np.uint8],
    near: NDArray[np.float32] | None,
    *,
    force: bool,
) -> int:
    """Return the index of the face to enrol."""
    if len(found) == 1:
        return 0
    similarity = None
    if near is not None:
        similarity = engine.embed(crops).vectors @ near
        least = unlike_own(engine.statistics)
        if least is not None and similarity.max() >= least:
            return int(np.argmax(similarity))
    weight = prominence(found.boxes, photo.width, photo.height)
    order = np.argsort(-weight, kind="stable")
    subject = int(order[0]) if force else subject_of(found.boxes, photo.width, photo.height)
    if subject is not None:
        return subject
    faces = [
        {
            "box": [round(float(side) / photo.scale, 1) for side in found.boxes[row]],
            "score": round(float(found.scores[row]), 3),
            **({} if similarity is None else {"similarity": round(float(similarity[row]), 3)}),
        }
        for row in order.tolist()
    ]
    raise EnrolmentRefused(
        f"{photo.name} shows {count(len(found), 'face')}, and it is not clear which one to enrol",
        hint="Cut the photo to one face, or enrol one that shows the person alone first.",
        reason="several-faces",
        evidence={"faces": faces},
    )


def subject_of(boxes: NDArray[np.float32], width: int, height: int) -> int | None:
    """Return the index of the face that is a photo's subject, or None where that is not clear.

    The subject is the most prominent face by size and place, and much larger than any other.

    Args:
        boxes: (F, 4) float32 xyxy.
        width: of the photo, in the same pixels.
        height: of the photo.
    """
    sides = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    first = int(np.argmax(prominence(boxes, width, height)))
    rest = np.delete(sides, first)
    return first if sides[first] >= SUBJECT * rest.max(initial=0) else None


def find_objection(
    index: Index,
    answer: Answer,
    sample: FaceSample,
    row: int | None,
    early: tuple[NDArray[np.float32], int] | None,
    least: float | None,
) -> Objection | None:
    """Return the strongest objection to enrolling a face sample as a person, or None.

    Args:
        index: of the gallery before the change.
        answer: of the gallery for the face.
        sample: to enrol.
        row: of the person in the index; None for a person without photos.
        early: prototype of the photos that a new photo has to agree with, and their number; None
            for a person without photos.
        least: similarity to that prototype from which a face is the person's; None where it is
            not calibrated: then nothing is compared with it.
    """
    if sample.doubt:
        evidence = {name: round(value, 3) for name, value in sample.measures.items()}
        return Objection("low-quality", f"low quality: {sample.doubt}", evidence)
    own = None if row is None else float(index.people.prototypes[row] @ sample.embedding)
    rejected = contradicting_rejections(index, sample.embedding, row)
    if row is not None and rejected.any():
        highest = float((sample.embedding @ index.negatives[:, rejected]).max())
        return Objection(
            "rejected-before",
            f"a similar face (similarity {highest:.2f}) was rejected as {index.names[row]}; "
            f"similarity to {index.names[row]} {own:.2f}",
            {"rejected_similarity": round(highest, 4), "own_similarity": _rounded(own)},
        )
    if answer.known and (row is None or answer.person_id != index.ids[row]):
        return _like_another(answer, own)
    if early is not None and row is not None and least is not None:
        similarity = float(early[0] @ sample.embedding)
        return _unlike_early(similarity, early[1], index.names[row], least)
    return None


def _unlike_early(similarity: float, photos: int, name: str, least: float) -> Objection | None:
    if similarity >= least:
        return None
    first = "the first photo" if photos == 1 else f"the first {photos} photos"
    return Objection(
        "disagrees",
        f"similarity {similarity:.2f} to {first} of {name}, least {least:.2f}",
        {"own_similarity": _rounded(similarity), "least": _rounded(least), "photos": photos},
    )


def _like_another(answer: Answer, own: float | None) -> Objection:
    best = answer.candidates[0]
    instead = "" if own is None else f", {own:.2f} to this person's other photos"
    return Objection(
        "like-somebody-else",
        f"the gallery identifies this face as {best.name}: similarity "
        f"{best.similarity:.2f}{instead}",
        {
            "person": best.person_id,
            "name": best.name,
            "similarity": round(best.similarity, 4),
            "probability": round(best.probability, 4),
            "false_positive_rate": answer.false_positive_rate,
            "own_similarity": _rounded(own),
        },
    )


def contradicting_rejections(
    index: Index, embedding: NDArray[np.float32], row: int | None
) -> NDArray[np.bool_]:
    """Return (N,) bool: by which rejected faces a face is not a person's."""
    if row is None:
        return np.zeros(len(index.negative_of), np.bool_)
    own = index.people.prototypes[row] @ embedding
    result: NDArray[np.bool_] = (index.negative_of == row) & (embedding @ index.negatives >= own)
    return result


def _rounded(similarity: float | None) -> float | None:
    return None if similarity is None else round(similarity, 4)
