"""The HTTP service of deployments: requests, responses, problem documents."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from toy_deployments import HANDLE, form, photo, toy_recognizer, write_deployment

from mien.deploy.packaging.contents import own_code
from mien.deploy.service.core import PORTRAIT_SIDE, RecognizerService
from mien.deploy.service.messages import Request
from mien.deploy.service.wsgi import application_of
from mien.errors import RecognizerNotFound, UnusableWeights
from mien.photo import decode_photo, encode_png
from toy_graphs import red_squares

TWO = photo([(12, 8), (20, 30)])
NONE = photo([])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_deployment(tmp_path_factory.mktemp("deployment"))


@pytest.fixture(scope="module")
def service(folder):
    return RecognizerService(folder, threads=1)


def post(service, path, data=TWO, query=None, **changes):
    headers, body = form(data, **changes)
    return service.answer(Request("POST", path, query or {}, headers, body))


def json_of(response):
    return json.loads(response.body)


def test_faces_are_those_of_the_library(service):
    answer = json_of(post(service, "/v1/identify", query={"top": "3", "crops": "true"}))
    assert answer["recognizer"] == {"handle": HANDLE, "kind": "file"}
    (result,) = answer["results"]
    assert (result["photo"], result["error"]) == ("me.png", None)
    assert (result["width"], result["height"]) == (320, 320)
    faces = toy_recognizer().identify(decode_photo(TWO, name="me.png"))
    assert len(result["faces"]) == len(faces) == 2
    for row, face in zip(result["faces"], faces, strict=True):
        assert row == face.to_dict(top=3, crop=row["crop"])
        crop = decode_photo(base64.b64decode(row["crop"].split(",")[1]), name="crop")
        assert np.abs(crop.pixels.astype(int) - face.crop).mean() < 3


def test_raw_body_is_one_photo(service):
    headers = {"content-type": "image/png"}
    answer = service.answer(Request("POST", "/v1/identify", {}, headers, TWO))
    assert len(json_of(answer)["results"][0]["faces"]) == 2


def test_one_broken_photo_among_several_has_its_own_error(service):
    boundary = "b"
    parts = b""
    for data in (TWO, b"GIF89a nonsense", NONE):
        parts += form(data, boundary=boundary)[1].removesuffix(b"--b--\r\n")
    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = service.answer(Request("POST", "/v1/identify", {}, headers, parts + b"--b--\r\n"))
    results = json_of(answer)["results"]
    assert [len(result["faces"]) for result in results] == [2, 0, 0]
    assert [bool(result["error"]) for result in results] == [False, True, False]
    assert results[1]["error"]["status"] == 422


def test_align_returns_an_upright_portrait(service):
    response = post(service, "/v1/align", query={"face": "2", "size": "200"})
    assert response.kind == "image/jpeg"
    portrait = decode_photo(response.body, name="portrait").pixels
    assert portrait.shape == (200, 200, 3)
    answer = post(service, "/v1/align", query={"face": "3"})
    assert answer.status == 422
    assert "2 faces" in json_of(answer)["detail"]


def tinted(cells):
    """Return a photo whose left half is blue and whose right half is green."""
    pixels = red_squares(320, 320, cells)
    grey = pixels[:, :, 1] > 0
    pixels[:, :160][grey[:, :160]] = (60, 60, 200)
    pixels[:, 160:][grey[:, 160:]] = (60, 200, 60)
    return encode_png(pixels)


@pytest.mark.parametrize("cells", [[(12, 8), (20, 30)], [(20, 8), (12, 30)]])
def test_portraits_show_the_face_meant(service, cells):
    """Faces are counted from the left: the first is on blue, the second on green."""
    for number, background in (("1", 2), ("2", 1)):
        for size in ("600", "100"):
            response = post(
                service, "/v1/align", tinted(cells), query={"face": number, "size": size}
            )
            portrait = decode_photo(response.body, name="portrait").pixels
            side = int(size)
            assert portrait.shape == (side, side, 3)
            red, others = portrait[side // 2, side // 2, 0], portrait[side // 2, side // 2, 1:]
            assert red > 200
            assert others.max() < 60
            means = portrait.reshape(-1, 3).mean(axis=0)
            assert means[background] > means[3 - background] + 40
            assert means[background] > 80


def test_face_align_and_classify(service):
    answer = json_of(post(service, "/face-align"))
    assert isinstance(answer, str)
    kind, _, data = answer.partition(",")
    assert kind == "data:image/jpeg;base64"
    portrait = decode_photo(base64.b64decode(data), name="portrait")
    assert portrait.pixels.shape == (PORTRAIT_SIDE, PORTRAIT_SIDE, 3)
    assert portrait.pixels[PORTRAIT_SIDE // 2, PORTRAIT_SIDE // 2, 0] > 200

    rows = json_of(post(service, f"/classify/{HANDLE}"))
    assert all(set(row) == {"class_idx", "class_name", "confidence"} for row in rows)
    confidences = [row["confidence"] for row in rows]
    assert confidences == sorted(confidences, reverse=True)
    recognizer = toy_recognizer()
    assert all(recognizer.people[row["class_idx"]] == row["class_name"] for row in rows)


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("/classify/unknown", {}, 404),
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
def test_bad_requests_get_a_problem_document(service, path, changes, status):
    response = post(service, path, **changes)
    assert response.status == status
    assert response.kind == "application/problem+json"
    problem = json_of(response)
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["hint"]
    assert problem["type"] == "about:blank" or problem["type"].startswith("urn:mien:problem:")


def test_hints_name_the_paths_and_methods(service):
    for path in ("/nope", "/classify/nope"):
        assert f"/classify/{HANDLE}" in json_of(post(service, path))["hint"]
    assert json_of(post(service, "/healthz"))["hint"] == "It takes GET."
    assert json_of(service.answer(Request("GET", "/v1/identify")))["hint"] == "It takes POST."
    assert "top=10" in json_of(post(service, "/v1/identify", query={"top": "abc"}))["hint"]


def test_server_errors_show_details_only_in_the_log(folder, monkeypatch, caplog):
    def broken(_):
        raise UnusableWeights(f"{folder}/recognizer.onnx: onnxruntime failed")

    own = RecognizerService(folder, threads=1)
    monkeypatch.setattr(own._recognizer, "identify", broken)
    for path in ("/v1/identify", "/v1/align"):
        assert str(folder) not in post(own, path).body.decode()
    assert caplog.text.count(f"{folder}/recognizer.onnx: onnxruntime failed") == 2


def test_too_many_pixels_get_the_status_of_each_path(service):
    huge = BytesIO()
    Image.new("1", (20_000, 20_000)).save(huge, "PNG")
    for path, status in (("/v1/align", 413), (f"/classify/{HANDLE}", 412), ("/face-align", 412)):
        problem = json_of(post(service, path, data=huge.getvalue()))
        assert (problem["status"], problem["type"]) == (status, "urn:mien:problem:photo-too-large")


def test_invalid_forms_are_refused(service):
    for kind, body in (
        ("multipart/form-data", b"--x"),
        ("multipart/form-data; boundary=x", b"no form at all"),
    ):
        request = Request("POST", "/v1/identify", {}, {"content-type": kind}, body)
        assert service.answer(request).status == 422
    assert service.answer(Request("POST", "/v1/identify")).status == 422
    assert service.answer(Request("DELETE", "/v1/identify")).status == 405


def test_page_files_and_their_policy(service):
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
    assert json_of(service.answer(Request("GET", "/healthz"))) == {"status": "ok"}
    about = json_of(service.answer(Request("GET", "/v1/recognizer")))
    assert about["recognizers"][0]["people"] == list(toy_recognizer().people)
    assert about["recognizers"][0]["kind"] == "file"  # as in the server and in /v1/identify
    assert about["deployment"] == about["vessel"]
    assert about["deployment"]["deployment"] == about["deployment"]["vessel"] == "app"


def test_other_origins_need_cors(service, tmp_path):
    asked = Request("OPTIONS", "/v1/identify", {}, {"origin": "https://example.org"})
    assert service.answer(asked).status == 404 or service.answer(asked).status == 405
    assert "Access-Control-Allow-Origin" not in post(service, "/v1/identify").headers
    other = RecognizerService(write_deployment(tmp_path, cors="https://example.org"), threads=1)
    response = other.answer(asked)
    assert (response.status, response.body) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == "https://example.org"
    assert "Access-Control-Allow-Origin" in post(other, "/nowhere").headers


def test_photos_need_the_key_where_one_is_set(folder, monkeypatch):
    monkeypatch.delenv("MIEN_API_KEY", raising=False)
    monkeypatch.setenv("MIEN_KEY", "the key of a gallery, which has no effect here")
    assert post(RecognizerService.from_environment(folder), "/v1/identify").status == 200
    monkeypatch.setenv("MIEN_API_KEY", "ключ")
    monkeypatch.setenv("MIEN_THREADS", "1")
    locked = RecognizerService.from_environment(folder)
    headers, body = form(TWO)
    for given, status in (("", 401), ("Bearer no", 401), ("Bearer ключ", 200)):
        request = Request("POST", "/v1/identify", {}, {**headers, "authorization": given}, body)
        assert locked.answer(request).status == status
    assert locked.answer(Request("GET", "/")).status == 200


@pytest.fixture(scope="module")
def locked(folder):
    return RecognizerService(folder, threads=1, key="secret")


@pytest.mark.parametrize("given", ["", "Bearer wrong", "Bearer ", "Bearer secre", "Basic secret"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/recognizer"), ("HEAD", "/v1/recognizer"), ("GET", "/v1/nothing"),
        ("POST", "/v1/identify"), ("POST", "/v1/align"), ("POST", "/face-align"),
        ("POST", f"/classify/{HANDLE}"), ("POST", "/classify/other"), ("POST", "/"),
        ("POST", "/healthz"), ("DELETE", "/v1/identify"), ("PUT", "/"),
    ],
)  # fmt: skip
def test_every_route_needs_the_key(locked, method, path, given):
    headers, body = form(TWO)
    headers |= {"authorization": given}
    client = f"{method} {path} {given}"  # each with an address of its own
    response = locked.answer(Request(method, path, {}, headers, body, client))
    assert response.status == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert HANDLE.encode() not in response.body
    assert not any(name.encode() in response.body for name in toy_recognizer().people)


def test_wrong_keys_are_limited_per_address_and_lock_no_valid_key_out(folder):
    now = [0.0]
    service = RecognizerService(folder, threads=1, key="secret")
    service._wrong._clock = lambda: now[0]

    def ask(given, client="192.0.2.1"):
        headers = {"authorization": given} if given else {}
        return service.answer(Request("GET", "/v1/recognizer", {}, headers, b"", client))

    assert [ask("Bearer wrong").status for _ in range(12)] == [401] * 10 + [429] * 2
    refused = ask("Bearer \ud800")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
    assert "WWW-Authenticate" not in refused.headers
    assert json_of(refused)["hint"] == "Ask again in 5 s."
    assert ask("Bearer secret").status == 200
    assert ask("").status == 401
    assert ask("Bearer wrong", "192.0.2.2").status == 401
    assert [ask("Bearer wrong", f"2001:db8::{n}").status for n in range(11)][-1] == 429
    now[0] = 5.0
    assert [ask("Bearer wrong").status for _ in range(2)] == [401, 429]


def test_the_page_and_the_health_check_need_no_key_and_hold_no_name(locked, folder):
    names = [*toy_recognizer().people, HANDLE]
    pages = ["/", *("/" + path.name for path in (folder / "page").iterdir())]
    assert len(pages) > 3
    for path in (*pages, "/healthz"):
        response = locked.answer(Request("GET", path))
        assert response.status == 200
        assert not [name for name in names if name.encode() in response.body]
        assert locked.answer(Request("HEAD", path)).status == 200
    about = Request("GET", "/v1/recognizer", {}, {"authorization": "Bearer secret"})
    assert locked.answer(about).status == 200


def test_preflights_need_no_key(locked, tmp_path):
    folder = write_deployment(tmp_path, cors="https://example.org")
    for path in ("/v1/identify", "/v1/nothing"):
        asked = Request("OPTIONS", path, {}, {"origin": "https://example.org"})
        allowed = RecognizerService(folder, threads=1, key="secret").answer(asked)
        assert (allowed.status, allowed.body) == (204, b"")
        refused = locked.answer(asked)
        assert refused.status == 405
        assert HANDLE.encode() not in refused.body


def test_an_app_reads_no_body_without_the_key(folder, monkeypatch):
    class Unread(BytesIO):
        def read(self, *_):
            raise AssertionError("the body was read")

    monkeypatch.setenv("MIEN_API_KEY", "secret")
    application = application_of(folder)
    statuses = []

    def ask(path, body, **more):
        environ = {"REQUEST_METHOD": "POST", "PATH_INFO": path, "wsgi.input": body, **more}
        return b"".join(application(environ, lambda status, _: statuses.append(status)))

    ask("/v1/identify", Unread())
    ask("/v1/identify", Unread(), HTTP_AUTHORIZATION="Bearer wrong")
    ask("/v1/identify", BytesIO(TWO), HTTP_AUTHORIZATION="Bearer secret")
    assert [status[:3] for status in statuses] == ["401", "401", "200"]
    wrong = {"HTTP_AUTHORIZATION": "Bearer wrong", "REMOTE_ADDR": "192.0.2.1"}
    for _ in range(11):
        ask("/v1/identify", Unread(), **wrong)
    ask("/v1/identify", Unread(), **wrong | {"REMOTE_ADDR": "192.0.2.2"})
    assert [status[:3] for status in statuses[-2:]] == ["429", "401"]


def test_folder_without_a_recognizer_is_refused(tmp_path):
    with pytest.raises(RecognizerNotFound):
        RecognizerService(tmp_path)


def test_deployment_contains_the_modules_it_imports_and_no_others(folder):
    code = own_code("mien.deploy.service.core")
    names = {path for path in code if path.endswith(".py")}
    assert {"mien/__init__.py", "mien/session.py", "mien/photo/boxes.py"} <= names
    assert not {name for name in names if name.startswith(("mien/cli", "mien/training"))}
    assert sum(map(len, code.values())) < 220_000
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
