"""Caveats: what limits the measurements of a recognizer."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mien.dataset import Dataset
from mien.evaluation.identification.probes import (
    ProbeSet,
    gallery_index,
    search_probes,
    select_probes,
)
from mien.evaluation.identification.search import STRANGER, ProbeSearch
from mien.evaluation.open_set.metrics import OpenSetResult
from mien.measures import rank_k
from mien.text import Notice, count, percent, span
from mien.training import possible_duplicates
from mien.types import Head, Policy

FEW = 100
"""With fewer probes than this, a caveat points to the intervals."""


def find_caveats(
    head: Head,
    dataset: Dataset,
    *,
    probes: ProbeSet,
    found: ProbeSearch,
    trained_on: str,
    strangers: Dataset | None,
    open_set: OpenSetResult | None,
) -> tuple[Notice, ...]:
    """Return the limits of the measurements.

    Args:
        head: of the recognizer.
        dataset: the dataset that it was measured on.
        probes: held-out photos of people in the gallery.
        found: search results of the probes.
        trained_on: digest of the dataset that the recognizer was trained on; empty if unknown.
        strangers: the dataset of strangers, or None.
        open_set: the measurements on strangers, or None.
    """
    return (
        *_of_dataset(head, dataset, probes, trained_on),
        *_of_leaks(head, dataset, found),
        *_of_strangers(head, dataset, strangers, open_set),
    )


def _of_dataset(
    head: Head, dataset: Dataset, probes: ProbeSet, trained_on: str
) -> Iterator[Notice]:
    if trained_on and trained_on != dataset.digest:
        yield Notice(
            "other-training-dataset",
            f"The recognizer was trained on another dataset ({trained_on[:12]}) than this one"
            f" ({dataset.digest[:12]}): photos held out here may be training photos there, and the"
            " rates may be too high.",
            {"trained_on": trained_on, "dataset": dataset.digest},
        )
    known = gallery_index(dataset, head)[dataset.labels] != STRANGER
    unknown = int(np.sum(dataset.validation & ~known))
    if unknown:
        yield Notice(
            "unknown-people-left-out",
            f"Not used as probes: {count(unknown, 'held-out photo')} of people that the recognizer"
            " does not know.",
            {"photos": unknown},
        )
    if len(probes) < FEW:
        yield Notice(
            "few-probes",
            f"Few photos were held out ({len(probes)}): read the intervals with the rates.",
            {"photos": len(probes)},
        )


def _of_leaks(head: Head, dataset: Dataset, found: ProbeSearch) -> Iterator[Notice]:
    known = gallery_index(dataset, head)[dataset.labels] != STRANGER
    leaks = known & np.array([entry.leak for entry in dataset.rows], np.bool_)
    if leaks.any():
        leaked = search_probes(head, select_probes(dataset, leaks, head))
        ranks = np.concatenate([found.ranks, leaked.ranks])
        yield Notice(
            "leaks-left-out",
            f"Not used as probes: {count(len(leaked), 'held-out photo')} mirrored from training"
            " photos, which is a leak. Counted, rank-1 would be"
            f" {percent(rank_k(ranks, 1).value)}.",
            {"photos": len(leaked)},
        )


def _of_strangers(
    head: Head, dataset: Dataset, strangers: Dataset | None, open_set: OpenSetResult | None
) -> Iterator[Notice]:
    inside = int(np.sum(gallery_index(strangers, head) != STRANGER)) if strangers else 0
    if inside:
        yield Notice(
            "known-strangers-left-out",
            f"The recognizer knows {count(inside, 'person', 'people')} of the dataset of"
            " strangers by name. They are not counted as strangers.",
            {"people": inside},
        )
    if open_set is None:
        return
    if open_set.protocol == "left-out":
        twice = int(possible_duplicates(dataset, head.people).sum())
        if twice:
            yield Notice(
                "second-names-left-out",
                f"The dataset's card lists {count(twice, 'person', 'people')} who may be in the"
                " gallery under two names. Left out under one name they are still in the gallery,"
                " so they are not counted as strangers.",
                {"people": twice},
            )
    if head.policy.basis == "card" and head.policy.supported:
        yield _compare_with_card(head.policy, open_set)
        return
    if open_set.protocol == "left-out":
        return
    # The policy may also have been chosen on the gallery's own people, left out in turn.
    own = head.policy.strangers - open_set.strangers
    if 0 <= own <= head.photos.sum():
        yield Notice(
            "policy-set-on-same-strangers",
            f"The policy was chosen on {count(head.policy.strangers, 'photo')} of strangers, and"
            f" {open_set.strangers:,} were searched here: if they are the same photos, the rate at"
            " its threshold is fitted to them. Only the halves are an independent measurement.",
            {"photos": open_set.strangers},
        )


def _compare_with_card(policy: Policy, open_set: OpenSetResult) -> Notice:
    """Return how the measured rate compares with the one that the embedder's card predicts."""
    fpir = open_set.policy.fpir
    rates = (
        f"The policy is based on the embedder's card, which predicts that"
        f" {percent(policy.expected.value)} of strangers are given a name. Measured here:"
        f" {percent(fpir.value)} ({span(fpir)}) of {open_set.stranger_people:,}."
    )
    if fpir.low <= policy.expected.value <= fpir.high:
        return Notice("card-confirmed", f"{rates} The two agree within the interval.")
    if policy.expected.value < fpir.low:
        return Notice(
            "more-alike-than-card",
            f"{rates} Believe what was measured: these people look more alike than those of the"
            " card. Only a threshold chosen on strangers' photos is measured.",
        )
    return Notice(
        "less-alike-than-card", f"{rates} These people look less alike than those of the card."
    )
