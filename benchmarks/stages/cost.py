"""Cost of installing a peer: seconds, bytes, seconds to the first answer, memory."""

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
"""Peers that use weights from Mien's store here; their users download them themselves."""


def cost(peer: Peer, work: Path) -> dict[str, Any]:
    """Return the cost of a peer.

    Args:
        peer: the library.
        work: folder for everything.

    Returns:
        `install_s` of pip, which depends on network and cache; `installed_bytes` with weights;
        `first_answer_s` from starting Python to the first answer, with empty caches;
        `next_answer_s` the same again, with filled caches; `to_first_answer_s`, the sum of the
        first two seconds; and `peak_bytes` of memory over the photos of the ten people.
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
