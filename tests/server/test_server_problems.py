"""Every error of the tree is a problem document; the OpenAPI document keeps its word."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from toy_server import a_service, listening

from mien import errors
from mien.problems import problem_of
from mien.server.problems import answer_to

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance"
)


def test_an_error_is_answered_by_its_document():
    for error in (errors.NoFace("nobody", hint="look"), errors.ServerBusy("full", hint="in 7 s")):
        answer = answer_to(error)
        assert json.loads(answer.body) == problem_of(error)
        assert answer.status_code == problem_of(error)["status"]
        assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "7"


def test_an_unforeseen_error_tells_nothing(client, service, monkeypatch):
    def broken():
        raise RuntimeError("a secret")

    monkeypatch.setattr(service.jobs, "all", broken)
    answer = client.get("/v1/jobs")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text


def test_unknown_addresses_and_methods(client):
    nothing = client.get("/nothing").json()
    assert nothing["status"] == 404
    assert "openapi.json" in nothing["hint"]
    answer = client.delete("/v1/people")
    assert answer.json()["status"] == 405
    assert "Allow" in answer.json()["hint"]
    assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]


def test_the_document_keeps_its_word(tmp_path):
    """Schemathesis: requests made up from the document; no 5xx, no answer it does not tell of."""
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        pytest.skip("schemathesis is not installed")
    with listening(a_service(tmp_path)) as base:
        done = subprocess.run(
            [
                program, "run", f"{base}/openapi.json", "--phases", "examples,fuzzing",
                "--max-examples", "10", "--seed", "1", "--generation-database", "none",
                "--checks", CHECKS,
                "--exclude-path-regex", "/events$", "--suppress-health-check", "all", "--no-color",
            ],
            capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout
