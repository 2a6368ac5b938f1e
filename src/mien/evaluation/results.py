"""Results as one JSON object, for other programs."""

from __future__ import annotations

from math import isfinite
from typing import Any

from mien.evaluation.lfw import LfwResult
from mien.evaluation.openset import OpenSetResult
from mien.evaluation.people import PeopleResult
from mien.types import Interval


def people_json(result: PeopleResult) -> dict[str, Any]:
    """Return the measurements of a recognizer; rates lie in [0, 1], unknown ones are None.

    `rank1` and `rank5` are over every held-out photo; `without_set_aside` has them for the rest.
    """
    every, clean = result.every, result.clean
    return {
        "rank1": _rate(every.rank1.value),
        "rank1_interval": _ends(every.rank1),
        "rank5": _rate(every.rank5.value),
        "rank5_interval": _ends(every.rank5),
        "probes": every.probes,
        "people": len(result.head.people),
        "without_set_aside": {
            "rank1": _rate(clean.rank1.value),
            "rank1_interval": _ends(clean.rank1),
            "rank5": _rate(clean.rank5.value),
            "probes": clean.probes,
        },
        "decisions": {
            "right": result.decisions.right,
            "unknown": result.decisions.unknown,
            "wrong": result.decisions.wrong,
        },
        "open_set": _open_set_json(result.open_set) if result.open_set else None,
        "ece": result.ece,
        "dataset": result.dataset_digest,
        "contract": result.head.contract,
        "notes": list(result.notes),
    }


def lfw_json(result: LfwResult) -> dict[str, Any]:
    """Return the measurements on pairs of LFW; rates lie in [0, 1]."""
    tar = {f"tar_at_far_1e-{i + 1}": point.tar for i, (point, _) in enumerate(result.at_far)}
    return {
        "accuracy": result.accuracy.value,
        "accuracy_se": result.standard_error,
        "tar_at_far_1e-3": tar.pop("tar_at_far_1e-3"),
        "pairs": len(result.scores),
        "missed": len(result.missed),
        "accuracy_interval": _ends(result.accuracy),
        **tar,
        "equal_error_rate": result.equal_error,
        "folds": list(result.folds),
        "thresholds": sorted(set(result.judged_at.tolist())),
        "rule": result.rule,
        "photos": result.photos,
        "missed_photos": list(result.missed),
        "contract": result.contract,
    }


def _open_set_json(openness: OpenSetResult) -> dict[str, Any]:
    at = openness.policy
    return {
        "fpir_target": openness.target,
        "fpir": _rate(at.fpir.value),
        "fpir_interval": _ends(at.fpir),
        "fpir_interval_over_people": _ends(openness.fpir_people),
        "dir": _rate(at.dir.value),
        "dir_interval": _ends(at.dir),
        "gallery": openness.gallery,
        "probes": openness.probes,
        "strangers": openness.strangers,
        "stranger_people": openness.stranger_people,
        "protocol": openness.protocol,
        "threshold": at.threshold,
        "halves": [
            {
                "threshold": half.threshold,
                "fpir": _rate(half.fpir.value),
                "fpir_interval": _ends(half.fpir),
                "dir": _rate(half.dir.value),
            }
            for half in openness.halves
        ],
    }


def _rate(value: float) -> float | None:
    return value if isfinite(value) else None


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
