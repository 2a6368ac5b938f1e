"""Faces per second of peers that take turns on the same photos, so that a busy machine slows all.

Ratios are paired: of the seconds that two peers took for the same photos, one right after the
other; the interval is from resampling those pairs.
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
"""How many people each recognizer knows."""

_RESAMPLES = 2000


def single(peers: Sequence[Peer], work: Path, photos: Sequence[str], rounds: int) -> dict[str, Any]:
    """Measure one photo at a time, each peer with as many threads as it takes by itself.

    Args:
        peers: the first is the one that the others are compared with.
        work: folder of environments and weights.
        photos: paths.
        rounds: how often each photo is taken; the fastest counts.

    Returns:
        By peer: milliseconds of decoding and to the verdicts, faces, rates, peak memory; `over`
        with the ratios.
    """
    processes = [PeerProcess(peer, work) for peer in peers]
    try:
        for process in processes:
            process.ask("enrol", people=PEOPLE)
            process.ask("time", paths=list(photos[:3]))  # what is made only once
        turns = np.zeros((len(peers), len(photos), 3))
        for place, photo in enumerate(photos):
            # Nobody is always the first to take a photo.
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
    decode, verdict, faces = turns.T
    return {
        "decode_ms": float(decode.mean() * 1e3),
        "verdict_ms": float(verdict.mean() * 1e3),
        "verdict_ms_median": float(np.median(verdict) * 1e3),
        "faces": int(faces.sum()),
        "photos": len(turns),
        "photos_per_s": float(len(turns) / (decode + verdict).sum()),
        "faces_per_s": float(faces.sum() / (decode + verdict).sum()),
    }


def bulk(peers: Sequence[Peer], work: Path, photos: Sequence[str], parts: int) -> dict[str, Any]:
    """Measure piles of photos on all cores, bytes to verdicts.

    Args:
        peers: the first is the one that the others are compared with.
        work: folder of environments and weights.
        photos: paths.
        parts: into how many piles they are dealt; the peers take turns on each.
    """
    piles = [list(photos[part::parts]) for part in range(parts)]
    crews = [_crew(peer, work) for peer in peers]
    try:
        for crew in crews:
            for process in crew:
                process.ask("enrol", people=PEOPLE)
            _work(crew, piles[0][: 4 * len(crew)])
        seconds, faces = np.zeros((len(peers), parts)), np.zeros((len(peers), parts))
        for place, pile in enumerate(piles):
            for index in np.roll(np.arange(len(peers)), place):
                seconds[index, place], faces[index, place] = _work(crews[index], pile)
        memory = [sum(process.ask("memory")["peak_bytes"] for process in crew) for crew in crews]
    finally:
        for crew in crews:
            for process in crew:
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


def _crew(peer: Peer, work: Path) -> list[PeerProcess]:
    """Return the processes that use all cores: one of threads, or one with a thread on each."""
    if peer.bulk == "threads":
        return [PeerProcess(peer, work, threads=1)]
    return [PeerProcess(peer, work, threads=1, core=core) for core in range(cores())]


def _work(crew: list[PeerProcess], pile: list[str]) -> tuple[float, int]:
    """Return the seconds that a crew takes for a pile and the faces it finds.

    Each member reads its share into memory first; the slowest one's clock counts.
    """
    pool = cores() if len(crew) == 1 else 1
    for number, process in enumerate(crew):
        process.send("bulk", paths=pile[number :: len(crew)], pool=pool)
    answers = [process.receive() for process in crew]
    return max(answer["seconds"] for answer in answers), sum(answer["faces"] for answer in answers)


def _ratios(
    peers: Sequence[Peer], seconds: NDArray[np.float64], faces: NDArray[np.float64]
) -> dict[str, Any]:
    """Return how many times as many photos, and faces, a second the first peer takes."""

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
