"""Packages from npm: the archive with the pinned digest, or an error."""

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
def empty_store(tmp_path, monkeypatch):
    """Set an empty store and no mirror folder."""
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
    """Put a program called npm first on the path."""
    folder.mkdir()
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_package_comes_from_the_mirror_folder(empty_store, monkeypatch):
    data = archive({"dist/a.js": b"a", "b.txt": b"b"})
    package = package_of(data)
    mirror = empty_store / "mirror"
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


def test_hint_without_npm_names_the_archive(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PartsMissing, match="npm is not on this machine") as caught:
        package_files(ONNXRUNTIME_WEB, ["package.json"])
    assert ONNXRUNTIME_WEB.archive in caught.value.hint


def test_npm_runs_once_and_its_archive_is_stored(empty_store, monkeypatch):
    data = archive({"a": b"a"})
    package = package_of(data)
    (empty_store / "there.tgz").write_bytes(data)
    copy = f'test "$1 $2" = "pack a-package@1.2.3" && cp {empty_store}/there.tgz {package.archive}'
    fake_npm(empty_store / "bin", monkeypatch, copy)
    for _ in range(2):
        assert package_files(package, ["a"]) == {"a": b"a"}
        (empty_store / "there.tgz").unlink(missing_ok=True)


def test_message_of_npm_is_in_the_error(empty_store, monkeypatch):
    fake_npm(empty_store / "bin", monkeypatch, "echo 'npm error code E404' >&2; exit 1")
    with pytest.raises(PartsMissing, match="npm failed: npm error code E404"):
        package_files(ONNXRUNTIME_WEB, ["package.json"])


def test_archive_with_another_digest_is_refused(empty_store, monkeypatch):
    package = replace(package_of(archive({"a": b"a"})), name="other")
    (empty_store / "there.tgz").write_bytes(archive({"a": b"b"}))
    fake_npm(empty_store / "bin", monkeypatch, f"cp {empty_store}/there.tgz {package.archive}")
    with pytest.raises(PartsMissing, match="sha512 is not"):
        package_files(package, ["a"])
    assert not list((empty_store / "home").rglob("*.tgz"))


def test_pinned_package_is_available_from_npm(monkeypatch):
    monkeypatch.delenv("MIEN_HOME")
    if shutil.which("npm") is None:
        pytest.skip("npm is not on this machine")
    try:
        files = package_files(ONNXRUNTIME_WEB, ["package.json", "dist/ort.wasm.min.mjs"])
    except PartsMissing as error:
        pytest.skip(f"npm cannot reach its registry: {error}")
    assert b'"license": "MIT"' in files["package.json"]
