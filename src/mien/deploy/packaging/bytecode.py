"""Bytecode for a deployment whose folder is read-only at run time.

Without bytecode every cold start compiles the Python files of NumPy and onnxruntime again.
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
    """Return the compiled files of a deployment's Python files, by path.

    Equal sources give equal bytes: a .pyc file contains a hash of its source instead of a time, and
    the hash is not checked when the file is loaded.

    Args:
        files: all files of the deployment, by path.
        python: version of the Python that will run them, as "3.13".

    Returns:
        The .pyc files; empty where this machine does not have that version of Python.
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
        subprocess.run(  # noqa: S603 — an interpreter whose version was checked
            [*command, "--invalidation-mode", "unchecked-hash", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,  # files that do not compile are never imported
        )
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*.pyc"))
        }


def interpreter_of(python: str) -> str | None:
    """Return the path of a Python interpreter of a version; None where there is none."""
    if python == this_python():
        return sys.executable
    found = shutil.which(f"python{python}")
    if found is None:
        return None
    printed = subprocess.run(  # noqa: S603 — a program of that name on the user's own path
        [found, "-I", "-c", "import sys; print(*sys.version_info[:2], sys.executable)"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    major, _, rest = printed.stdout.strip().partition(" ")
    minor, _, executable = rest.partition(" ")
    # `found` may be a launcher script; `executable` is the interpreter that it started.
    return executable if f"{major}.{minor}" == python else None
