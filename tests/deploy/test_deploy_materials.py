"""The bill of materials of each kind of deployment: the CycloneDX schema, contents, determinism."""

from __future__ import annotations

import base64
import json
from hashlib import sha256

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from toy_deployments import toy_recognizer

from mien.deploy import app_folder, static_page
from mien.deploy import lambda_function as lambda_
from mien.deploy.app_folder import deploy_app
from mien.deploy.lambda_function import deploy_lambda
from mien.deploy.packaging.bill_of_materials import materials
from mien.deploy.packaging.distributions import Distribution
from mien.deploy.packaging.npm import ONNXRUNTIME_WEB
from mien.deploy.static_page import deploy_page
from mien.version import __version__

FOUND = (
    Distribution("numpy", "2.4.6", "BSD-3-Clause AND MIT", ("0" * 64,)),
    Distribution("pi-heif", "1.4.0", "BSD-3-Clause", ("1" * 64, "2" * 64)),
    Distribution("protobuf", "7.0", "3-Clause BSD License"),
    Distribution("mystery", "", ""),
)


@pytest.fixture(scope="module")
def fault_of():
    """Return a function that gives the first fault by the schema of CycloneDX 1.6, or None."""
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str


@pytest.fixture(scope="module")
def recognizer():
    return toy_recognizer()


@pytest.fixture
def deployed(recognizer, tmp_path, monkeypatch):
    """Return a function that makes a deployment of a kind and returns its bill of materials."""
    wasm = dict.fromkeys(static_page._RUNTIME.values(), b"runtime")
    monkeypatch.setattr(static_page, "package_files", lambda *_: wasm)
    monkeypatch.setattr(app_folder, "resolved", lambda *_: FOUND)
    monkeypatch.setattr(lambda_, "libraries", lambda *_: ({"numpy/a.py": b""}, FOUND))

    def make(kind, name="out"):
        out = tmp_path / name
        if kind == "page":
            deploy_page(recognizer, out)
        elif kind == "app":
            deploy_app(recognizer, out, handle="squares")
        else:
            deploy_lambda(recognizer, out, handle="squares", image=kind == "image")
        return (out / "bom.cdx.json").read_bytes()

    return make


@pytest.mark.parametrize("kind", ["lambda", "image", "app", "page"])
def test_each_deployment_has_a_valid_one(deployed, fault_of, kind):
    data = deployed(kind)
    assert fault_of(data.decode()) is None
    bill = json.loads(data)
    assert bill["specVersion"] == "1.6"
    assert "timestamp" not in bill["metadata"]
    names = {part["name"] for part in bill["components"]}
    assert {"mien", "recognizer.onnx"} < names
    assert ({"numpy", "pi-heif"} < names) is (kind != "page")
    assert ("onnxruntime-web" in names) is (kind == "page")
    assert deployed(kind, "again") == data


def test_names_of_people_are_not_in_it(deployed, recognizer):
    text = deployed("page").decode()
    assert recognizer.people
    assert not [name for name in recognizer.people if f'"{name}"' in text]


def test_what_it_says_of_each_part(deployed, recognizer):
    bill = json.loads(deployed("app"))
    parts = {part["bom-ref"]: part for part in bill["components"]}
    assert parts["mien"]["version"] == __version__
    assert parts["mien"]["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    digest = sha256(recognizer.to_bytes()).hexdigest()
    assert parts["recognizer"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    for weights in (recognizer.about.detector, recognizer.about.embedder):
        part = parts[f"model:{weights.id}"]
        assert part["type"] == "machine-learning-model"
        assert part["hashes"] == [{"alg": "SHA-256", "content": weights.sha256}]
        assert weights.licence in json.dumps(part["licenses"])
        assert part["properties"][0]["value"] == weights.trained_on
    numpy = parts["pkg:pypi/numpy"]
    assert (numpy["version"], numpy["purl"]) == ("2.4.6", "pkg:pypi/numpy@2.4.6")
    assert numpy["licenses"] == [{"expression": "BSD-3-Clause AND MIT"}]
    assert parts["pkg:pypi/protobuf"]["licenses"] == [{"license": {"name": "3-Clause BSD License"}}]
    assert "version" not in parts["pkg:pypi/mystery"]
    listed = {row["ref"]: row["dependsOn"] for row in bill["dependencies"]}
    refs = {ref for row in listed.values() for ref in row}
    assert refs == parts.keys()


def test_runtime_and_fonts_of_a_page(deployed):
    bill = json.loads(deployed("page"))
    parts = {part["bom-ref"]: part for part in bill["components"]}
    web = parts["pkg:npm/onnxruntime-web"]
    assert web["version"] == ONNXRUNTIME_WEB.version
    (digest,) = web["hashes"]
    assert bytes.fromhex(digest["content"]) == base64.b64decode(ONNXRUNTIME_WEB.sha512)
    fonts = [part for part in bill["components"] if part["type"] == "file"]
    assert len(fonts) == 4
    assert all(font["licenses"] == [{"license": {"id": "OFL-1.1"}}] for font in fonts)


def test_time_and_serial_number(recognizer, monkeypatch, fault_of):
    def made(handle="a"):
        return json.loads(materials(recognizer, kind="app", handle=handle))

    plain = made()
    assert plain["serialNumber"] != made("b")["serialNumber"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    timed = made()
    assert fault_of(json.dumps(timed)) is None
    assert timed["metadata"]["timestamp"] == "1970-01-01T00:00:00+00:00"
    assert timed["serialNumber"] != plain["serialNumber"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert made() == plain


def test_the_schema_is_strict(recognizer, fault_of):
    bill = json.loads(materials(recognizer, kind="app", handle="a"))
    bill["components"][0]["licenses"] = [{"license": {"id": "not an SPDX id"}}]
    assert fault_of(json.dumps(bill)) is not None
