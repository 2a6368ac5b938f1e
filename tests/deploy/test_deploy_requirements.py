"""Requirements with digests, as pip reports them from an index; the index is a folder of wheels."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256

import pytest
from test_deploy_wheels import make_wheel
from toy_deployments import toy_recognizer

from mien.deploy import app_folder
from mien.deploy.app_folder import deploy_app
from mien.deploy.packaging import requirements
from mien.deploy.packaging.distributions import Distribution, licence_of
from mien.deploy.packaging.requirements import requirements_text, resolved
from mien.models.wheels import PipFailed

X86 = "cp313-cp313-manylinux_2_28_x86_64"
ARM = "cp313-cp313-manylinux_2_28_aarch64"
ANY = "py3-none-any"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """Return a folder that replaces the package index; `first` needs `second`."""
    folder = tmp_path / "index"
    folder.mkdir()
    for tag in (X86, ARM):
        make_wheel(folder, "first", "1.0", tag, requires=("Second_Lib>=2",))
    make_wheel(folder, "second-lib", "2.5", ANY)
    make_wheel(folder, "second-lib", "1.0", ANY)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


def test_every_package_has_the_digest_of_each_machines_wheel(index):
    found = resolved(["first==1.0"], "3.13")
    assert [(each.name, each.version) for each in found] == [
        ("first", "1.0"),
        ("second-lib", "2.5"),
    ]
    assert set(found[0].sha256) == {digest(index / f"first-1.0-{tag}.whl") for tag in (X86, ARM)}
    assert found[1].sha256 == (digest(index / f"second_lib-2.5-{ANY}.whl"),)


def test_pip_refuses_a_replaced_wheel(index, tmp_path):
    make_wheel(index, "third", "1.0", ANY)
    (tmp_path / "requirements.txt").write_text(requirements_text(resolved(["third==1.0"], "3.13")))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes"]
    command += ["--target", tmp_path / "there", "-r", tmp_path / "requirements.txt"]
    subprocess.run(command, check=True)
    make_wheel(index, "third", "1.0", ANY, members=("__init__.py", "more.py"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "DO NOT MATCH" in done.stderr


def test_a_machine_without_wheels_has_no_digests(index):
    (index / f"first-1.0-{ARM}.whl").unlink()
    with pytest.raises(PipFailed, match="first"):
        resolved(["first==1.0"], "3.13")


def test_different_versions_by_machine_are_refused(index):
    make_wheel(index, "fourth", "1.0", X86)
    make_wheel(index, "fourth", "2.0", ARM)
    with pytest.raises(PipFailed, match="different versions"):
        resolved(["fourth"], "3.13")


def test_pip_that_fails_or_reports_no_digest(index, monkeypatch):
    assert index
    monkeypatch.setattr(requirements, "_SECONDS", 0.0)
    with pytest.raises(PipFailed, match="could not be run"):
        resolved(["first==1.0"], "3.13")
    row = {"metadata": {"name": "a", "version": "1"}, "download_info": {}}
    monkeypatch.setattr(requirements, "_report", lambda *_: [row])
    with pytest.raises(PipFailed, match="no digest of a"):
        resolved(["a==1"], "3.13")


def test_the_requirements_file_of_an_app(tmp_path, monkeypatch):
    found = (Distribution("a-b", "1.0", "MIT", ("0" * 64, "1" * 64)), Distribution("c", "2", ""))
    monkeypatch.setattr(app_folder, "resolved", lambda *_: found)
    deployed = deploy_app(toy_recognizer(), tmp_path / "out", handle="squares")
    text = (tmp_path / "out" / "requirements.txt").read_text()
    assert text == (
        f"a-b==1.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{'1' * 64}\nc==2\n"
    )
    assert deployed.unhashed == ""
    assert "--require-hashes -r requirements.txt" in (tmp_path / "out" / "Dockerfile").read_text()
    bill = json.loads((tmp_path / "out" / "bom.cdx.json").read_text())
    (row,) = [each for each in bill["components"] if each["name"] == "a-b"]
    assert [each["content"] for each in row["hashes"]] == ["0" * 64, "1" * 64]


def test_without_an_index_there_are_versions_and_a_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_OFFLINE", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    deployed = deploy_app(toy_recognizer(), tmp_path / "out", handle="squares")
    assert "MIEN_OFFLINE" in deployed.unhashed
    lines = (tmp_path / "out" / "requirements.txt").read_text().split()
    assert lines == [name + pin for name, pin in deployed.libraries.items()]
    assert "--require-hashes" not in (tmp_path / "out" / "Dockerfile").read_text()
    monkeypatch.setattr(app_folder, "_server_pin", lambda: ">=23")
    deployed = deploy_app(toy_recognizer(), tmp_path / "out", handle="squares")
    assert "not installed" in deployed.unhashed


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"License-Expression": ["MIT OR Apache-2.0"], "License": ["x"]}, "MIT OR Apache-2.0"),
        ({"License": ["BSD\n 3"]}, "BSD 3"),
        ({"License": ["UNKNOWN"], "Classifier": ["License :: OSI Approved :: MIT License"]},
         "MIT License"),
        ({"License": ["x" * 5000], "Classifier": ["Typing :: Typed"]}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_licence_of_a_package(fields, licence):
    class Metadata:
        def get_all(self, name):
            return fields.get(name)

    assert licence_of(Metadata()) == licence


def test_a_package_that_is_not_installed_has_no_version():
    assert Distribution.installed("No.such_Package") == Distribution("no-such-package", "", "")
    assert requirements_text([Distribution("a", "", "")]) == "a\n"
