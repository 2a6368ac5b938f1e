"""The dataset's card: contents, sources, and what was set aside and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from mien.dataset.curate import Curated
from mien.dataset.split import RULE
from mien.dataset.storage.decisions import Decisions
from mien.dataset.storage.entries import Entry, digest_of, write_manifest
from mien.dataset.storage.opened_dataset import FORMAT
from mien.policy.similarity_limits import NOT_CALIBRATED
from mien.text import count
from mien.version import __version__

REASONS = {
    "unreadable": "could not be read",
    "no-face": "no face found",
    "duplicate": "the same file as another photo",
    "near-duplicate": "a copy of another photo, mirrored, resized or saved again",
    "mislabelled": "likely another person",
    "low-quality": "too small, blurred or turned away",
    "dropped": "dropped by you",
}
"""Descriptions of the reasons for setting photos aside."""


UNCLEANED = (
    f"Cleaning by similarity is off: {NOT_CALIBRATED}. Copies are found where their bytes are the "
    "same; wrong labels and people under two names are not found. Of several faces in a photo the "
    "one that agrees best with the person's other photos is taken, even if it is another person "
    "of the dataset."
)
"""Warning on the card of a dataset whose embedder has no statistics for cleaning."""


def sides(entries: Sequence[Entry]) -> dict[str, int]:
    """Return the number of photos on each side of the split, and of those that are used."""
    found: dict[str, int] = {}
    for side in ("train", "validation"):
        own = [e for e in entries if e.split == side and not e.leak]
        found |= {side: len(own), f"{side}_used": sum(e.used for e in own)}
    return found


def describe(
    settings: Mapping[str, Any], entries: Sequence[Entry], curated: Curated, decisions: Decisions
) -> dict[str, Any]:
    """Return the content of `dataset.json`.

    Args:
        settings: the build's settings, from the ledger.
        entries: with the paths of their crops.
        curated: arrays and findings that belong to the entries.
        decisions: the user's decisions.
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
        "not_the_largest_face": curated.not_largest,
        "set_aside": dict(Counter(str(e.reason) for e in entries if not e.used).most_common()),
        "cleaning": {"by_similarity": curated.by_similarity},
        "warnings": [] if curated.by_similarity else [UNCLEANED],
        "merged_names": settings["merged"],
        "split": {
            **settings["split"],
            "rule": RULE,
            **sides(genuine),
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
        "statistics": settings.get("statistics"),
        "detection": settings["detection"],
        "margin": settings["margin"],
    }


def readme(card: Mapping[str, Any]) -> str:
    """Return the card as Markdown, for people to read."""
    split = card["split"]
    parts = [
        "# Dataset card",
        (
            f"{count(card['people'], 'person', 'people')}, {count(card['photos'], 'photo')}, "
            f"{count(card['used'], 'face')} used."
        ),
        _leak_warning(split),
        f"Made by Mien {card['mien']}, {card['made']}. Digest `{card['digest'][:16]}`.",
        "## Sources",
        _table(
            ("source", "where", "photos", "passed over"),
            [
                (s["label"], f"`{s['location']}`", f"{s['photos']:,}", _counts(s["skipped"]))
                for s in card["sources"]
            ],
        ),
        _merged(card["merged_names"]),
        "## Set aside",
        *(f"> **NOT CLEANED BY SIMILARITY.** {warning}" for warning in card["warnings"]),
        (
            "Nothing is deleted. The review page shows the doubtful photos with their evidence; "
            "a decision keeps or drops each of them."
        ),
        _table(
            ("reason", "photos", ""),
            [(reason, f"{n:,}", REASONS[reason]) for reason, n in card["set_aside"].items()],
        ),
        (
            f"Several faces: {count(card['photos_with_several_faces'], 'photo')}; in "
            f"{card['not_the_largest_face']:,} the person is not the largest."
        ),
        _same(card["same_person"]),
        "## Split",
        (
            f"{count(split['train'], 'photo')} on the training side, {split['train_used']:,} of "
            f"them used; {split['validation']:,} on the validation side, "
            f"{split['validation_used']:,} of them used; share {split['share']}, "
            f"seed {split['seed']}. {split['rule']}"
        ),
        "## Weights",
        f"Embeddings of {card['dimension']} dimensions, contract `{card['contract']}`.",
        _table(
            ("model", "licence", "trained on"),
            [
                (w["title"], f"[{w['licence']}]({w['licence_url']})", w["trained_on"])
                for w in card["weights"]
            ],
        ),
        "## Privacy",
        (
            "This folder holds pictures of faces (`crops/`, `ledger.sqlite`, pictures and pages) "
            "and embeddings, which are biometric data: they recognise a person. Many laws ask for "
            "consent before such data is made or kept. Keep the folder as safe as the photos, and "
            "delete it when it is no longer needed. A person whose photos are removed from the "
            "sources is removed from every file here by the next build, except `decisions.csv`."
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _leak_warning(split: Mapping[str, Any]) -> str:
    if not split["leaked"]:
        return ""
    return (
        f"> **LEAK.** {split['leaked']:,} validation entries are mirrored copies of training "
        "photos (`flip_singletons`). They exist to reproduce the original course's figure; a "
        "rate measured with them says nothing about new photos."
    )


def _merged(names: Sequence[str]) -> str:
    if not names:
        return ""
    some = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    return f"In several sources, each taken to be one person: {some}."


def _same(pairs: Sequence[Mapping[str, Any]]) -> str:
    if not pairs:
        return ""
    rows = [(" / ".join(p["people"]), p["evidence"]) for p in pairs[:50]]
    return "Likely one person under two names (not merged):\n\n" + _table(
        ("names", "evidence"), rows
    )


def _counts(skipped: Mapping[str, int]) -> str:
    return "; ".join(f"{reason}: {n:,}" for reason, n in skipped.items())


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "None."
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
