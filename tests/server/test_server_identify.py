"""Identification over HTTP, the course's routes, the page and the metrics."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from toy_server import blank, files, picture, shared_engine

from mien.cli import main
from mien.engine import Engine
from mien.matching import HeadMatcher
from mien.photo import encode_jpeg


def test_identify_with_a_recognizer_file(client):
    done = client.post("/v1/identify?handle=toy&crops=true&top=2", files=files(picture(1), blank()))
    assert done.status_code == 200
    body = done.json()
    assert body["recognizer"] == {"handle": "toy", "kind": "file"}
    first, second = body["results"]
    (face,) = first["faces"]
    assert (face["name"], face["person_id"]) == ("Ben", None)
    assert len(face["candidates"]) == 2
    assert len(face["points"]) == 5
    assert (first["width"], first["height"]) == (480, 480)
    assert face["crop"].startswith("data:image/jpeg;base64,")
    assert face["face_token"] is None
    assert second["faces"] == []


def test_an_unknown_false_positive_rate_is_null(client, state):
    known = state.backend("toy")
    unknown = replace(known, matcher=HeadMatcher(known.recognizer.head, None))
    for backend, null in ((known, False), (unknown, True)):
        state.set_backend("toy", backend)
        done = client.post("/v1/identify?handle=toy", files=files(picture(0)))
        (face,) = done.json()["results"][0]["faces"]
        assert face["name"] == "Ada"
        assert (face["false_positive_rate"] is None) == null


def test_an_unreadable_photo_does_not_affect_the_others(client):
    done = client.post("/v1/identify?handle=toy", files=files(b"no photo", picture(0)))
    bad, good = done.json()["results"]
    assert bad["error"]["type"] == "urn:mien:problem:unsupported-photo"
    assert bad["error"]["hint"]
    assert good["faces"][0]["name"] == "Ada"


def test_a_picture_that_is_far_too_long_is_the_clients_fault(client):
    line = np.zeros((2, 200_000, 3), np.uint8)
    data = io.BytesIO()
    Image.fromarray(line).save(data, "PNG")
    (row,) = client.post("/v1/identify", files=files(data.getvalue())).json()["results"]
    assert (row["error"]["status"], row["faces"]) == (422, [])
    done = client.post("/v1/align", files={"file": data.getvalue()})
    assert done.status_code == 422
    assert "no photo has a side of more than 100000" in done.json()["detail"]


def test_an_empty_gallery_names_no_face(client):
    (row,) = client.post("/v1/identify", files=files(picture(0))).json()["results"]
    assert row["faces"][0]["name"] is None
    assert row["faces"][0]["candidates"] == []


def test_verify(client):
    pair = [*files(picture(0), field="a"), *files(picture(0), field="b")]
    done = client.post("/v1/verify", files=pair).json()
    assert done["same"]
    assert done["similarity"] == pytest.approx(1, abs=1e-4)
    missing = client.post("/v1/verify", files=files(picture(0), field="a"))
    assert missing.status_code == 422
    faceless = [*files(picture(0), field="a"), *files(blank(), field="b")]
    assert client.post("/v1/verify", files=faceless).json()["type"].endswith("no-face")


@pytest.mark.parametrize("face", [None, 2])
def test_align_is_the_same_crop_as_that_of_the_command(client, tmp_path, monkeypatch, face):
    photo = picture(0, faces=2)
    (tmp_path / "photo.png").write_bytes(photo)
    monkeypatch.setattr(Engine, "open", lambda **_: shared_engine())
    chosen = ["--face", str(face)] if face else []
    for name in ("crop.jpg", "crop.png"):
        with pytest.raises(SystemExit) as left:
            main(["align", str(tmp_path / "photo.png"), "-o", str(tmp_path / name), *chosen])
        assert left.value.code == 0
    query = f"?face={face}" if face else ""
    served = client.post(f"/v1/align{query}", files=files(photo)).content
    assert served == (tmp_path / "crop.jpg").read_bytes()
    with Image.open(tmp_path / "crop.png") as crop:
        assert crop.size == (600, 600)
        assert encode_jpeg(np.asarray(crop)) == served


def test_align_and_embed(client):
    done = client.post("/v1/align?size=64", files=files(picture(0)))
    assert done.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(done.content)).size == (64, 64)
    assert client.post("/v1/align?face=3", files=files(picture(0))).status_code == 422
    body = client.post("/v1/embed", files=files(picture(0))).json()
    assert len(body["results"][0]["faces"][0]["embedding"]) == body["dimension"]


def test_the_course_s_routes(client):
    aligned = client.post("/face-align", files=files(picture(2))).json()
    jpeg = base64.b64decode(aligned.removeprefix("data:image/jpeg;base64,"))
    assert Image.open(io.BytesIO(jpeg)).size == (600, 600)
    guesses = client.post("/classify/toy", files=files(picture(2))).json()
    assert set(guesses[0]) == {"class_idx", "class_name", "confidence"}
    assert (guesses[0]["class_idx"], guesses[0]["class_name"]) == (2, "Cyd")
    confidences = [guess["confidence"] for guess in guesses]
    assert confidences == sorted(confidences, reverse=True)


@pytest.mark.parametrize("path", ["/face-align", "/classify/toy"])
def test_the_course_s_errors(client, path):
    assert client.post("/classify/unknown", files=files(picture(0))).status_code == 404
    assert client.post(path, files=files(b"no photo")).status_code == 412
    assert client.post(path, files=files(blank())).status_code == 412
    assert client.post(path, files=files(picture(0), field="other")).status_code == 412
    assert client.post(path).status_code == 412
    empty = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n"
    )
    kind = {"content-type": "multipart/form-data; boundary=x"}
    assert client.post(path, content=empty, headers=kind).status_code == 417


def test_the_page_and_its_files_are_served(client):
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    tag = page.headers["etag"]
    assert client.get("/", headers={"if-none-match": tag}).status_code == 304
    assert client.get("/app.js").headers["content-type"].startswith("text/javascript")
    for path in ("/../app.py", "/%2e%2e/app.py", "/fonts/..%2f..%2fapp.py", "/nothing"):
        assert client.get(path).status_code == 404


def test_health_and_metrics(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    client.post("/v1/identify?handle=toy", files=files(picture(0)))
    text = client.get("/metrics").text
    assert "mien_photos_total 1.0" in text
    assert 'route="/v1/identify"' in text
