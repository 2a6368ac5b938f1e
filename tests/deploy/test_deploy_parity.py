"""`mien deploy check`: a vessel that answers as the library does, and ones that do not."""

from __future__ import annotations

import json
import shutil
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_deployments import photo, toy_recognizer, with_a_constant_broken

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
def shipped(recognizer, tmp_path_factory):
    out = tmp_path_factory.mktemp("parity") / "app"
    deploy_app(recognizer, out, handle="squares")
    return out


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for number, cells in enumerate(([(12, 8)], [(20, 30), (5, 6)], [])):
        (folder / f"{number}.png").write_bytes(photo(cells, seed=number))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    return sorted(folder.iterdir())


def edited(shipped, tmp_path, path, change):
    """Return a copy of a vessel with one file changed."""
    folder = tmp_path / "copy"
    shutil.copytree(shipped, folder)
    (folder / path).write_bytes(change((folder / path).read_bytes()))
    return folder


def test_an_app_agrees(shipped, photos, recognizer):
    found = check_deployment(shipped, photos, recognizer)
    assert found.agreement.disagreements == []
    assert (found.vessel, found.agreement.photos, found.agreement.faces) == ("app", 3, 3)
    assert found.agreement.similarity < 1e-5
    assert (found.original, found.renamed) == (0, ())
    assert [text.split(":")[0] for text in found.skipped] == [str(photos[-1])]
    assert not list(shipped.rglob("__pycache__"))


def test_one_broken_constant_is_noticed(shipped, photos, recognizer, tmp_path):
    folder = edited(shipped, tmp_path, "recognizer.onnx", with_a_constant_broken)
    found = check_deployment(folder, photos, recognizer)
    assert "similarities" in found.agreement.disagreements[0]
    with pytest.raises(NotADeployment, match="changed since"):
        check_deployment(folder, photos)


def test_one_broken_constant_in_the_code_is_noticed(shipped, photos, tmp_path):
    def change(code):
        assert code.count(b"2) for side in face.box") == 1
        return code.replace(b"2) for side in face.box", b"2) + 2 for side in face.box")

    found = check_deployment(edited(shipped, tmp_path, "mien/ship/service.py", change), photos)
    assert "boxes are 2.0 pixels apart" in found.agreement.disagreements[0]


def test_one_that_does_not_start_says_why(shipped, photos, tmp_path):
    folder = edited(shipped, tmp_path, "wsgi.py", lambda _: b"raise RuntimeError('no')")
    with pytest.raises(NotADeployment, match="does not start"):
        check_deployment(folder, photos)


def test_what_cannot_be_run_here_is_told(shipped, photos, tmp_path):
    def changed(**values):
        return lambda text: json.dumps({**json.loads(text), **values}).encode()

    for number, (values, what) in enumerate(
        (
            ({"libraries": {"numpy": "==0.1"}}, "numpy==0.1"),
            ({"vessel": "lambda", "python": "3.98", "arch": this_arch()}, r"Python 3\.98"),
            ({"vessel": "lambda", "python": this_python(), "arch": "mips"}, "mips"),
        )
    ):
        folder = edited(shipped, tmp_path / str(number), "ship.json", changed(image=True, **values))
        (folder / "image").symlink_to(folder)
        with pytest.raises(CheckImpossible, match=what):
            check_deployment(folder, photos)
    with pytest.raises(NotADeployment, match="kind"):
        check_deployment(
            edited(shipped, tmp_path / "x", "ship.json", changed(vessel="boat")), photos
        )


def test_an_app_without_its_server_says_what_to_install(shipped, photos, tmp_path, monkeypatch):
    version = runners.metadata.version

    def without(name):
        if name == "gunicorn":
            raise runners.metadata.PackageNotFoundError(name)
        return version(name)

    # Made where there is no gunicorn, an app asks for no version of its own.
    folder = edited(shipped, tmp_path, "ship.json", lambda text: text.replace(b"==2", b">=2"))
    monkeypatch.setattr(runners.metadata, "version", without)
    with pytest.raises(CheckImpossible, match="gunicorn") as refused:
        check_deployment(folder, photos)
    assert "pip install gunicorn" in refused.value.hint


def test_the_extra_has_what_a_check_needs():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert any(line.startswith("gunicorn") for line in project["optional-dependencies"]["ship"])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"vessel": 1}'])
def test_a_folder_that_is_no_vessel(tmp_path, photos, text):
    (tmp_path / "ship.json").write_text(text)
    with pytest.raises(NotADeployment, match="no vessel"):
        check_deployment(tmp_path, photos)


def test_every_kind_of_disagreement_is_told(recognizer, photos):
    faces = recognizer.identify(decode_photo(photos[0].read_bytes(), name="0"))
    (face,) = faces
    listed = [
        {"name": c.name, "similarity": c.similarity, "probability": c.probability}
        for c in face.candidates
    ]
    row = {"name": "nobody", "box": face.box.tolist(), "candidates": listed}
    for answer, what in (
        ({"faces": None, "error": "no"}, "says: no"),
        ({"faces": []}, "0 faces"),
        ({"faces": [row]}, "says nobody"),
        ({"faces": [{**row, "box": (face.box + 1.5).tolist()}]}, "1.5 pixels"),
        ({"faces": [{**row, "candidates": listed[1:]}]}, "similarities"),
    ):
        agreement = Agreement()
        agreement.compare("0.png", faces, answer)
        assert what in " ".join(agreement.disagreements)
    moved = replace(face, box=(face.box + np.float32(0.5)).astype(np.float32))
    agreement = Agreement()
    agreement.compare("0.png", [moved], {"faces": [{**row, "name": None}]})
    assert agreement.pixels == pytest.approx(0.5)


def test_the_commands(shipped, photos, recognizer, tmp_path, capsys):
    recognizer.save(tmp_path / "my squares.onnx")
    out = tmp_path / "app"

    def run(*words):
        with pytest.raises(SystemExit) as left:
            main(["deploy", *map(str, words)])
        return left.value.code, *capsys.readouterr()

    code, told, _ = run("app", tmp_path / "my squares.onnx", "-o", out)
    assert code == 0
    assert "slug" in told
    assert "zip" not in told
    assert "Apache-2.0" in told
    assert json.loads((out / "ship.json").read_text())["handle"] == "my-squares"
    code, told, _ = run("app", tmp_path / "my squares.onnx", "-o", out, "--json")
    assert json.loads(told)["weights"] == "int8"

    code, told, _ = run("check", shipped, *photos[:2], "--json")
    assert code == 0
    assert json.loads(told)["agreement"]["disagreements"] == []
    folder = edited(shipped, tmp_path, "recognizer.onnx", with_a_constant_broken)
    code, told, err = run(
        "check", folder, *photos[:2], "--recognizer", tmp_path / "my squares.onnx"
    )
    assert code == 20
    assert "disagree" in err
    code, _, err = run("check", shipped, photos[-1])
    assert code == 16
    for words in (("--handle", "a/b"), ("--cors", "example.org"), ("--python", "three")):
        code, _, _ = run("lambda", tmp_path / "my squares.onnx", "-o", tmp_path / "no", *words)
        assert code in {2, 20}
