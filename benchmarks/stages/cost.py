"""What it costs to have a peer: seconds and bytes to install it, seconds to its first answer."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from measuring_photos import paths_of_photos
from peers.catalogue import Peer
from peers.process import PeerProcess, first_answer
from peers.venvs import cost_of
from peers.weights import SFACE, YUNET, shared_weights

_SHARED = {"opencv": (YUNET, SFACE), "insightface": (YUNET, SFACE), "deepface": (YUNET, SFACE)}
"""Peers whose weights came to them from Mien; their users fetch them by themselves."""


def cost(peer: Peer, work: Path) -> dict[str, Any]:
    """Return what having a peer costs.

    Args:
        peer: the library.
        work: folder for everything.

    Returns:
        `install_s` of pip (over the network, with what its cache has), `installed_bytes` with
        weights, `first_answer_s` from starting Python to a verdict with nothing fetched or made
        before, `next_answer_s` the same once more, `to_first_answer_s` the sum of the first two,
        and `peak_bytes` of memory over the ten people's photos, one after the other.
    """
    known = dict(cost_of(peer, work))
    known["installed_bytes"] += sum(
        (shared_weights(work) / name).stat().st_size for name in _SHARED.get(peer.name, ())
    )
    photos = paths_of_photos(work / "photos", lfw=1, ten=81)["ten"]
    with tempfile.TemporaryDirectory(dir=work) as home:
        for answer in ("first_answer_s", "next_answer_s"):
            known[answer] = first_answer(peer, work, Path(photos[0]), Path(home))
        if peer.name == "mien":
            known["installed_bytes"] += sum(
                path.stat().st_size for path in Path(home).rglob("*.onnx")
            )
    known["to_first_answer_s"] = known["install_s"] + known["first_answer_s"]
    with PeerProcess(peer, work) as process:
        process.ask("enrol", people=610)
        process.ask("time", paths=photos)
        known |= process.ask("memory")
    return known
