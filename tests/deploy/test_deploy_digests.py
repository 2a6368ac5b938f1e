"""SHA256SUMS of a deployment: written over every file, checked before anything of it is run."""

from __future__ import annotations

import shutil
import subprocess
from hashlib import sha256

import pytest
from toy_deployments import photo, toy_recognizer

from mien.deploy.app_folder import deploy_app
from mien.deploy.check.parity import check_deployment
from mien.deploy.packaging.digests import DIGESTS, check_digests, digests_text
from mien.errors import NotADeployment


@pytest.fixture(scope="module")
def made(tmp_path_factory, offline_module):
    assert offline_module is None
    out = tmp_path_factory.mktemp("digests") / "app"
    deploy_app(toy_recognizer(), out, handle="squares")
    return out


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "app")


def test_every_file_has_its_digest(folder):
    there = {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != DIGESTS
    }
    lines = (folder / DIGESTS).read_text().splitlines()
    assert {line[66:]: line[:64] for line in lines} == there
    assert [line[66:] for line in lines] == sorted(there)
    assert check_digests(folder) == ()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_sha256sum_reads_it(folder):
    command = ["sha256sum", "--check", "--strict", "--quiet", DIGESTS]
    assert subprocess.run(command, cwd=folder, check=False).returncode == 0
    (folder / "wsgi.py").write_bytes(b"pass")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "wsgi.py" in done.stdout


@pytest.mark.parametrize("path", ["wsgi.py", "ship.json", "mien/session.py", "page/page.js"])
def test_a_changed_file_is_not_run(folder, tmp_path, path):
    (tmp_path / "0.png").write_bytes(photo([(12, 8)]))
    with (folder / path).open("ab") as file:
        file.write(b"\n")
    with pytest.raises(NotADeployment, match=f"{path} changed since") as refused:
        check_deployment(folder, [tmp_path / "0.png"])
    assert refused.value.code == "deployment-changed"


def test_a_missing_file_is_reported(folder):
    (folder / "Procfile").unlink()
    with pytest.raises(NotADeployment, match="Procfile"):
        check_digests(folder)
    (folder / DIGESTS).unlink()
    with pytest.raises(NotADeployment, match=DIGESTS):
        check_digests(folder)


@pytest.mark.parametrize(
    "line", ["0" * 63 + "  a", "0" * 64 + "  ../a", "0" * 64 + "  /etc/passwd", "hello", "\xff"]
)
def test_a_damaged_list_is_reported(tmp_path, line):
    (tmp_path / DIGESTS).write_text(line + "\n", encoding="latin-1")
    with pytest.raises(NotADeployment, match="damaged") as refused:
        check_digests(tmp_path)
    assert refused.value.code == "deployment-damaged"


def test_added_files_are_listed(folder):
    for path in ("numpy.py", "page/more.js", ".git/config", "mien/__pycache__/a.pyc"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    assert check_digests(folder) == ("numpy.py", "page/more.js")


def test_digests_depend_on_the_files_only():
    assert digests_text({"b": b"1", "a/c": b"2"}) == digests_text({"a/c": b"2", "b": b"1"})
    assert digests_text({}) == b""
