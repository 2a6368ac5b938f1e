"""A virtual environment for each peer, and its cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from peers.catalogue import Peer


def python_of(peer: Peer, work: Path) -> Path:
    """Return the Python that has the peer installed; installs it first where it is not."""
    folder = work / "venvs" / peer.name
    if not (folder / "installed.json").exists():
        install(peer, work)
    return folder / "bin" / "python"


def install(peer: Peer, work: Path) -> dict[str, Any]:
    """Install a peer into a new environment; record and return seconds and bytes.

    The seconds are those of pip, and depend on its cache and the network.
    """
    folder = work / "venvs" / peer.name
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    empty = _bytes_under(folder)
    start = time.perf_counter()
    for arguments in peer.installs:
        command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        print(f"{peer.name}: pip install {' '.join(arguments)}", file=sys.stderr)
        subprocess.run([*command, "--disable-pip-version-check", *arguments], check=True)
    cost = {
        "install_s": time.perf_counter() - start,
        "installed_bytes": _bytes_under(folder) - empty,
    }
    (folder / "installed.json").write_text(json.dumps(cost) + "\n", encoding="utf-8")
    return cost


def cost_of(peer: Peer, work: Path) -> dict[str, Any]:
    """Return what `install` recorded; installs the peer first where it is not."""
    python_of(peer, work)
    note = work / "venvs" / peer.name / "installed.json"
    cost: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    return cost


def _bytes_under(folder: Path) -> int:
    """Return the bytes of all files except compiled Python, which depends on what was run."""
    return sum(
        path.stat().st_size
        for parent, _, names in os.walk(folder)
        for path in (Path(parent) / name for name in names)
        if path.suffix != ".pyc" and not path.is_symlink()
    )
