"""Which photos are taken: what was seen in one, and what speaks against enrolling it.

Every "no" comes with its evidence, and most can be overruled with force by somebody who looked.
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
    """Return what is seen of the one face of a photo that is to be enrolled.

    Of several faces it is the one that agrees with the person's other photos; else the one that
    is the photo's subject (`subject_of`); else the photo is refused.

    Args:
        engine: the models.
        photo: read at `engine.max_long_side` or larger.
        near: (D,) float32 unit row, the person's prototype; None for somebody new.
        force: take the most prominent face where nothing tells which it is.

    Raises:
        NoFace: no face is found.
        EnrolmentRefused: several faces, and nothing tells which is meant; `evidence` has them.
    """
    found = engine.detect(photo)
    if not len(found):
        raise NoFace(f"no face found in {photo.name}", hint=SELDOM_FOUND)
    crops = engine.align(photo, found)
    chosen = _chosen(engine, photo, found, crops, near, force=force)
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
    """Return what is seen of one face that has been cut out.

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


def _chosen(
    engine: FaceEngine,
    photo: Photo,
    found: Detections,
    crops: NDArray[np.uint8],
    near: NDArray[np.float32] | None,
    *,
    force: bool,
) -> int:
    """Return the index of the face that is meant."""
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
        f"{photo.name} shows {count(len(found), 'face')}, and nothing tells which is meant",
        hint="Cut the photo to one face, or enrol one that shows the person alone first.",
        reason="several-faces",
        evidence={"faces": faces},
    )


def subject_of(boxes: NDArray[np.float32], width: int, height: int) -> int | None:
    """Return the face that a photo was taken of, or None where that is not plain.

    It is the most prominent by size and place, and much larger than any other.

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
    sighting: FaceSample,
    row: int | None,
    elder: tuple[NDArray[np.float32], int] | None,
    least: float | None,
) -> Objection | None:
    """Return what speaks most against enrolling a sighting as a person, or None.

    Args:
        index: the gallery as it stands.
        answer: who the gallery takes the face for.
        sighting: what was seen.
        row: of the person in the index; None for somebody without photos.
        elder: prototype of the photos that a newcomer has to agree with, and their number; None
            for somebody without photos.
        least: similarity to that prototype from which a face is the person's; None where it is
            not calibrated: then nothing is compared with it.
    """
    if sighting.doubt:
        evidence = {name: round(value, 3) for name, value in sighting.measures.items()}
        return Objection("low-quality", f"a poor picture: {sighting.doubt}", evidence)
    own = None if row is None else float(index.people.prototypes[row] @ sighting.embedding)
    rejected = contradicted(index, sighting.embedding, row)
    if row is not None and rejected.any():
        highest = float((sighting.embedding @ index.negatives[:, rejected]).max())
        return Objection(
            "rejected-before",
            f"somebody said of a face like this ({highest:.2f}) that it is not "
            f"{index.names[row]} ({own:.2f})",
            {"rejected_similarity": round(highest, 4), "own_similarity": _rounded(own)},
        )
    if answer.known and (row is None or answer.person_id != index.ids[row]):
        return _like_somebody_else(answer, own)
    if elder is not None and row is not None and least is not None:
        similarity = float(elder[0] @ sighting.embedding)
        return _unlike_elder(similarity, elder[1], index.names[row], least)
    return None


def _unlike_elder(similarity: float, photos: int, name: str, least: float) -> Objection | None:
    if similarity >= least:
        return None
    first = "the first photo" if photos == 1 else f"the first {photos} photos"
    return Objection(
        "disagrees",
        f"similarity {similarity:.2f} to {first} of {name}, least {least:.2f}",
        {"own_similarity": _rounded(similarity), "least": _rounded(least), "photos": photos},
    )


def _like_somebody_else(answer: Answer, own: float | None) -> Objection:
    best = answer.candidates[0]
    instead = "" if own is None else f", {own:.2f} to this person's other photos"
    return Objection(
        "like-somebody-else",
        f"the gallery takes this face for {best.name}: similarity {best.similarity:.2f}{instead}",
        {
            "person": best.person_id,
            "name": best.name,
            "similarity": round(best.similarity, 4),
            "probability": round(best.probability, 4),
            "false_positive_rate": answer.false_positive_rate,
            "own_similarity": _rounded(own),
        },
    )


def contradicted(
    index: Index, embedding: NDArray[np.float32], row: int | None
) -> NDArray[np.bool_]:
    """Return (N,) which rejected faces say that a face is not of a person."""
    if row is None:
        return np.zeros(len(index.negative_of), np.bool_)
    own = index.people.prototypes[row] @ embedding
    result: NDArray[np.bool_] = (index.negative_of == row) & (embedding @ index.negatives >= own)
    return result


def _rounded(similarity: float | None) -> float | None:
    return None if similarity is None else round(similarity, 4)
