"""Lambda events and results, tested without Lambda."""

from __future__ import annotations

import base64
import json

import pytest
from runtime_api import function_url_event, rest_api_event
from toy_deployments import form, photo, write_deployment

from mien.deploy.service.aws import MAX_PAYLOAD, handler_of, request_of, result_of
from mien.deploy.service.messages import Response

ONE = photo([(12, 8)])


@pytest.fixture(scope="module")
def handle(tmp_path_factory):
    return handler_of(write_deployment(tmp_path_factory.mktemp("function")))


@pytest.mark.parametrize("event_of", [function_url_event, rest_api_event])
def test_events_of_both_versions(handle, event_of):
    headers, body = form(ONE)
    query = "top=1" if event_of is function_url_event else {"top": "1"}
    event = event_of("POST", "/v1/identify", body, query=query, headers=headers)
    result = handle(event, None)
    assert (result["statusCode"], result["isBase64Encoded"]) == (200, False)
    (row,) = json.loads(result["body"])["results"]
    assert len(row["faces"]) == len(row["faces"][0]["candidates"]) == 1


def test_images_are_returned_in_base64(handle):
    result = handle(function_url_event("POST", "/v1/align", ONE), None)
    assert result["headers"]["Content-Type"] == "image/jpeg"
    assert result["isBase64Encoded"]
    assert base64.b64decode(result["body"]).startswith(b"\xff\xd8")


def test_text_bodies_are_not_decoded_from_base64():
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


@pytest.mark.parametrize("event_of", [function_url_event, rest_api_event])
def test_the_client_is_the_one_that_the_event_names(event_of):
    event = event_of("GET", "/")
    context = event["requestContext"]
    context.setdefault("identity" if event_of is rest_api_event else "http", {})
    for found in context.values():
        if isinstance(found, dict):
            found["sourceIp"] = "192.0.2.7"
    assert request_of(event).client == "192.0.2.7"
    for found in context.values():
        if isinstance(found, dict):
            found.pop("sourceIp", None)
    assert request_of(event).client == ""
    if event_of is rest_api_event:
        assert request_of(event | {"requestContext": {}}).client == ""


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": []},
        {"version": "2.0"},
        function_url_event("POST", "/v1/identify") | {"body": "not base64!"},
        [],
        "event",
        function_url_event("GET", "/v1") | {"body": True},
        function_url_event("GET", "/v1") | {"headers": {"content-type": 5}},
        function_url_event("GET", "/v1") | {"headers": "none"},
        function_url_event("GET", "/v1") | {"requestContext": "none"},
        function_url_event("GET", "/v1") | {"rawQueryString": {"a": 1}},
        rest_api_event("GET", "/v1") | {"queryStringParameters": {"top": 5}},
        rest_api_event("GET", "/v1") | {"path": "/\ud800"},
    ],
)
def test_other_events_get_status_400(handle, event):
    assert handle(event, None)["statusCode"] == 400


def test_results_over_the_limit_of_lambda_get_status_413():
    result = result_of(Response(200, "image/jpeg", bytes(MAX_PAYLOAD)), {})
    assert result["statusCode"] == 413
