"""The HTTP core of the vessels: what is asked, what is answered, what is refused."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from toy_deployments import HANDLE, form, lay_out, photo, toy_recognizer

from mien.deploy.packaging.contents import own_code
from mien.deploy.service.core import PORTRAIT_SIDE, RecognizerService
from mien.deploy.service.exchange import Request
from mien.errors import RecognizerNotFound, UnusableWeights
from mien.photo import decode_photo

TWO = photo([(12, 8), (20, 30)])
NONE = photo([])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("vessel"))


@pytest.fixture(scope="module")
def service(folder):
    return RecognizerService(folder, threads=1)


def post(service, path, data=TWO, query=None, **changes):
    headers, body = form(data, **changes)
    return service.answer(Request("POST", path, query or {}, headers, body))


def told(response):
    return json.loads(response.body)


def test_faces_are_those_of_the_library(service):
    answer = told(post(service, "/v1/identify", query={"top": "3", "crops": "true"}))
    assert answer["recognizer"] == {"handle": HANDLE, "kind": "file"}
    (result,) = answer["results"]
    assert (result["photo"], result["error"]) == ("me.png", None)
    assert (result["width"], result["height"]) == (320, 320)
    faces = toy_recognizer().identify(decode_photo(TWO, name="me.png"))
    assert len(result["faces"]) == len(faces) == 2
    for row, face in zip(result["faces"], faces, strict=True):
        assert np.abs(np.array(row["box"]) - face.box).max() < 0.01
        assert row["similarity"] == pytest.approx(face.similarity, abs=1e-6)
        assert row["name"] == face.name
        assert [c["name"] for c in row["candidates"]] == [c.name for c in face.candidates[:3]]
        crop = decode_photo(base64.b64decode(row["crop"].split(",")[1]), name="crop")
        assert np.abs(crop.pixels.astype(int) - face.crop).mean() < 3


def test_a_raw_body_is_a_photo(service):
    headers = {"content-type": "image/png"}
    answer = service.answer(Request("POST", "/v1/identify", {}, headers, TWO))
    assert len(told(answer)["results"][0]["faces"]) == 2


def test_of_several_photos_the_broken_one_is_told(service):
    boundary = "b"
    parts = b""
    for data in (TWO, b"GIF89a nonsense", NONE):
        parts += form(data, boundary=boundary)[1].removesuffix(b"--b--\r\n")
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = service.answer(Request("POST", "/v1/identify", {}, headers, parts + b"--b--\r\n"))
    results = told(answer)["results"]
    assert [len(result["faces"]) for result in results] == [2, 0, 0]
    assert [bool(result["error"]) for result in results] == [False, True, False]
    assert results[1]["error"]["status"] == 422


def test_a_face_is_cut_out_upright(service):
    response = post(service, "/v1/align", query={"face": "2", "size": "200"})
    assert response.kind == "image/jpeg"
    portrait = decode_photo(response.body, name="portrait").pixels
    assert portrait.shape == (200, 200, 3)
    answer = post(service, "/v1/align", query={"face": "3"})
    assert answer.status == 422
    assert "2 faces" in told(answer)["detail"]


def test_the_two_calls_of_the_course(service):
    answer = told(post(service, "/face-align"))
    assert isinstance(answer, str)
    kind, _, data = answer.partition(",")
    assert kind == "data:image/jpeg;base64"
    portrait = decode_photo(base64.b64decode(data), name="portrait")
    assert portrait.pixels.shape == (PORTRAIT_SIDE, PORTRAIT_SIDE, 3)

    rows = told(post(service, f"/classify/{HANDLE}"))
    assert all(set(row) == {"class_idx", "class_name", "confidence"} for row in rows)
    confidences = [row["confidence"] for row in rows]
    assert confidences == sorted(confidences, reverse=True)
    recognizer = toy_recognizer()
    assert all(recognizer.people[row["class_idx"]] == row["class_name"] for row in rows)


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("/classify/nobody", {}, 404),
        ("/classify/squares", {"field": "picture"}, 412),
        ("/classify/squares", {"name": ""}, 417),
        ("/classify/squares", {"data": b"%PDF-1.7 ..."}, 412),
        ("/classify/squares", {"data": TWO[:200]}, 412),
        ("/classify/squares", {"data": NONE}, 412),
        ("/face-align", {"field": "picture"}, 412),
        ("/face-align", {"data": b"hello"}, 412),
        ("/v1/align", {"field": "picture"}, 422),
        ("/v1/align", {"data": b"hello"}, 415),
        ("/v1/align", {"data": TWO[:200]}, 422),
        ("/v1/align", {"data": NONE}, 422),
        ("/v1/align", {"query": {"size": "601"}}, 422),
        ("/v1/align", {"query": {"face": "one"}}, 422),
        ("/v1/identify", {"field": "picture"}, 422),
        ("/v1/identify", {"query": {"top": "²"}}, 422),
        ("/v1/nothing", {}, 404),
        ("/", {}, 405),
    ],
)
def test_what_is_refused_is_told(service, path, changes, status):
    response = post(service, path, **changes)
    assert response.status == status
    assert response.kind == "application/problem+json"
    problem = told(response)
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["hint"]
    assert problem["type"] == "about:blank" or problem["type"].startswith("urn:mien:problem:")


def test_the_hints_name_what_there_is(service):
    for path in ("/nope", "/classify/nope"):
        assert f"/classify/{HANDLE}" in told(post(service, path))["hint"]
    assert told(post(service, "/healthz"))["hint"] == "It takes GET."
    assert told(service.answer(Request("GET", "/v1/identify")))["hint"] == "It takes POST."
    assert "top=10" in told(post(service, "/v1/identify", query={"top": "abc"}))["hint"]


def test_a_fault_of_the_vessel_is_in_its_log_alone(folder, monkeypatch, caplog):
    def broken(_):
        raise UnusableWeights(f"{folder}/recognizer.onnx: onnxruntime failed")

    own = RecognizerService(folder, threads=1)
    monkeypatch.setattr(own._recognizer, "identify", broken)
    for path in ("/v1/identify", "/v1/align"):
        assert str(folder) not in post(own, path).body.decode()
    assert caplog.text.count(f"{folder}/recognizer.onnx: onnxruntime failed") == 2


def test_too_many_pixels_are_refused_as_each_path_says(service):
    huge = BytesIO()
    Image.new("1", (20_000, 20_000)).save(huge, "PNG")
    for path, status in (("/v1/align", 413), (f"/classify/{HANDLE}", 412), ("/face-align", 412)):
        problem = told(post(service, path, data=huge.getvalue()))
        assert (problem["status"], problem["type"]) == (status, "urn:mien:problem:photo-too-large")


def test_a_form_that_is_none_is_refused(service):
    for kind, body in (
        ("multipart/form-data", b"--x"),
        ("multipart/form-data; boundary=x", b"no form at all"),
    ):
        request = Request("POST", "/v1/identify", {}, {"content-type": kind}, body)
        assert service.answer(request).status == 422
    assert service.answer(Request("POST", "/v1/identify")).status == 422
    assert service.answer(Request("DELETE", "/v1/identify")).status == 405


def test_the_page_and_what_it_may_do(service):
    response = service.answer(Request("GET", "/"))
    assert response.kind == "text/html; charset=utf-8"
    assert b"<!doctype html>" in response.body
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert "unsafe" not in response.headers["Content-Security-Policy"]
    for name, kind in (("page.js", "text/javascript"), ("page.css", "text/css")):
        assert name.encode() in response.body
        assert service.answer(Request("GET", f"/{name}")).kind == f"{kind}; charset=utf-8"
    assert service.answer(Request("GET", "/../ship.json")).status == 404
    assert service.answer(Request("HEAD", "/")).body == b""
    assert told(service.answer(Request("GET", "/healthz"))) == {"status": "ok"}
    about = told(service.answer(Request("GET", "/v1/recognizer")))
    assert about["recognizers"][0]["people"] == list(toy_recognizer().people)
    assert about["recognizers"][0]["kind"] == "file"  # as the server's, and as /v1/identify's


def test_other_origins_only_where_it_was_asked_for(service, tmp_path):
    asked = Request("OPTIONS", "/v1/identify", {}, {"origin": "https://example.org"})
    assert service.answer(asked).status == 404 or service.answer(asked).status == 405
    assert "Access-Control-Allow-Origin" not in post(service, "/v1/identify").headers
    other = RecognizerService(lay_out(tmp_path, cors="https://example.org"), threads=1)
    response = other.answer(asked)
    assert (response.status, response.body) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "https://example.org"
    assert "Access-Control-Allow-Origin" in post(other, "/nowhere").headers


def test_a_key_is_asked_for_where_there_is_one(folder, monkeypatch):
    monkeypatch.delenv("MIEN_API_KEY", raising=False)
    monkeypatch.setenv("MIEN_KEY", "of a gallery, which is not asked for here")
    assert post(RecognizerService.from_environment(folder), "/v1/identify").status == 200
    monkeypatch.setenv("MIEN_API_KEY", "ключ")
    monkeypatch.setenv("MIEN_THREADS", "1")
    locked = RecognizerService.from_environment(folder)
    headers, body = form(TWO)
    for given, status in (("", 401), ("Bearer no", 401), ("Bearer ключ", 200)):
        request = Request("POST", "/v1/identify", {}, {**headers, "authorization": given}, body)
        assert locked.answer(request).status == status
    assert locked.answer(Request("GET", "/")).status == 200


def test_a_folder_without_a_recognizer_is_refused(tmp_path):
    with pytest.raises(RecognizerNotFound):
        RecognizerService(tmp_path)


def test_a_vessel_carries_all_of_mien_that_it_needs_and_no_more(folder):
    code = own_code("mien.deploy.service.core")
    names = {path for path in code if path.endswith(".py")}
    assert {"mien/__init__.py", "mien/session.py", "mien/photo/boxes.py"} <= names
    assert not {name for name in names if name.startswith(("mien/cli", "mien/training"))}
    assert sum(map(len, code.values())) < 200_000
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mien.deploy.service.core import RecognizerService\n"
        "import mien\n"
        f"assert mien.__file__.startswith({str(folder)!r})\n"
        f"RecognizerService(Path({str(folder)!r}), threads=1)\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    heavy = {"onnx", "google.protobuf", "click", "rich", "scipy", "platformdirs", "tomllib"}
    assert not loaded & heavy
    unused = {n.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".") for n in names}
    assert not unused - loaded
