"""`mien deploy check`: deployments that agree with the library, and some that do not."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_deployments import photo, sign, toy_recognizer, with_changed_prototypes

from mien.cli import main
from mien.deploy.app_folder import deploy_app
from mien.deploy.check import runners
from mien.deploy.check.parity import Agreement, check_deployment
from mien.deploy.packaging.libraries import this_arch, this_python
from mien.errors import CheckImpossible, NotADeployment
from mien.photo import decode_photo

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run there")


@pytest.fixture(scope="module")
def recognizer():
    return toy_recognizer()


@pytest.fixture(scope="module")
def deployed(recognizer, tmp_path_factory):
    out = tmp_path_factory.mktemp("parity") / "app"
    deploy_app(recognizer, out, handle="squares")
    return out


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number, cells in enumerate(([(12, 8)], [(20, 30), (5, 6)], [])):
        (folder / f"{number}.png").write_bytes(photo(cells, seed=number))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing else")
    return sorted(folder.iterdir())


def edited(deployed, tmp_path, path, change):
    """Return a copy of a deployment with one file changed."""
    folder = tmp_path / "copy"
    shutil.copytree(deployed, folder)
    (folder / path).write_bytes(change((folder / path).read_bytes()))
    sign(folder)
    return folder


def test_app_agrees_with_the_library(deployed, photos, recognizer, monkeypatch):
    monkeypatch.setenv("MIEN_API_KEY", "of the deployment that runs, not of the check")
    found = check_deployment(deployed, photos, recognizer)
    assert found.agreement.disagreements == []
    assert (found.deployment, found.agreement.photos, found.agreement.faces) == ("app", 3, 3)
    assert found.agreement.similarity < 1e-5
    assert (found.original, found.renamed) == (0, ())
    assert [text.split(":")[0] for text in found.skipped] == [str(photos[-1])]
    assert not list(deployed.rglob("__pycache__"))


def test_changed_prototypes_are_found(deployed, photos, recognizer, tmp_path):
    folder = edited(deployed, tmp_path, "recognizer.onnx", with_changed_prototypes)
    found = check_deployment(folder, photos, recognizer)
    assert "similarities" in found.agreement.disagreements[0]
    with pytest.raises(NotADeployment, match="changed since"):
        check_deployment(folder, photos)


def test_changed_code_is_found(deployed, photos, tmp_path):
    def change(code):
        assert code.count(b"_pixels(self.box)") == 1
        return code.replace(b"_pixels(self.box)", b"_pixels(self.box + 2)")

    found = check_deployment(edited(deployed, tmp_path, "mien/types/answers.py", change), photos)
    assert "boxes are 2.0 pixels apart" in found.agreement.disagreements[0]


def test_deployment_that_does_not_start_reports_the_reason(deployed, photos, tmp_path):
    folder = edited(deployed, tmp_path, "wsgi.py", lambda _: b"raise RuntimeError('no')")
    with pytest.raises(NotADeployment, match="does not start"):
        check_deployment(folder, photos)


def test_deployments_that_this_machine_cannot_run(deployed, photos, tmp_path):
    def changed(**values):
        return lambda text: json.dumps({**json.loads(text), **values}).encode()

    for number, (values, what) in enumerate(
        (
            ({"libraries": {"numpy": "==0.1"}}, "numpy==0.1"),
            ({"deployment": "lambda", "python": "3.98", "arch": this_arch()}, r"Python 3\.98"),
            ({"deployment": "lambda", "python": this_python(), "arch": "mips"}, "mips"),
        )
    ):
        folder = edited(
            deployed, tmp_path / str(number), "ship.json", changed(image=True, **values)
        )
        (folder / "image").symlink_to(folder)
        with pytest.raises(CheckImpossible, match=what):
            check_deployment(folder, photos)
    with pytest.raises(NotADeployment, match="kind"):
        check_deployment(
            edited(deployed, tmp_path / "x", "ship.json", changed(deployment="boat")), photos
        )


def test_hint_without_gunicorn_says_how_to_install_it(deployed, photos, tmp_path, monkeypatch):
    version = runners.metadata.version

    def without(name):
        if name == "gunicorn":
            raise runners.metadata.PackageNotFoundError(name)
        return version(name)

    # An app that was made without gunicorn installed requires no exact version of it.
    folder = edited(deployed, tmp_path, "ship.json", lambda text: text.replace(b"==2", b">=2"))
    monkeypatch.setattr(runners.metadata, "version", without)
    with pytest.raises(CheckImpossible, match="gunicorn") as refused:
        check_deployment(folder, photos)
    assert "pip install gunicorn" in refused.value.hint


def test_extras():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert any(line.startswith("gunicorn") for line in extras["deploy"])
    assert extras["ship"] == ["mien[deploy]"]  # the extra's name in version 0.1.0
    assert {"deploy", "encryption", "serve"} <= set(re.findall(r"\w+", extras["all"][0]))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"deployment": 1}', '{"weights": "int8"}'])
def test_folders_that_are_not_deployments(tmp_path, photos, text):
    (tmp_path / "ship.json").write_text(text)
    with pytest.raises(NotADeployment, match="not a deployment"):
        check_deployment(tmp_path, photos)


def test_settings_of_version_0_1_0_are_read(deployed, photos, recognizer, tmp_path):
    def as_written_by_0_1_0(text):
        settings = json.loads(text)
        kind = settings.pop("deployment")
        del settings["digests"]
        return json.dumps({**settings, "vessel": kind}).encode()

    folder = edited(deployed, tmp_path, "ship.json", as_written_by_0_1_0)
    assert check_deployment(folder, photos[:1], recognizer).deployment == "app"


def test_every_kind_of_disagreement_is_reported(recognizer, photos):
    faces = recognizer.identify(decode_photo(photos[0].read_bytes(), name="0"))
    (face,) = faces
    listed = [
        {"name": c.name, "similarity": c.similarity, "probability": c.probability}
        for c in face.candidates
    ]
    row = {"name": "Eve", "box": face.box.tolist(), "candidates": listed}
    for answer, what in (
        ({"faces": None, "error": "no"}, "reports: no"),
        ({"faces": []}, "0 faces"),
        ({"faces": [row]}, "names Eve"),
        ({"faces": [{**row, "box": (face.box + 1.5).tolist()}]}, "1.5 pixels"),
        ({"faces": [{**row, "candidates": listed[1:]}]}, "similarities"),
    ):
        agreement = Agreement()
        agreement.compare("0.png", faces, answer)
        assert what in " ".join(agreement.disagreements)
    moved = replace(face, box=(face.box + np.float32(0.5)).astype(np.float32))
    agreement = Agreement()
    agreement.compare("0.png", [moved], {"faces": [{**row, "name": None}]})
    assert agreement.pixels == pytest.approx(0.5, abs=0.11)  # boxes have one decimal in JSON


def test_commands(deployed, photos, recognizer, tmp_path, capsys):
    recognizer.save(tmp_path / "my squares.onnx")
    out = tmp_path / "app"

    def run(*words):
        with pytest.raises(SystemExit) as left:
            main(["deploy", *map(str, words)])
        return left.value.code, *capsys.readouterr()

    code, printed, _ = run("app", tmp_path / "my squares.onnx", "-o", out)
    assert code == 0
    assert "slug" in printed
    assert "zip" not in printed
    assert "Apache-2.0" in printed
    assert json.loads((out / "ship.json").read_text())["handle"] == "my-squares"
    code, printed, _ = run("app", tmp_path / "my squares.onnx", "-o", out, "--json")
    assert json.loads(printed)["weights"] == "int8"

    code, printed, _ = run("check", deployed, *photos[:2], "--json")
    assert code == 0
    assert json.loads(printed)["agreement"]["disagreements"] == []
    folder = edited(deployed, tmp_path, "recognizer.onnx", with_changed_prototypes)
    code, printed, err = run(
        "check", folder, *photos[:2], "--recognizer", tmp_path / "my squares.onnx"
    )
    assert code == 20
    assert "disagree" in err
    code, _, err = run("check", deployed, photos[-1])
    assert code == 16
    for words in (("--handle", "a/b"), ("--cors", "example.org"), ("--python", "three")):
        code, _, _ = run("lambda", tmp_path / "my squares.onnx", "-o", tmp_path / "no", *words)
        assert code in {2, 20}
