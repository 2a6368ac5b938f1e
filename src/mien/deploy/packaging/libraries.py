"""Libraries of a deployment: fetched for its platform with pip, reduced to inference."""

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

from mien.deploy.packaging.distributions import Distribution
from mien.errors import PartsMissing
from mien.models.home import offline
from mien.models.wheels import PipFailed, download_wheels

Arch = Literal["x86_64", "arm64"]

LIBRARIES: Final = ("numpy", "onnxruntime", "pillow", "pi-heif", "python-multipart")
"""The libraries that a recognizer behind HTTP needs."""

_MIN_VERSIONS = {"python-multipart": ">=0.0.20"}
"""Version specifiers of libraries that may not be installed on this machine."""

_WHEEL_ARCH = {"x86_64": "x86_64", "arm64": "aarch64"}

_GLIBC = (28, 27, 26, 17)
"""Minor versions of glibc whose wheels are accepted: Lambda's Amazon Linux 2023 has glibc 2.34."""

# Files that no deployment needs. The * of fnmatch matches slashes too.
_NOT_NEEDED: Final = (
    "*/tests/*",
    "*.pyi",
    "*.pxd",
    "*.h",
    "*.a",
    "*/RECORD",
    "*.data/*",
    # A second copy of the runtime, for programs in C: the Python module contains the runtime.
    "onnxruntime/capi/libonnxruntime.so*",
    *(f"onnxruntime/{part}/*" for part in ("backend", "datasets", "quantization", "tools")),
    "onnxruntime/transformers/*",
    *(f"numpy/{part}/*" for part in ("f2py", "fft", "ma", "polynomial", "random", "testing")),
    "numpy/_core/_simd.*",
    "numpy/_core/*_tests.*",
    "numpy/_pyinstaller/*",
    # Drawing of text.
    "PIL/_imagingft.*",
    *(f"pillow.libs/lib{part}*" for part in ("brotli", "freetype", "harfbuzz", "png16")),
)


def pinned() -> dict[str, str]:
    """Return the version specifier of each library: the versions installed on this machine."""
    return {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return f"=={metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return _MIN_VERSIONS.get(name, "")


def this_python() -> str:
    """Return the running Python's version as "3.13"."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def this_arch() -> Arch:
    """Return this machine's architecture by Lambda's name."""
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def libraries(python: str, arch: Arch) -> tuple[dict[str, bytes], tuple[Distribution, ...]]:
    """Return the files of a deployment's libraries by path, and the libraries.

    Args:
        python: version of the Python that will run them, as "3.13".
        arch: architecture of the Linux machine that will run them.

    Raises:
        PartsMissing: pip cannot download them.
    """
    with tempfile.TemporaryDirectory(prefix="mien-wheels-") as name:
        folder = Path(name)
        _download(folder, python, arch)
        files: dict[str, bytes] = {}
        wheels = sorted(folder.glob("*.whl"))
        for wheel in wheels:
            files.update(_unpacked(wheel))
        found = tuple(map(Distribution.of_wheel, wheels))
    missing = set(LIBRARIES) - {each.name for each in found}
    if missing:
        raise PartsMissing(f"pip delivered no wheel of {', '.join(sorted(missing))}")
    return files, found


def platform_options(python: str, arch: Arch) -> list[str]:
    """Return pip's options that select wheels for another Python and another machine."""
    options = ["--implementation=cp", f"--python-version={python}"]
    if offline():
        # pip still finds the wheels of the local folders in PIP_FIND_LINKS.
        options.append("--no-index")
    options += [f"--platform=manylinux_2_{minor}_{_WHEEL_ARCH[arch]}" for minor in _GLIBC]
    return [*options, f"--platform=manylinux2014_{_WHEEL_ARCH[arch]}"]


def _download(folder: Path, python: str, arch: Arch) -> None:
    if not re.fullmatch(r"3\.\d+", python):
        raise PartsMissing(f"{python!r} is not a version of Python", hint="Give it as 3.13.")
    wanted = [name + version for name, version in pinned().items()]
    try:
        download_wheels(folder, wanted, platform_options(python, arch))
    except PipFailed as error:
        raise PartsMissing(
            f"the libraries for Python {python} on {arch} are not available: {error}",
            hint=error.hint,
        ) from error


def _unpacked(wheel: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a wheel that a deployment needs."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.endswith("/") and is_needed(name):
                yield name, archive.read(name)


def is_needed(path: str) -> bool:
    """Return whether a file of a library goes into a deployment."""
    return not any(fnmatch(path, pattern) for pattern in _NOT_NEEDED)
