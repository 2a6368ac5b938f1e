"""The libraries of a vessel: fetched for its platform through pip, cut down to inference."""

from __future__ import annotations

import platform
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from mien.errors import PartsMissing
from mien.models.home import offline
from mien.models.wheels import PipFailed, download_wheels

Arch = Literal["x86_64", "arm64"]

LIBRARIES: Final = ("numpy", "onnxruntime", "pillow", "pi-heif", "python-multipart")
"""All that running a recognizer behind HTTP needs."""

_UNSEEN = {"python-multipart": ">=0.0.20"}
"""What is asked for where this machine has none whose version could be asked for."""

_WHEEL_ARCH = {"x86_64": "x86_64", "arm64": "aarch64"}

_GLIBC = (28, 27, 26, 17)
"""Lambda's Python 3.13 runs on Amazon Linux 2023, which has glibc 2.34; wheels ask for less."""

# Left out of a vessel. fnmatch's * takes slashes too.
_NOT_NEEDED: Final = (
    "*/tests/*",
    "*.pyi",
    "*.pxd",
    "*.h",
    "*.a",
    "*/RECORD",
    "*.data/*",
    # Where onnxruntime's Python module holds the runtime itself, the shared library is a second
    # copy of it, for programs in C.
    "onnxruntime/capi/libonnxruntime.so*",
    *(f"onnxruntime/{part}/*" for part in ("backend", "datasets", "quantization", "tools")),
    "onnxruntime/transformers/*",
    *(f"numpy/{part}/*" for part in ("f2py", "fft", "ma", "polynomial", "random", "testing")),
    "numpy/_core/_simd.*",
    "numpy/_core/*_tests.*",
    "numpy/_pyinstaller/*",
    # Text on pictures.
    "PIL/_imagingft.*",
    *(f"pillow.libs/lib{part}*" for part in ("brotli", "freetype", "harfbuzz", "png16")),
)


def pinned() -> dict[str, str]:
    """Return what pip is asked for by library: the versions that Mien runs with here."""
    return {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return f"=={metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return _UNSEEN.get(name, "")


def this_python() -> str:
    """Return the running Python's version as pip has it: "3.13"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def this_arch() -> Arch:
    """Return the running machine's architecture as Lambda names it."""
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def libraries(python: str, arch: Arch) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the files of the vessel's libraries by path, and the libraries' versions.

    Args:
        python: version of the Python that will run them, as "3.13".
        arch: of the machine that will run them; it runs Linux.

    Raises:
        PartsMissing: pip could not get them.
    """
    with tempfile.TemporaryDirectory(prefix="mien-wheels-") as name:
        folder = Path(name)
        _download(folder, python, arch)
        files: dict[str, bytes] = {}
        versions: dict[str, str] = {}
        for wheel in sorted(folder.glob("*.whl")):
            library, version = wheel.name.split("-")[:2]
            versions[library.lower()] = version
            files.update(_unpacked(wheel))
    missing = {name.replace("-", "_") for name in LIBRARIES} - versions.keys()
    if missing:
        raise PartsMissing(f"pip delivered no wheel of {', '.join(sorted(missing))}")
    return files, versions


def platform_options(python: str, arch: Arch) -> list[str]:
    """Return the options of pip that ask for another Python's and another machine's wheels."""
    options = ["--implementation=cp", f"--python-version={python}"]
    if offline():
        # Wheels that PIP_FIND_LINKS leads to on this machine are still found.
        options.append("--no-index")
    options += [f"--platform=manylinux_2_{minor}_{_WHEEL_ARCH[arch]}" for minor in _GLIBC]
    return [*options, f"--platform=manylinux2014_{_WHEEL_ARCH[arch]}"]


def _download(folder: Path, python: str, arch: Arch) -> None:
    if not re.fullmatch(r"3\.\d+", python):
        raise PartsMissing(f"{python!r} is no version of Python", hint="Give it as 3.13.")
    wanted = [name + version for name, version in pinned().items()]
    try:
        download_wheels(folder, wanted, platform_options(python, arch))
    except PipFailed as error:
        raise PartsMissing(
            f"the libraries for Python {python} on {arch} cannot be had: {error}",
            hint=error.hint,
        ) from error


def _unpacked(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a wheel that a vessel needs."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.endswith("/") and is_needed(name):
                yield name, archive.read(name)


def is_needed(path: str) -> bool:
    """Return whether a file of a library goes into a vessel."""
    return not any(fnmatch(path, pattern) for pattern in _NOT_NEEDED)
