"""Deployed functions and apps have the server's limits, from one place, and write no file."""

from __future__ import annotations

import json
import tempfile
from io import BytesIO

import pytest
from toy_deployments import photo, write_deployment

from mien.deploy.service.core import RecognizerService
from mien.deploy.service.form import files_of_form
from mien.deploy.service.messages import Request, uploads
from mien.deploy.service.wsgi import application_of
from mien.errors import BadRequest, RequestTooLarge
from mien.request_limits import MAX_BODY, MAX_FIELD, MAX_FIELDS, MAX_PHOTOS
from mien.server.http import forms
from mien.server.http.limits import Limits

NONE = photo([])
KIND = "multipart/form-data; boundary=b"


def part(data: bytes, *, name="file", file_name: str | None = "me.png") -> bytes:
    file = "" if file_name is None else f'; filename="{file_name}"'
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def form_of(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--b--\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_deployment(tmp_path_factory.mktemp("deployment"))


@pytest.fixture(scope="module")
def service(folder):
    return RecognizerService(folder, threads=1)


def identify(service, body):
    return service.answer(Request("POST", "/v1/identify", {}, {"content-type": KIND}, body))


def test_the_limits_are_the_servers():
    limits = Limits()
    assert (limits.body, limits.photos) == (MAX_BODY, MAX_PHOTOS)
    assert (forms.MAX_FIELDS, forms.MAX_FIELD) == (MAX_FIELDS, MAX_FIELD)


@pytest.mark.parametrize("kind", ["\ufeff", "multipart/form-data; boundary=\N{EURO SIGN}"])
def test_a_content_type_in_other_scripts_is_a_bad_request(kind):
    with pytest.raises(BadRequest):
        files_of_form(kind, form_of(part(b"GIF89a")), "file")


def test_as_many_photos_as_the_server_takes(service):
    most = identify(service, form_of(*[part(b"GIF89a")] * MAX_PHOTOS))
    assert most.status == 200
    assert len(json.loads(most.body)["results"]) == MAX_PHOTOS
    more = identify(service, form_of(*[part(b"GIF89a")] * (MAX_PHOTOS + 1)))
    assert more.status == 413
    assert json.loads(more.body)["detail"] == "more than 32 photos in a request"


def test_as_many_fields_as_the_server_takes(service):
    text = part(b"text", name="note", file_name=None)
    assert identify(service, form_of(part(NONE), *[text] * MAX_FIELDS)).status == 200
    assert identify(service, form_of(part(NONE), *[text] * (MAX_FIELDS + 1))).status == 413
    long = part(bytes(MAX_FIELD), name="note", file_name=None)
    longer = part(bytes(MAX_FIELD + 1), name="note", file_name=None)
    assert identify(service, form_of(part(NONE), long)).status == 200
    assert identify(service, form_of(part(NONE), longer)).status == 413


def test_a_form_is_read_into_memory(service, monkeypatch):
    def refused(*_, **__):
        raise AssertionError("a temporary file")

    for name in ("NamedTemporaryFile", "TemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refused)
    data = b"GIF89a" + bytes(5 << 20)
    found = files_of_form(KIND, form_of(part(data), part(data, name="other")), "file")
    assert found == [("me.png", data)]
    assert identify(service, form_of(part(data))).status == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (KIND, part(NONE)),
        (KIND, part(NONE)[:40]),
        (KIND, b"no form at all"),
        ("multipart/form-data", form_of(part(NONE))),
        ("multipart/form-data; boundary=" + "b" * 1000, form_of(part(NONE))),
        (KIND, form_of(b"--b\r\n" + b"A: b\r\n" * 1000 + b"\r\nx\r\n")),
        (KIND, form_of(b"--b\r\nA: " + b"b" * 100_000 + b"\r\n\r\nx\r\n")),
    ],
    ids=["unfinished", "cut", "text", "no boundary", "long boundary", "many headers",
         "long header"],
)  # fmt: skip
def test_a_form_that_cannot_be_read_is_an_error(kind, body):
    with pytest.raises(BadRequest, match="the form cannot be read"):
        files_of_form(kind, body, "file")


def test_parts_without_a_name_are_no_photos():
    nameless = b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n"
    assert files_of_form(KIND, form_of(nameless, part(b"y")), "file") == [("me.png", b"y")]
    with pytest.raises(RequestTooLarge):
        files_of_form(KIND, form_of(*[nameless] * (MAX_FIELDS + 1)), "file")


def test_names_of_files_hold_no_control_characters():
    body = form_of(part(b"x", file_name="a\x1b[2J\x9b.png"), part(b"y", file_name="n" * 1000))
    first, second = uploads(Request("POST", "/", {}, {"content-type": KIND}, body))
    assert first.name == "a\ufffd[2J\ufffd.png"
    assert len(second.name) == 500


class Body(BytesIO):
    """A body that counts what is read of it."""

    def read(self, size: int | None = -1) -> bytes:
        self.asked = size
        return super().read(size)


def ask(folder, body, **more) -> tuple[str, bytes]:
    statuses = []
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/v1/identify", "wsgi.input": body, **more}
    answer = b"".join(application_of(folder)(environ, lambda status, _: statuses.append(status)))
    return statuses[0][:3], answer


def test_an_app_reads_no_more_than_the_server(folder):
    stated = Body(bytes(10))
    status, answer = ask(folder, stated, CONTENT_LENGTH=str(MAX_BODY + 1))
    assert (status, hasattr(stated, "asked")) == ("413", False)
    assert b"larger than 32 MiB" in answer
    unstated = Body(bytes(MAX_BODY + 10))
    assert ask(folder, unstated)[0] == "413"
    assert unstated.asked == MAX_BODY + 1
    assert ask(folder, Body(NONE), CONTENT_LENGTH="many")[0] == "200"
