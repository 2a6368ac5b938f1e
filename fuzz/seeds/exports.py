"""Small gallery exports, as files and as members between marks."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from fuzz.targets.exports import MARK, MEMBERS, packed

_TIME = "2026-01-02T03:04:05+00:00"


def seeds() -> Mapping[str, bytes]:
    """Return the inputs by file name."""
    one = [_person("Ada", 1)]
    usual = _members(one)
    two = _members([_person("Ada", 2, negatives=1), _person("Zoë", 1, consent="yes")])
    rows = {"measured_on": "", "template_photos": [1], "similarity": [[0.2, 0.3]]}
    statistics = {
        "impostors": {**rows, "false_match_rate": [0.1, 0.01]},
        "genuine": {**rows, "false_non_match_rate": [0.1, 0.2]},
    }
    return {
        "usual.members": usual,
        "two.members": two,
        "nobody.members": _members([]),
        "crops.members": _members(one, thumbnails=True) + MARK + b"\xff\xd8\xff crop",
        "statistics.members": _members(one, origin={"statistics": statistics}),
        "early.members": _members(one, origin={"statistics": statistics["impostors"]}),
        "twins.members": _members([_person("Ada", 1), _person("ada", 1)]),
        "newer.members": _members(one, format=9),
        "names.members": _members([_person("\ud800", 1, consent="\ud800")]),
        "usual.zip": packed(usual),
        "deflated.zip": _deflated(two),
        "sealed.bin": b"Mien gallery, sealed, 1\n" + bytes(64),
        "cut.zip": packed(usual)[:99],
        "no-list.zip": packed(b""),
    }


def _person(name: str, photos: int, *, negatives: int = 0, consent: str = "") -> dict[str, Any]:
    photo = {"quality": 0.9, "sha256": "", "source": "a.jpg", "added": _TIME, "forced": ""}
    return {
        "id": f"{sum(map(ord, name)):012x}", "name": name, "consent": consent,
        "source": "", "created": _TIME, "negatives": negatives, "photos": [photo] * photos,
    }  # fmt: skip


def _members(
    people: list[dict[str, Any]], *, origin: Mapping[str, Any] | None = None, **more: Any
) -> bytes:
    """Return the members of an export with embeddings of two numbers."""
    described = {
        "contract": "c", "dimension": 2, "embedder": "e", "detector": "d", "detection": {},
        "statistics": None, **(origin or {}),
    }  # fmt: skip
    card = {
        "format": 1, "mien": "0.1.0", "origin": described, "rate": 0.01, "thumbnails": False,
        "people": people, **more,
    }  # fmt: skip
    photos = sum(len(person["photos"]) for person in people)
    rejected = sum(person["negatives"] for person in people)
    parts = [
        json.dumps(card, separators=(",", ":")).encode(),
        np.tile(np.array([1, 0], "<f4"), 2 * photos).tobytes(),
        np.tile(np.array([0, 1], "<f4"), rejected).tobytes(),
    ]
    return MARK.join(parts)


def _deflated(members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in zip(MEMBERS, members.split(MARK), strict=False):
            archive.writestr(zipfile.ZipInfo(name), member, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
