"""Lambda's events and results, without Lambda."""

from __future__ import annotations

import base64
import json

import pytest
from runtime_api import function_url_event, rest_api_event
from toy_deployments import form, lay_out, photo

from mien.deploy.service.aws import MAX_PAYLOAD, handler_of, request_of, result_of
from mien.deploy.service.exchange import Response

ONE = photo([(12, 8)])


@pytest.fixture(scope="module")
def handle(tmp_path_factory):
    return handler_of(lay_out(tmp_path_factory.mktemp("function")))


@pytest.mark.parametrize("event_of", [function_url_event, rest_api_event])
def test_both_kinds_of_events(handle, event_of):
    headers, body = form(ONE)
    query = "top=1" if event_of is function_url_event else {"top": "1"}
    event = event_of("POST", "/v1/identify", body, query=query, headers=headers)
    result = handle(event, None)
    assert (result["statusCode"], result["isBase64Encoded"]) == (200, False)
    (row,) = json.loads(result["body"])["results"]
    assert len(row["faces"]) == len(row["faces"][0]["candidates"]) == 1


def test_pictures_go_out_in_base64(handle):
    result = handle(function_url_event("POST", "/v1/align", ONE), None)
    assert result["headers"]["Content-Type"] == "image/jpeg"
    assert result["isBase64Encoded"]
    assert base64.b64decode(result["body"]).startswith(b"\xff\xd8")


def test_a_body_that_is_text_is_taken_as_it_is():
    event = function_url_event("POST", "/x") | {"body": "grün", "isBase64Encoded": False}
    assert request_of(event).body == "grün".encode()
    assert request_of(event | {"body": None}).body == b""


def test_headers_paths_and_stages():
    event = function_url_event("get", "/prod/v1%2Fx/%D1%8F", headers={"X-Key": "a"})
    event["requestContext"]["stage"] = "prod"
    request = request_of(event)
    assert (request.method, request.path) == ("GET", "/v1/x/я")
    assert request.headers == {"x-key": "a"}
    assert request_of(function_url_event("GET", "/prod/v1")).path == "/prod/v1"
    assert request_of(rest_api_event("GET", "/v1")).path == "/v1"
    event["rawPath"] = "/prod"
    assert request_of(event).path == "/"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": []},
        {"version": "2.0"},
        function_url_event("POST", "/v1/identify") | {"body": "no base64!"},
    ],
)
def test_what_is_no_event_is_told(handle, event):
    assert handle(event, None)["statusCode"] == 400


def test_answers_that_lambda_would_drop_are_told():
    result = result_of(Response(200, "image/jpeg", bytes(MAX_PAYLOAD)), {})
    assert result["statusCode"] == 413
