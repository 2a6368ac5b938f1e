"""Problem documents of all errors, and conformance to the OpenAPI document."""

from __future__ import annotations

import ast
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from toy_server import listening, toy_state

from mien import errors, server
from mien.gallery.storage.database import damaged
from mien.problems import problem_of
from mien.server.http.error_responses import error_response

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance"
)


def test_an_error_response_is_its_problem_document():
    for error in (errors.NoFace("none", hint="look"), errors.ServerBusy("full", hint="in 7 s")):
        answer = error_response(error)
        assert json.loads(answer.body) == problem_of(error)
        assert answer.status_code == problem_of(error)["status"]
        assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "7"


def test_an_internal_error_reveals_nothing(client, state, monkeypatch):
    def broken():
        raise RuntimeError("a secret")

    monkeypatch.setattr(state.jobs, "all", broken)
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


def test_errors_contain_no_paths_and_no_commands(client, tmp_path):
    ada, ben = (client.post("/v1/people", json={"name": n}).json()["id"] for n in ("Ada", "Ben"))
    for answer, status in (
        (client.get("/v1/people/zzz"), 404),
        (client.delete("/v1/people/zzz"), 404),
        (client.get("/v1/people/zzz/thumbnail"), 404),
        (client.post(f"/v1/people/{ada}/merge", json={"other": "zzz"}), 404),
        (client.delete(f"/v1/people/{ada}/photos/zzz"), 404),
        (client.post("/v1/people", json={"name": "ada"}), 409),
        (client.patch(f"/v1/people/{ben}", json={"name": "Ada"}), 409),
        (client.post("/v1/people", json={"name": " "}), 422),
    ):
        assert answer.status_code == status
        assert str(tmp_path) not in answer.text
        assert "mien " not in answer.text
        assert answer.json()["hint"]


def test_server_faults_are_only_logged(client, state, monkeypatch, caplog):
    folder = state.gallery().path

    def broken(_: str):
        raise damaged(folder, "a page is torn")

    monkeypatch.setattr(state.gallery(), "person", broken)
    with caplog.at_level(logging.ERROR, logger="mien.server"):
        answer = client.get("/v1/people/Ada")
    assert answer.status_code == 503
    assert "log" in answer.json()["hint"]
    for secret in (str(folder), "torn"):
        assert secret not in answer.text
        assert secret in caplog.text


def test_every_server_error_has_a_hint():
    """Every error raised in the server's code has a hint."""
    made = [
        (path.name, node)
        for path in Path(server.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and isinstance(known := getattr(errors, node.func.id, None), type)
        and issubclass(known, errors.ServerError)
    ]
    assert len(made) > 20
    assert not [
        f"{name}:{node.lineno}"
        for name, node in made
        if "hint" not in {word.arg for word in node.keywords}
    ]


@pytest.mark.parametrize("path", ["", "/events", "/report"])
def test_an_unknown_job_is_not_found(client, path):
    problem = client.get(f"/v1/jobs/xx{path}").json()
    assert problem["status"] == 404
    assert "/v1/jobs" in problem["hint"]


def test_responses_conform_to_the_openapi_document(tmp_path):
    """Schemathesis generates requests: no status 5xx and no undocumented response."""
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        pytest.skip("schemathesis is not installed")
    with listening(toy_state(tmp_path)) as base:
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
