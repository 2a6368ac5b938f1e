"""Download wheels with this machine's pip and its configured index; their code is never run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_SECONDS = 1800
_INSTALL = "`python -m ensurepip` installs pip."
_REACH = "pip fetches wheels from the index it is configured for; is that reachable?"


class PipFailed(Exception):
    """Pip failed; the message says why.

    Attributes:
        hint: what the user can do.
    """

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


def download_wheels(folder: Path, requirements: Sequence[str], options: Sequence[str] = ()) -> None:
    """Download wheels into a folder with pip, without their dependencies.

    Wheels only, so that no code of a package runs.

    Args:
        folder: for the wheels.
        requirements: in pip's syntax; callers check them.
        options: further options of `pip download`.

    Raises:
        PipFailed: a wheel was not downloaded.
    """
    try:
        done = subprocess.run(  # noqa: S603 — no shell; callers check the requirements
            pip_command(folder, requirements, options),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PipFailed(f"pip could not be run: {error}", _INSTALL) from error
    if done.returncode:
        raise pip_failure(done.stderr)


def pip_command(
    folder: Path, requirements: Sequence[str], options: Sequence[str] = ()
) -> list[str]:
    """Return the command that `download_wheels` runs."""
    # -P: does not import a file pip.py in the current folder.
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar=off", "--no-deps"]
    return [*command, "--only-binary=:all:", f"--dest={folder}", *options, *requirements]


def pip_failure(stderr: str) -> PipFailed:
    """Return the error that describes what pip printed."""
    if "No module named pip" in stderr:
        return PipFailed("this Python has no pip", _INSTALL)
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines
    said = errors[-1] if errors else "no message"
    return PipFailed(f"pip failed: {said}", _REACH)
