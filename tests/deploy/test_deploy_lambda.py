"""Lambda deployment: unpacked and run under Lambda's own runtime client."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from runtime_api import FunctionFailed, function_url_event, rest_api_event, running
from toy_deployments import (
    form,
    large_jpeg,
    portrait_recognizer,
    toy_recognizer,
    with_changed_prototypes,
)

from mien.deploy import lambda_function as lambda_
from mien.deploy.check.parity import check_deployment
from mien.deploy.lambda_function import IMAGE, ZIP, deploy_lambda
from mien.deploy.packaging.distributions import Distribution
from mien.deploy.packaging.libraries import this_arch, this_python
from mien.errors import DeploymentTooLarge, NotADeployment
from mien.photo import decode_photo

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda runs Linux")

MEGABYTE = 1_000_000


@pytest.fixture
def toy_libraries(monkeypatch):
    """Replace the libraries, which take seconds to download, with a few small files."""
    files = {"numpy/__init__.py": b"x = 1\n", "PIL/_imaging.so": bytes(5000)}
    monkeypatch.setattr(
        lambda_, "libraries", lambda *_: (files, (Distribution("numpy", "2", "BSD-3-Clause"),))
    )


@pytest.fixture(scope="module")
def recognizer(engine, portraits):
    return portrait_recognizer(engine, portraits).stored_as("int8")


@pytest.fixture(scope="module")
def deployed(recognizer, tmp_path_factory):
    out = tmp_path_factory.mktemp("lambda") / "out"
    return deploy_lambda(recognizer, out, handle="us", python=this_python(), arch=this_arch())


@pytest.fixture(scope="module")
def unpacked(deployed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(deployed.folder / ZIP) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def function(unpacked):
    with running(unpacked, environment={"MIEN_THREADS": "1"}) as run:
        yield run


def named(result):
    assert result["statusCode"] == 200, result
    (row,) = json.loads(result["body"])["results"]
    return [face["name"] for face in row["faces"]]


def names_in_library(recognizer, data):
    photo = decode_photo(data, name="photo", long_side=recognizer.max_long_side)
    faces = recognizer.identify(photo)
    return [face.name for face in faces]


@pytest.mark.weights
def test_zip_is_within_the_limits_and_contains_only_what_it_needs(deployed):
    assert deployed.compiled
    assert (deployed.folder / ZIP).stat().st_size < 50 * MEGABYTE
    with zipfile.ZipFile(deployed.folder / ZIP) as archive:
        entries = archive.infolist()
    assert sum(entry.file_size for entry in entries) < 200 * MEGABYTE
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    names = {entry.filename for entry in entries}
    assert {"handler.py", "recognizer.onnx", "portrait.onnx", "page/index.html"} <= names
    assert not [name for name in names if "/tests/" in name or name.endswith(".pyi")]
    for library in ("numpy", "pillow", "pi_heif"):
        assert [n for n in names if n.lower().startswith(f"{library}-") and "licens" in n.lower()]
    assert sum(part.packed for part in deployed.parts) < deployed.limits[0].bytes
    assert "| onnxruntime |" in (deployed.folder / "README.md").read_text()


@pytest.mark.weights
def test_function_names_the_people_in_portraits(function, recognizer, portraits):
    for number, path in enumerate(sorted(portraits.iterdir())):
        data = path.read_bytes()
        headers, body = form(data, name=path.name)
        event_of = rest_api_event if number % 2 else function_url_event
        result = function.invoke(event_of("POST", "/v1/identify", body, headers=headers))
        assert named(result) == names_in_library(recognizer, data)
    assert path.stem in recognizer.people


@pytest.mark.weights
def test_face_align_classify_and_the_page(function, portraits):
    data = min(portraits.iterdir()).read_bytes()
    aligned = json.loads(function.invoke(function_url_event("POST", "/face-align", data))["body"])
    jpeg = base64.b64decode(aligned.split(",")[1])
    assert decode_photo(jpeg, name="aligned").pixels.shape == (600, 600, 3)
    headers, body = form(jpeg, name="aligned.jpg")
    result = function.invoke(function_url_event("POST", "/classify/us", body, headers=headers))
    best = json.loads(result["body"])[0]
    assert best["class_name"] == min(path.stem for path in portraits.iterdir())
    assert best["confidence"] > 0.5  # two of the portraits look alike
    page = function.invoke(function_url_event("GET", "/"))
    assert page["body"].startswith("<!doctype html>")


@pytest.mark.weights
def test_large_photos_and_broken_photos(function, portraits):
    path = min(portraits.iterdir())
    # 4.6 MB are 6.1 MB in base64, close to Lambda's limit; Lambda itself refuses 6 MB.
    data = large_jpeg(3 * MEGABYTE, path).ljust(4_600_000, b"\0")
    event = function_url_event("POST", "/v1/identify", data)
    assert named(function.invoke(event)) == [path.stem]
    event = function_url_event("POST", "/v1/identify", bytes(6 * MEGABYTE))
    assert function.invoke(event)["statusCode"] == 413
    for broken in (path.read_bytes()[:3000], b"hello", b""):
        result = function.invoke(function_url_event("POST", "/v1/align", broken))
        assert 400 <= result["statusCode"] < 500
    assert function.peak_memory() < 512 * MEGABYTE


@pytest.mark.weights
def test_function_without_its_recognizer_reports_it(unpacked, tmp_path):
    for entry in unpacked.iterdir():
        if entry.name != "recognizer.onnx":
            (tmp_path / entry.name).symlink_to(entry)
    # The handler finds its folder by its own path, so it cannot be a link.
    (tmp_path / "handler.py").unlink()
    (tmp_path / "handler.py").write_bytes((unpacked / "handler.py").read_bytes())
    with running(tmp_path) as run, pytest.raises(FunctionFailed, match="RecognizerNotFound"):
        run.invoke(function_url_event("GET", "/"))


def test_equal_inputs_give_equal_zips(toy_libraries, tmp_path):
    assert toy_libraries is None
    zips, recognizer = [], toy_recognizer()
    for name in ("one", "two"):
        deploy_lambda(recognizer, tmp_path / name, handle="us", python=this_python())
        zips.append((tmp_path / name / ZIP).read_bytes())
    assert zips[0] == zips[1]


@pytest.mark.parametrize("image", [False, True])
def test_template_passes_the_linter(toy_libraries, tmp_path, image):
    assert toy_libraries is None
    out = tmp_path / "out"
    deploy_lambda(toy_recognizer(), out, handle="us", arch="arm64", image=image)
    linter = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run(
        [linter, out / "template.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not [
        file for file in out.rglob("*") if file.is_file() and b"@ARCH@" in file.read_bytes()
    ]
    assert (out / IMAGE / "Dockerfile").exists() is image
    assert (out / ZIP).exists() is not image


def test_zip_over_the_limit_is_not_written(toy_libraries, tmp_path, monkeypatch):
    assert toy_libraries is None
    monkeypatch.setattr(lambda_, "LAMBDA_ZIP", 10_000)
    out = tmp_path / "out"
    with pytest.raises(DeploymentTooLarge, match="zip, uploaded directly"):
        deploy_lambda(toy_recognizer(), out, handle="us")
    assert not list(tmp_path.iterdir())
    deploy_lambda(toy_recognizer(), out, handle="us", image=True)
    assert (out / IMAGE / "handler.py").exists()


def test_other_folders_are_not_replaced(toy_libraries, tmp_path):
    assert toy_libraries is None
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(NotADeployment):
        deploy_lambda(toy_recognizer(), tmp_path, handle="us")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.weights
def test_parity_check_passes_and_finds_changed_prototypes(
    deployed, unpacked, recognizer, portraits, tmp_path
):
    photos = sorted(portraits.iterdir())
    found = check_deployment(deployed.folder, photos, recognizer)
    assert found.agreement.disagreements == []
    assert (found.agreement.photos, found.weights, found.original) == (len(photos), "int8", 0)
    assert found.agreement.faces >= len(photos)

    settings = json.loads((deployed.folder / "ship.json").read_text())
    del settings["digests"]
    (tmp_path / "ship.json").write_text(json.dumps({**settings, "image": True}))
    image = tmp_path / IMAGE
    image.mkdir()
    for entry in unpacked.iterdir():
        (image / entry.name).symlink_to(entry)
    for name, data in (
        ("handler.py", (unpacked / "handler.py").read_bytes()),
        ("recognizer.onnx", with_changed_prototypes(recognizer.to_bytes())),
    ):
        (image / name).unlink()
        (image / name).write_bytes(data)
    found = check_deployment(tmp_path, photos[:2], recognizer)
    assert len(found.agreement.disagreements) >= 2
    with pytest.raises(NotADeployment, match="changed since"):
        check_deployment(tmp_path, photos[:2])
