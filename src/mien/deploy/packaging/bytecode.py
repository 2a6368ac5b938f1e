"""Bytecode for a vessel whose folder cannot be written to when it runs.

Without it every cold start compiles NumPy's and onnxruntime's Python files anew.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mien.deploy.packaging.libraries import this_python

_SECONDS = 600


def bytecode(files: Mapping[str, bytes], python: str) -> dict[str, bytes]:
    """Return the compiled files of a vessel's Python files, by path.

    The same sources give the same bytes: what is compiled holds a hash of the source, not a time,
    and is taken as it is when the vessel runs.

    Args:
        files: of the vessel, by path.
        python: version of the Python that will run them, as "3.13".

    Returns:
        Nothing where that version of Python is not on this machine.
    """
    interpreter = interpreter_of(python)
    if interpreter is None:
        return {}
    sources = {path: data for path, data in files.items() if path.endswith(".py")}
    with tempfile.TemporaryDirectory(prefix="mien-bytecode-") as name:
        folder = Path(name)
        for path, data in sources.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        command = [interpreter, "-I", "-m", "compileall", "-q", "-j", "0", "-s", name]
        subprocess.run(  # noqa: S603 — an interpreter that was asked for its version
            [*command, "--invalidation-mode", "unchecked-hash", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,  # a file that does not compile is one that nobody imports
        )
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*.pyc"))
        }


def interpreter_of(python: str) -> str | None:
    """Return an interpreter of a version; None where there is none."""
    if python == this_python():
        return sys.executable
    found = shutil.which(f"python{python}")
    if found is None:
        return None
    told = subprocess.run(  # noqa: S603 — a program of that name on the user's own path
        [found, "-I", "-c", "import sys; print(*sys.version_info[:2], sys.executable)"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    major, _, rest = told.stdout.strip().partition(" ")
    minor, _, executable = rest.partition(" ")
    # What was found may be a script that chooses among several: the program itself is asked for.
    return executable if f"{major}.{minor}" == python else None
