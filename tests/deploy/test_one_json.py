"""One JSON for a face: the command line, the server, deployed functions and the static page."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from runtime_api import function_url_event
from toy_deployments import HANDLE, photo, toy_recognizer, write_deployment
from toy_page import needs_browser, needs_runtime

from mien.cli import main
from mien.deploy.check.browser import visiting
from mien.deploy.check.static_site import serving
from mien.deploy.service.aws import handler_of
from mien.deploy.service.core import RecognizerService
from mien.deploy.service.messages import Request
from mien.deploy.static_page import deploy_page
from mien.engine import Engine
from mien.models.statistics import EmbedderStatistics, ImpostorStatistics
from mien.recognizer import Recognizer
from mien.types import Calibration

PHOTO = photo([(12, 8), (20, 30)])
FIELDS = {
    "box", "points", "score", "name", "person_id", "probability", "similarity",
    "false_positive_rate", "nearest", "candidates", "crop", "face_token",
}  # fmt: skip
CANDIDATE_FIELDS = {"name", "person_id", "similarity", "probability"}
STATISTICS = EmbedderStatistics(
    ImpostorStatistics("made up", (0.1, 0.001), (1,), ((0.2, 0.9),)), Calibration(10.0, -5.0)
)


@pytest.fixture(scope="module")
def recognizer():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "statistics", STATISTICS)
        return toy_recognizer()


@pytest.fixture(scope="module")
def folder(recognizer, tmp_path_factory):
    return write_deployment(tmp_path_factory.mktemp("one") / "app", recognizer=recognizer)


def assert_close(value, expected, digit=1.01e-4):
    """Compare JSON values; numbers may differ by one unit of the last digit."""
    if isinstance(expected, dict):
        assert value.keys() == expected.keys()
        for key in expected:
            pixels = key in {"box", "points"}
            assert_close(value[key], expected[key], 0.101 if pixels else digit)
    elif isinstance(expected, list):
        assert len(value) == len(expected)
        for one, other in zip(value, expected, strict=True):
            assert_close(one, other, digit)
    elif isinstance(expected, float):
        assert value == pytest.approx(expected, rel=1e-3, abs=digit)
    else:
        assert value == expected


def from_library(recognizer):
    return [face.to_dict() for face in recognizer.identify(PHOTO)]


def from_command_line(recognizer, tmp_path, capfd):
    recognizer.save(tmp_path / "people.onnx")
    (tmp_path / "photo.png").write_bytes(PHOTO)
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["identify", str(tmp_path / "people.onnx"), str(tmp_path / "photo.png"), "--json"])
    assert ended.value.code == 0
    (row,) = json.loads(capfd.readouterr().out)
    return row["faces"]


def from_server(recognizer, tmp_path, crops="false"):
    pytest.importorskip("fastapi")
    from fastapi.testclient import TestClient

    from mien.server.app import create_app
    from mien.server.inference.backends import Backend
    from mien.server.state import ServerState, Settings

    backend = Backend.of_file(recognizer, recognizer.engine(threads=1))
    state = ServerState(Settings(tmp_path / "server", workers=1), {"toy": backend})
    with TestClient(create_app(state), base_url="http://127.0.0.1:8000") as client:
        answer = client.post(
            f"/v1/identify?top=10&crops={crops}", files={"file": ("photo.png", PHOTO)}
        )
    assert answer.status_code == 200, answer.text
    return answer.json()["results"][0]["faces"]


def from_service(folder, query=None):
    service = RecognizerService(folder, threads=1)
    request = Request("POST", "/v1/identify", query or {"top": "10"}, {}, PHOTO)
    return json.loads(service.answer(request).body)["results"][0]["faces"]


def from_function(folder):
    event = function_url_event("POST", "/v1/identify", PHOTO, query="top=10")
    return json.loads(handler_of(folder)(event, None)["body"])["results"][0]["faces"]


def test_every_interface_gives_a_face_the_same_json(recognizer, folder, tmp_path, capfd):
    expected = from_library(recognizer)
    assert len(expected) == 2
    for face in expected:
        assert face.keys() == FIELDS
        assert all(candidate.keys() == CANDIDATE_FIELDS for candidate in face["candidates"])
        assert 0 < face["false_positive_rate"] < 1
    assert from_command_line(recognizer, tmp_path, capfd) == expected
    assert from_service(folder) == expected
    assert from_function(folder) == expected
    # The server runs the graph in stages, for batches: the last rounded digit may differ.
    for face, same in zip(from_server(recognizer, tmp_path), expected, strict=True):
        assert face.keys() == FIELDS
        assert_close(face, same)


def test_crops_are_the_same_in_server_and_function(recognizer, folder, tmp_path):
    deployed = from_service(folder, {"crops": "true"})
    served = from_server(recognizer, tmp_path, crops="true")
    assert deployed[0]["crop"].startswith("data:image/jpeg;base64,")
    assert [face["crop"] for face in deployed] == [face["crop"] for face in served]


def test_static_page_gives_a_face_the_same_json(recognizer, tmp_path):
    needs_browser()
    needs_runtime()
    page = deploy_page(recognizer, tmp_path / "page").folder
    with serving(page) as site, visiting() as visit:
        visit.open(site.address)
        faces = visit.identify(PHOTO)["faces"]
    for face, same in zip(faces, from_library(recognizer), strict=True):
        assert face.keys() == FIELDS
        assert face["box"] == pytest.approx(same["box"], abs=0.11)
        assert np.array(face["points"]) == pytest.approx(np.array(same["points"]), abs=0.11)
        for field in ("score", "probability", "similarity"):
            assert face[field] == pytest.approx(same[field], abs=2e-4), field
        assert face["false_positive_rate"] == pytest.approx(same["false_positive_rate"], rel=0.02)
        assert (face["name"], face["nearest"]) == (same["name"], same["nearest"])
        # The page's people have ids, which corrections name; a recognizer file has none.
        assert face["face_token"]
        for candidate, other in zip(face["candidates"], same["candidates"], strict=True):
            assert candidate.keys() == CANDIDATE_FIELDS
            assert candidate["name"] == other["name"]
            assert candidate["similarity"] == pytest.approx(other["similarity"], abs=2e-4)


def test_files_without_statistics_answer_no_rate(recognizer, tmp_path):
    model = onnx.load_from_string(recognizer.to_bytes())
    properties = {entry.key: entry.value for entry in model.metadata_props}
    fields = json.loads(properties["mien"])
    del fields["statistics"]
    fields["about"]["embedder"]["id"] = "a-model-without-a-card"
    onnx.helper.set_model_props(model, {**properties, "mien": json.dumps(fields)})
    old = Recognizer(model.SerializeToString(), threads=1)
    faces = from_service(write_deployment(tmp_path / "app", recognizer=old))
    assert [face["false_positive_rate"] for face in faces] == [None, None]


def test_handle_is_in_the_answer(folder):
    service = RecognizerService(folder, threads=1)
    answer = json.loads(service.answer(Request("POST", "/v1/identify", {}, {}, PHOTO)).body)
    assert answer["recognizer"] == {"handle": HANDLE, "kind": "file"}
