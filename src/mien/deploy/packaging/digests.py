"""SHA-256 of every file of a deployment, in the file SHA256SUMS beside them.

`sha256sum --check SHA256SUMS` reads it too. It finds damage and mistakes. Who can change a file can
change its digest as well: keep a copy of the digests elsewhere.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mien.errors import NotADeployment

DIGESTS: Final = "SHA256SUMS"
"""Name of the file."""

_LINE = re.compile(r"([0-9a-f]{64})  ([^\0\n]+)")
_MADE_BY_TOOLS = {"__pycache__", "samconfig.toml"}
"""Besides hidden files: what Python, Git, SAM and editors add to a folder."""


def digests_text(files: Mapping[str, bytes]) -> bytes:
    """Return the text of the file: a line "DIGEST  PATH" per file, sorted by path."""
    lines = [f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in files.items()]
    return "".join(sorted(lines, key=lambda line: line[66:])).encode()


def check_digests(folder: Path) -> tuple[str, ...]:
    """Check every file of a deployment against its digest.

    Args:
        folder: of the deployment.

    Returns:
        The paths of files that are not part of the deployment as it was made, sorted; hidden files
        and those that common tools add do not count.

    Raises:
        NotADeployment: the file with the digests is missing or damaged, or a file is missing or
            was changed.
    """
    try:
        lines = (folder / DIGESTS).read_text(encoding="utf-8").splitlines()
        listed = {match[2]: match[1] for match in map(_parsed, lines)}
        changed = [
            path
            for path, digest in listed.items()
            if hashlib.sha256((folder / path).read_bytes()).hexdigest() != digest
        ]
    except (OSError, ValueError) as error:
        raise NotADeployment(
            f"{folder} is incomplete or damaged: {error}",
            hint="Make it again.",
            code="deployment-damaged",
        ) from error
    if changed:
        raise NotADeployment(
            f"{folder}: {', '.join(changed[:3])} changed since the deployment was made",
            hint="Make it again.",
            code="deployment-changed",
        )
    return tuple(sorted(_present(folder) - listed.keys() - {DIGESTS}))


def _parsed(line: str) -> re.Match[str]:
    match = _LINE.fullmatch(line)
    if match is None or match[2].startswith("/") or ".." in match[2].split("/"):
        raise ValueError(f"{DIGESTS} has a line that is no digest and path")
    return match


def _present(folder: Path) -> set[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {
        path.as_posix()
        for path in paths
        if not any(part.startswith(".") or part in _MADE_BY_TOOLS for part in path.parts)
    }
