"""Requirements of an app: every package that pip installs, with version and digests of wheels.

With digests pip installs only these very files (`--require-hashes`), from whichever index it uses:
a package that was replaced on the index, or on the way, is refused. The digests are those of the
configured index at the time the deployment is made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from mien.deploy.packaging.distributions import Distribution, normalised
from mien.deploy.packaging.libraries import platform_options
from mien.models.home import offline
from mien.models.wheels import PipFailed, pip_failure

_SECONDS = 600


def resolved(pins: Sequence[str], python: str) -> tuple[Distribution, ...]:
    """Return all packages that the requirements need on a host, with the digests of their wheels.

    The digests cover Linux on x86_64 and on arm64 with the host's Python and, where it has these
    wheels, this machine, so that the app can be tried here. Packages that the pinned ones need get
    the version that is installed here, where the host can have it.

    Args:
        pins: requirements with exact versions.
        python: version of the host's Python, as "3.13".

    Raises:
        PipFailed: pip does not find wheels of all of them.
    """
    if offline() and "PIP_FIND_LINKS" not in os.environ:
        raise PipFailed("MIEN_OFFLINE forbids the network, and PIP_FIND_LINKS names no folder", "")
    hosts = [platform_options(python, "x86_64"), platform_options(python, "arm64")]
    with ThreadPoolExecutor(len(hosts) + 1) as pool:
        here = pool.submit(_report, pins, ["--no-index"] if offline() else [])
        rows = [row for report in pool.map(partial(_report, pins), hosts) for row in report]
    wanted = {_key(row) for row in rows}
    if here.exception() is None:  # else this machine has no such wheels
        rows += [row for row in here.result() if _key(row) in wanted]
    return _merged(rows)


def _report(pins: Sequence[str], options: Sequence[str]) -> list[Any]:
    """Return pip's report of what it would install: first with the versions of this machine."""
    with tempfile.TemporaryDirectory(prefix="mien-pip-") as scratch:
        constraints = Path(scratch) / "constraints.txt"
        constraints.write_text("".join(_constraints()), encoding="utf-8")
        try:
            return _run(scratch, pins, [*options, f"--constraint={constraints}"])
        except PipFailed:
            return _run(scratch, pins, options)


def _constraints() -> Iterator[str]:
    for found in metadata.distributions():
        if found.metadata["Name"] and "+" not in found.version:
            yield f"{found.metadata['Name']}=={found.version}\n"


def _run(scratch: str, pins: Sequence[str], options: Sequence[str]) -> list[Any]:
    report = Path(scratch) / "report.json"
    command = [sys.executable, "-P", "-m", "pip", "install", "--quiet", "--no-input", "--dry-run"]
    command += ["--ignore-installed", "--disable-pip-version-check", "--only-binary=:all:"]
    command += [f"--target={scratch}/none", f"--report={report}", *options, *pins]
    try:
        done = subprocess.run(  # noqa: S603 — no shell; names and versions of our own libraries
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PipFailed(f"pip could not be run: {error}", "") from error
    if done.returncode:
        raise pip_failure(done.stderr)
    rows: list[Any] = json.loads(report.read_text(encoding="utf-8"))["install"]
    return rows


def _key(row: Any) -> tuple[str, str]:
    return normalised(row["metadata"]["name"]), str(row["metadata"]["version"])


def _merged(rows: Sequence[Any]) -> tuple[Distribution, ...]:
    """Return one entry per package, with the digests for all kinds of machines."""
    digests: dict[tuple[str, str], set[str]] = {}
    stated: dict[str, str] = {}
    for row in rows:
        name, version = _key(row)
        digest = row["download_info"].get("archive_info", {}).get("hashes", {}).get("sha256")
        if digest is None:
            raise PipFailed(f"pip reports no digest of {name}", "")
        digests.setdefault((name, version), set()).add(digest)
        stated[name] = str(row["metadata"].get("license") or "")
    if len(stated) < len(digests):
        raise PipFailed("the kinds of machines need different versions of a package", "")
    return tuple(
        Distribution(name, version, _licence(name, stated[name]), tuple(sorted(found)))
        for (name, version), found in sorted(digests.items())
    )


def _licence(name: str, stated: str) -> str:
    """Return a package's licence; older pips leave the newer metadata field out of the report."""
    return Distribution.installed(name).licence or " ".join(stated.split())[:100]


def requirements_text(distributions: Sequence[Distribution]) -> str:
    """Return a requirements file; with digests for each package that has some."""
    lines = []
    for found in distributions:
        pin = f"{found.name}=={found.version}" if found.version else found.name
        hashes = [f"    --hash=sha256:{digest}" for digest in found.sha256]
        lines.append(" \\\n".join([pin, *hashes]))
    return "\n".join(lines) + "\n"
