"""The dataset's card: what is in it, where from, what was set aside and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mien import __version__
from mien.dataset.curate import Curated
from mien.dataset.decisions import Decisions
from mien.dataset.manifest import FORMAT, Entry, digest_of, write_manifest
from mien.dataset.split import RULE

REASONS = {
    "unreadable": "could not be read",
    "no-face": "show no face that was found",
    "duplicate": "are exact copies",
    "near-duplicate": "are copies, mirrored, resized or saved again",
    "mislabelled": "likely show somebody else",
    "low-quality": "are too small, blurred or turned away",
    "dropped": "were dropped by you",
}


def describe(
    settings: Mapping[str, Any], entries: Sequence[Entry], curated: Curated, decisions: Decisions
) -> dict[str, Any]:
    """Return `dataset.json`.

    Args:
        settings: of the build.
        entries: with their crops named.
        curated: what they were made of.
        decisions: the user's.
    """
    faces = [e for e in entries if e.row >= 0]
    ids = {e.row: e.id for e in faces}
    genuine = [e for e in faces if not e.leak]
    train = {e.person for e in genuine if e.used and e.split == "train"}
    return {
        "format": FORMAT,
        "mien": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "digest": digest_of(write_manifest(entries), curated.embeddings),
        "contract": settings["contract"],
        "dimension": int(curated.embeddings.shape[1]),
        "photos": sum(not e.leak for e in entries),
        "faces": len(genuine),
        "used": sum(e.used for e in genuine),
        "people": len({e.person for e in genuine}),
        "people_to_train_on": len(train),
        "photos_with_several_faces": sum(e.faces > 1 for e in genuine),
        "not_the_largest_face": curated.groups_resolved,
        "set_aside": dict(Counter(str(e.reason) for e in entries if not e.used).most_common()),
        "merged_names": settings["merged"],
        "split": {
            **settings["split"],
            "rule": RULE,
            "train": sum(e.split == "train" for e in genuine),
            "validation": sum(e.split == "validation" for e in genuine),
            "leaked": len(faces) - len(genuine),
        },
        "same_person": [
            {
                "people": list(pair.people),
                "similarity": round(pair.similarity, 4),
                "evidence": pair.evidence,
                "entries": [ids[row] for row in pair.rows],
            }
            for pair in curated.doubts.same
        ],
        "compared_with": {
            ids[row]: ids[doubt.other]
            for row, doubt in curated.doubts.rows.items()
            if doubt.other >= 0
        },
        "decisions": len(decisions.entries) + len(decisions.pairs),
        "sources": settings["sources"],
        "weights": settings["weights"],
        "detection": settings["detection"],
        "margin": settings["margin"],
    }


def readme(card: Mapping[str, Any]) -> str:
    """Return the card for people to read, as Markdown."""
    return f"# {card['people']} people\n"
