"""Every error of the tree is a problem document; the OpenAPI document keeps its word."""

from __future__ import annotations

import ast
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from toy_server import a_service, listening

from mien import errors, server
from mien.gallery.storage.database import damaged
from mien.problems import problem_of
from mien.server.http.error_responses import answer_to

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


def test_no_answer_tells_of_the_servers_folders_or_commands(client, tmp_path):
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


def test_what_is_wrong_with_the_server_is_in_its_log_alone(client, service, monkeypatch, caplog):
    folder = service.gallery().gallery.path

    def broken(_: str):
        raise damaged(folder, "a page is torn")

    monkeypatch.setattr(service.gallery().gallery, "person", broken)
    with caplog.at_level(logging.ERROR, logger="mien.server"):
        answer = client.get("/v1/people/Ada")
    assert answer.status_code == 503
    assert "log" in answer.json()["hint"]
    for secret in (str(folder), "torn"):
        assert secret not in answer.text
        assert secret in caplog.text


def test_nothing_is_refused_without_saying_what_to_do():
    """Every error that the server's own code makes has a hint."""
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
def test_a_training_that_is_not_there(client, path):
    problem = client.get(f"/v1/jobs/xx{path}").json()
    assert problem["status"] == 404
    assert "/v1/jobs" in problem["hint"]


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
