"""Results as one JSON object, for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from mien.dataset import Dataset
from mien.evaluation.identification.held_out import PeopleResult
from mien.evaluation.open_set.metrics import OpenSetResult
from mien.evaluation.open_set.protocols import OpenSetTable
from mien.evaluation.verification.all_pairs import AllPairsResult
from mien.evaluation.verification.lfw import LfwResult
from mien.evaluation.verification.pair_list import PairListResult
from mien.evaluation.verification.score_pairs import ScoredPairs
from mien.types import Interval


def people_json(result: PeopleResult) -> dict[str, Any]:
    """Return the measurements of a recognizer; rates lie in [0, 1], unknown ones are None.

    `rank1` and `rank5` are over every held-out photo; `without_set_aside` has them for the rest.
    """
    every, usable = result.all_probes, result.usable_probes
    return {
        "rank1": _rate(every.rank1.value),
        "rank1_interval": _ends(every.rank1),
        "rank5": _rate(every.rank5.value),
        "rank5_interval": _ends(every.rank5),
        "probes": every.probes,
        "people": len(result.head.people),
        "without_set_aside": {
            "rank1": _rate(usable.rank1.value),
            "rank1_interval": _ends(usable.rank1),
            "rank5": _rate(usable.rank5.value),
            "probes": usable.probes,
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
        "notes": list(result.caveats),
    }


def lfw_json(result: LfwResult) -> dict[str, Any]:
    """Return the measurements on pairs of LFW; rates lie in [0, 1]."""
    return _pairs_json(result)


def list_json(result: PairListResult) -> dict[str, Any]:
    """Return the measurements on the pairs of a list; rates lie in [0, 1]."""
    return {**_pairs_json(result), "people": result.people}


def all_pairs_json(result: AllPairsResult) -> dict[str, Any]:
    """Return the measurements over all pairs; rates lie in [0, 1].

    The intervals come from resampling people; None where they were not computed.
    """
    return {
        "photos": result.photos,
        "people": result.people,
        "genuine": result.genuine.total,
        "impostor": result.impostor.total,
        "at_far": [
            {
                "far": at.far,
                "tar": at.point.tar,
                "tar_interval": _ends(at.interval) if at.interval else None,
                "threshold": at.point.threshold,
            }
            for at in result.at_far
        ],
        "equal_error_rate": result.equal_error,
        "error_versus_reject": [
            {"rejected": p.rejected, "quality": p.quality, "fnmr": p.error.value}
            for p in result.rejects
        ],
        "dataset": result.dataset_digest,
        "contract": result.contract,
    }


def open_set_json(rows: Sequence[OpenSetTable], protocol: str, dataset: Dataset) -> dict[str, Any]:
    """Return the measurements of open sets; rates lie in [0, 1], intervals are over people."""
    return {
        "protocol": protocol,
        "dataset": dataset.digest,
        "contract": dataset.contract,
        "rows": [
            {
                "name": row.name,
                "people": row.people,
                "photos_each": row.photos,
                "probes": row.probes,
                "strangers": row.strangers,
                "draws": row.draws,
                "rank1": row.rank1.value,
                "rank1_interval": _ends(row.rank1),
                "cmc": list(row.cmc),
                "open_set": [
                    {
                        "fpir_target": rate.target,
                        "dir": rate.dir.value,
                        "dir_interval": _ends(rate.dir),
                        "fnir": 1 - rate.dir.value,
                        "fpir": rate.fpir.value,
                        "fpir_interval": _ends(rate.fpir),
                        "thresholds": list(rate.thresholds),
                        "development_people": rate.strangers,
                    }
                    for rate in row.rates
                ],
            }
            for row in rows
        ],
    }


def _pairs_json(result: LfwResult | PairListResult) -> dict[str, Any]:
    found = scored_json(result.scored)
    first = ("accuracy", "accuracy_se", "tar_at_far_1e-3", "pairs")
    return {
        **{name: found[name] for name in first},
        "missed": len(result.missed),
        **found,
        "photos": result.photos,
        "missed_photos": list(result.missed),
        "contract": result.contract,
    }


def scored_json(scored: ScoredPairs) -> dict[str, Any]:
    """Return the measurements on pairs; rates lie in [0, 1].

    The intervals of true accept rates come from resampling people.
    """
    rates: dict[str, Any] = {}
    for i, ((point, _), interval) in enumerate(zip(scored.at_far, scored.tar_people, strict=True)):
        rates[f"tar_at_far_1e-{i + 1}"] = point.tar
        rates[f"tar_at_far_1e-{i + 1}_interval"] = _ends(interval)
    return {
        "accuracy": scored.accuracy.value,
        "accuracy_se": scored.standard_error,
        "accuracy_interval": _ends(scored.accuracy),
        **rates,
        "equal_error_rate": scored.equal_error,
        "pairs": len(scored.scores),
        "folds": list(scored.folds),
        "thresholds": sorted(set(scored.thresholds.tolist())),
        "rule": scored.rule,
    }


def _open_set_json(open_set: OpenSetResult) -> dict[str, Any]:
    at = open_set.policy
    return {
        "fpir_target": open_set.target,
        "fpir": _rate(at.fpir.value),
        "fpir_interval": _ends(at.fpir),
        "fpir_interval_over_people": _ends(open_set.fpir_people),
        "dir": _rate(at.dir.value),
        "dir_interval": _ends(at.dir),
        "gallery": open_set.gallery,
        "probes": open_set.probes,
        "strangers": open_set.strangers,
        "stranger_people": open_set.stranger_people,
        "protocol": open_set.protocol,
        "threshold": at.threshold,
        "halves": [
            {
                "threshold": half.threshold,
                "fpir": _rate(half.fpir.value),
                "fpir_interval": _ends(half.fpir),
                "dir": _rate(half.dir.value),
            }
            for half in open_set.halves
        ],
    }


def _rate(value: float) -> float | None:
    return value if isfinite(value) else None


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
