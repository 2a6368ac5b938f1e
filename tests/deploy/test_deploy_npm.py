"""Packages of npm: the pinned bytes or none."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import tarfile
from dataclasses import replace

import pytest

from mien.deploy.packaging.npm import ONNXRUNTIME_WEB, NpmPackage, package_files
from mien.errors import PartsMissing


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """Set an empty store and no mirror."""
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MIEN_MODELS", raising=False)
    monkeypatch.delenv("MIEN_OFFLINE", raising=False)
    return tmp_path


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def package_of(data: bytes) -> NpmPackage:
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    return NpmPackage("a-package", "1.2.3", digest, "MIT")


def fake_npm(folder, monkeypatch, script: str) -> None:
    """Put a program called npm on the path."""
    folder.mkdir()
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_a_package_is_taken_from_the_mirror_folder(nowhere, monkeypatch):
    data = archive({"dist/a.js": b"a", "b.txt": b"b"})
    package = package_of(data)
    mirror = nowhere / "mirror"
    mirror.mkdir()
    (mirror / package.archive).write_bytes(data)
    monkeypatch.setenv("MIEN_MODELS", str(mirror))
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    assert package_files(package, ["dist/a.js"]) == {"dist/a.js": b"a"}
    with pytest.raises(PartsMissing, match=r"no dist/z\.js"):
        package_files(package, ["dist/z.js"])
    (mirror / package.archive).write_bytes(data + b"more")
    with pytest.raises(PartsMissing, match="MIEN_OFFLINE") as caught:
        package_files(package, ["dist/a.js"])
    assert package.sha512 in caught.value.hint


def test_without_npm_it_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PartsMissing, match="npm is not on this machine") as caught:
        package_files(ONNXRUNTIME_WEB, ["package.json"])
    assert ONNXRUNTIME_WEB.archive in caught.value.hint


def test_npm_is_asked_once_and_its_archive_is_kept(nowhere, monkeypatch):
    data = archive({"a": b"a"})
    package = package_of(data)
    (nowhere / "there.tgz").write_bytes(data)
    copy = f'test "$1 $2" = "pack a-package@1.2.3" && cp {nowhere}/there.tgz {package.archive}'
    fake_npm(nowhere / "bin", monkeypatch, copy)
    for _ in range(2):
        assert package_files(package, ["a"]) == {"a": b"a"}
        (nowhere / "there.tgz").unlink(missing_ok=True)


def test_what_npm_says_is_passed_on(nowhere, monkeypatch):
    fake_npm(nowhere / "bin", monkeypatch, "echo 'npm error code E404' >&2; exit 1")
    with pytest.raises(PartsMissing, match="npm said: npm error code E404"):
        package_files(ONNXRUNTIME_WEB, ["package.json"])


def test_other_bytes_than_the_pinned_ones_are_refused(nowhere, monkeypatch):
    package = replace(package_of(archive({"a": b"a"})), name="other")
    (nowhere / "there.tgz").write_bytes(archive({"a": b"b"}))
    fake_npm(nowhere / "bin", monkeypatch, f"cp {nowhere}/there.tgz {package.archive}")
    with pytest.raises(PartsMissing, match="another sha512"):
        package_files(package, ["a"])
    assert not list((nowhere / "home").rglob("*.tgz"))


def test_the_pinned_package_is_what_the_registry_has(monkeypatch):
    monkeypatch.delenv("MIEN_HOME")
    if shutil.which("npm") is None:
        pytest.skip("npm is not on this machine")
    try:
        files = package_files(ONNXRUNTIME_WEB, ["package.json", "dist/ort.wasm.min.mjs"])
    except PartsMissing as error:
        pytest.skip(f"the registry cannot be reached: {error}")
    assert b'"license": "MIT"' in files["package.json"]
