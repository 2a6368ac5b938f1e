"""Libraries of a deployment: version specifiers, wheels for a platform, files left out."""

from __future__ import annotations

import re
import zipfile
from hashlib import sha256

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


def make_wheel(folder, name, version, tag, members=("__init__.py",), requires=()):
    stem = name.replace("-", "_")
    with zipfile.ZipFile(folder / f"{stem}-{version}-{tag}.whl", "w") as wheel:
        info = f"{stem}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {each}\n" for each in requires)
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
        for member in members:
            wheel.writestr(f"{stem}/{member}", tag)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Return a folder that replaces the package index, with toy wheels for several machines."""
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
def test_wheels_are_for_the_target_machine(index, python, arch, tag):
    assert index
    files, contained = libraries(python, arch)
    assert {each.name: f"=={each.version}" for each in contained} == pinned()
    digests = {sha256(wheel.read_bytes()).hexdigest() for wheel in index.glob(f"*-{tag}.whl")}
    assert {digest for each in contained for digest in each.sha256} <= digests
    assert {data.decode() for path, data in files.items() if path.endswith(".py")} == {tag}
    assert not [path for path in files if path.endswith("RECORD")]


def test_missing_wheels_are_reported(index):
    assert index
    with pytest.raises(PartsMissing, match=r"for Python 3\.99 on arm64"):
        libraries("3.99", "arm64")
    with pytest.raises(PartsMissing, match="not a version of Python"):
        libraries("3.13; rm -rf", "arm64")
    for wheel in index.glob("pillow-*"):
        wheel.unlink()
    with pytest.raises(PartsMissing, match="illow"):
        libraries("3.13", "arm64")


def test_pip_runs_no_code_of_the_packages(tmp_path):
    wanted = [name + version for name, version in pinned().items()]
    command = pip_command(tmp_path, wanted, platform_options("3.13", "arm64"))
    assert {"--only-binary=:all:", "--no-deps", "-P"} <= set(command)
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", each) for each in command[-len(LIBRARIES) :])


def test_library_that_is_not_installed_gets_its_minimum_version(monkeypatch):
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
def test_files_of_a_library_that_inference_needs(path, needed):
    assert is_needed(path) is needed


def test_bytecode_is_reproducible_and_needs_an_installed_python():
    files = {"a/b.py": b"NAMES = {'one', 'two', 'three'}\n", "broken.py": b"(", "c.txt": b""}
    compiled = bytecode(files, this_python())
    assert [path.split("/")[:2] for path in compiled] == [["a", "__pycache__"]]
    (data,) = compiled.values()
    assert data[4] == 1  # flags of PEP 552: hash of the source, not checked on loading
    assert bytecode(files, this_python()) == compiled
    assert bytecode(files, "3.98") == {}


def test_offline_pip_uses_no_index(monkeypatch):
    assert "--no-index" not in platform_options("3.13", "arm64")
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    assert "--no-index" in platform_options("3.13", "arm64")
