"""Faces per second of peers, which take turns on the same photos: other load affects all alike.

Ratios are paired: each compares the seconds that two peers took for the same photos, one right
after the other. Intervals come from resampling those pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peers.catalogue import Peer
from peers.machine import cores
from peers.process import PeerProcess

PEOPLE = 610
"""How many people are enrolled."""

_RESAMPLES = 2000


def single(peers: Sequence[Peer], work: Path, photos: Sequence[str], rounds: int) -> dict[str, Any]:
    """Measure one photo at a time, each peer with its default number of threads.

    Args:
        peers: the first is compared with each of the others.
        work: folder of environments and weights.
        photos: paths.
        rounds: how often each photo is processed; the fastest counts.

    Returns:
        Per peer: milliseconds of decoding and of the rest, faces, rates, peak memory; the ratios
        under `over`.
    """
    processes = [PeerProcess(peer, work) for peer in peers]
    try:
        for process in processes:
            process.ask("enrol", people=PEOPLE)
            process.ask("time", paths=list(photos[:3]))  # warm up
        turns = np.zeros((len(peers), len(photos), 3))
        for place, photo in enumerate(photos):
            # The order changes, so that no peer is always the first.
            order = np.roll(np.arange(len(peers)), place)
            for index in order:
                answer = processes[index].ask("time", paths=[photo] * rounds)
                turns[index, place] = min(answer["turns"], key=lambda turn: turn[0] + turn[1])
        found = {
            process.peer.name: _single_result(turn)
            | process.ask("memory")
            | {"versions": process.ask("hello")["versions"]}
            for process, turn in zip(processes, turns, strict=True)
        }
    finally:
        for process in processes:
            process.close()
    seconds = turns[:, :, 0] + turns[:, :, 1]
    return found | {"over": _ratios(peers, seconds, turns[:, :, 2])}


def _single_result(turns: NDArray[np.float64]) -> dict[str, Any]:
    decode, answer, faces = turns.T
    return {
        "decode_ms": float(decode.mean() * 1e3),
        "answer_ms": float(answer.mean() * 1e3),
        "answer_ms_median": float(np.median(answer) * 1e3),
        "faces": int(faces.sum()),
        "photos": len(turns),
        "photos_per_s": float(len(turns) / (decode + answer).sum()),
        "faces_per_s": float(faces.sum() / (decode + answer).sum()),
    }


def bulk(peers: Sequence[Peer], work: Path, photos: Sequence[str], parts: int) -> dict[str, Any]:
    """Measure batches of photos on all cores, from bytes to answers.

    Args:
        peers: the first is compared with each of the others.
        work: folder of environments and weights.
        photos: paths.
        parts: number of batches; the peers take turns on each.
    """
    batches = [list(photos[part::parts]) for part in range(parts)]
    groups = [_processes(peer, work) for peer in peers]
    try:
        for group in groups:
            for process in group:
                process.ask("enrol", people=PEOPLE)
            _run(group, batches[0][: 4 * len(group)])
        seconds, faces = np.zeros((len(peers), parts)), np.zeros((len(peers), parts))
        for place, batch in enumerate(batches):
            for index in np.roll(np.arange(len(peers)), place):
                seconds[index, place], faces[index, place] = _run(groups[index], batch)
        memory = [sum(process.ask("memory")["peak_bytes"] for process in group) for group in groups]
    finally:
        for group in groups:
            for process in group:
                process.close()
    found: dict[str, Any] = {}
    for peer, took, many, peak in zip(peers, seconds, faces, memory, strict=True):
        found[peer.name] = {
            "photos": len(photos),
            "faces": int(many.sum()),
            "photos_per_s": float(len(photos) / took.sum()),
            "faces_per_s": float(many.sum() / took.sum()),
            "peak_bytes": peak,
        }
    return found | {"over": _ratios(peers, seconds, faces)}


def _processes(peer: Peer, work: Path) -> list[PeerProcess]:
    """Return the processes that use all cores: one for threads, or one single-threaded per core."""
    if peer.bulk == "threads":
        return [PeerProcess(peer, work, threads=1)]
    return [PeerProcess(peer, work, threads=1, core=core) for core in range(cores())]


def _run(group: list[PeerProcess], batch: list[str]) -> tuple[float, int]:
    """Return the seconds that the processes take for a batch, and the faces they find.

    Each process reads its photos into memory first; the time of the slowest one counts.
    """
    pool = cores() if len(group) == 1 else 1
    for number, process in enumerate(group):
        process.send("bulk", paths=batch[number :: len(group)], pool=pool)
    answers = [process.receive() for process in group]
    return max(answer["seconds"] for answer in answers), sum(answer["faces"] for answer in answers)


def _ratios(
    peers: Sequence[Peer], seconds: NDArray[np.float64], faces: NDArray[np.float64]
) -> dict[str, Any]:
    """Return the ratio of the first peer's photos and faces per second to each other peer's."""

    def photos_ratio(index: int) -> Callable[[NDArray[np.int64]], float]:
        return lambda drawn: float(seconds[index, drawn].sum() / seconds[0, drawn].sum())

    def faces_ratio(index: int) -> Callable[[NDArray[np.int64]], float]:
        share = photos_ratio(index)
        return lambda drawn: float(
            share(drawn) * faces[0, drawn].sum() / max(faces[index, drawn].sum(), 1)
        )

    return {
        peer.name: {
            "photos_per_s": _interval(photos_ratio(index), seconds.shape[1]),
            "faces_per_s": _interval(faces_ratio(index), seconds.shape[1]),
        }
        for index, peer in enumerate(peers)
        if index
    }


def _interval(statistic: Callable[[NDArray[np.int64]], float], size: int) -> dict[str, float]:
    generator = np.random.default_rng(0)
    drawn = [statistic(generator.integers(0, size, size)) for _ in range(_RESAMPLES)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"value": statistic(np.arange(size)), "low": float(low), "high": float(high)}
