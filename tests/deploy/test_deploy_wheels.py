"""The libraries of a vessel: which are asked for, which are taken, what of them."""

from __future__ import annotations

import re
import zipfile

import pytest

from mien.deploy.packaging import libraries as wheels
from mien.deploy.packaging.bytecode import bytecode
from mien.deploy.packaging.libraries import (
    LIBRARIES,
    is_needed,
    libraries,
    pinned,
    platform_options,
    this_python,
)
from mien.errors import PartsMissing
from mien.models.wheels import pip_command


def make_wheel(folder, name, version, tag, members=("__init__.py",)):
    stem = name.replace("-", "_")
    with zipfile.ZipFile(folder / f"{stem}-{version}-{tag}.whl", "w") as wheel:
        info = f"{stem}-{version}.dist-info"
        told = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        wheel.writestr(f"{info}/METADATA", told)
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
        for member in members:
            wheel.writestr(f"{stem}/{member}", tag)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Return a folder that stands for the package index, with toy wheels for some machines."""
    versions = {name: pin.removeprefix("==") for name, pin in pinned().items()}
    for tag in (
        "cp313-cp313-manylinux_2_28_aarch64",
        "cp313-cp313-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64",
        "cp313-cp313-win_amd64",
    ):
        for name in LIBRARIES:
            make_wheel(tmp_path, name, versions[name], tag)
    make_wheel(tmp_path, "numpy", "99.0", "cp313-cp313-manylinux_2_28_aarch64")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("python", "arch", "tag"),
    [
        ("3.13", "arm64", "cp313-cp313-manylinux_2_28_aarch64"),
        ("3.13", "x86_64", "cp313-cp313-manylinux_2_28_x86_64"),
        ("3.11", "x86_64", "cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64"),
    ],
)
def test_wheels_are_for_the_machine_they_will_run_on(index, python, arch, tag):
    assert index
    files, versions = libraries(python, arch)
    assert versions == {
        name.replace("-", "_"): pin.removeprefix("==") for name, pin in pinned().items()
    }
    assert {data.decode() for path, data in files.items() if path.endswith(".py")} == {tag}
    assert not [path for path in files if path.endswith("RECORD")]


def test_what_cannot_be_had_is_told(index):
    assert index
    with pytest.raises(PartsMissing, match=r"for Python 3\.99 on arm64"):
        libraries("3.99", "arm64")
    with pytest.raises(PartsMissing, match="no version of Python"):
        libraries("3.13; rm -rf", "arm64")
    for wheel in index.glob("pillow-*"):
        wheel.unlink()
    with pytest.raises(PartsMissing, match="illow"):
        libraries("3.13", "arm64")


def test_no_code_of_a_package_is_run_to_fetch_it(tmp_path):
    wanted = [name + version for name, version in pinned().items()]
    command = pip_command(tmp_path, wanted, platform_options("3.13", "arm64"))
    assert {"--only-binary=:all:", "--no-deps", "-P"} <= set(command)
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", each) for each in command[-len(LIBRARIES) :])


def test_a_library_that_is_not_here_is_asked_for_all_the_same(monkeypatch):
    def unknown(name):
        raise wheels.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(wheels.metadata, "version", unknown)
    assert pinned()["python-multipart"].startswith(">=")


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("numpy/__init__.py", True),
        ("numpy/_core/_multiarray_umath.cpython-313-x86_64-linux-gnu.so", True),
        ("numpy/_core/tests/test_multiarray.py", False),
        ("numpy/random/mtrand.cpython-313-x86_64-linux-gnu.so", False),
        ("numpy/__init__.pyi", False),
        ("numpy-2.4.6.dist-info/licenses/LICENSE.txt", True),
        ("onnxruntime/capi/libonnxruntime.so.1.32.0", False),
        ("onnxruntime/capi/libonnxruntime_providers_shared.so", True),
        ("onnxruntime/capi/onnxruntime_pybind11_state.cpython-313-x86_64-linux-gnu.so", True),
        ("onnxruntime/tools/check.py", False),
        ("PIL/_avif.cpython-313-x86_64-linux-gnu.so", True),
        ("pillow.libs/libharfbuzz-fb49c9fc.so.0.61450.0", False),
    ],
)
def test_what_inference_needs_of_a_library(path, needed):
    assert is_needed(path) is needed


def test_bytecode_is_the_same_each_time_and_only_for_pythons_that_are_here():
    files = {"a/b.py": b"NAMES = {'one', 'two', 'three'}\n", "broken.py": b"(", "c.txt": b""}
    compiled = bytecode(files, this_python())
    assert [path.split("/")[:2] for path in compiled] == [["a", "__pycache__"]]
    (data,) = compiled.values()
    assert data[4] == 1  # its source's hash is in it, and is not checked when it is loaded
    assert bytecode(files, this_python()) == compiled
    assert bytecode(files, "3.98") == {}


def test_offline_pip_asks_nobody(monkeypatch):
    assert "--no-index" not in platform_options("3.13", "arm64")
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    assert "--no-index" in platform_options("3.13", "arm64")
