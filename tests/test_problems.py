"""Every error of the tree is a problem document with a status."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mien import errors
from mien.problems import STATUS, is_fault, plain_problem, problem_of, retry_after, status_of


def tree(branch):
    return [branch, *(error for child in branch.__subclasses__() for error in tree(child))]


LEAVES = [
    e for e in tree(errors.MienError) if not e.__subclasses__() and e.__module__ == "mien.errors"
]


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_leaf_has_a_status(leaf):
    assert errors.MienError not in STATUS
    error = leaf("what happened in /srv/office", hint="mien do this /srv/office")
    assert 400 <= status_of(error) < 600
    found = problem_of(error)
    assert found["type"].startswith("urn:mien:problem:")
    assert found["title"]
    assert found["status"] == status_of(error)
    if is_fault(error):
        assert "/srv/office" not in str(found)
        assert found["detail"]
        assert "log" in found["hint"]
    else:
        assert found["detail"] == str(error)
        assert found["hint"] in {error.hint, problem_of(leaf("x"))["hint"]}


def test_faults_of_the_server_and_of_the_request():
    assert {leaf.__name__ for leaf in tree(errors.GalleryError)[1:] if not is_fault(leaf("x"))} == {
        "UnknownPerson", "UnknownPicture", "NameTaken", "InvalidName", "EnrolmentRefused",
        "GalleryBusy",
    }  # fmt: skip
    for fault in (errors.NotARecognizer, errors.UnusableWeights, errors.OutputError):
        assert is_fault(fault("x"))
    for asked in (errors.BadRequest, errors.BrokenPhoto, errors.NoFace, errors.ServerBusy):
        assert not is_fault(asked("x"))


@pytest.mark.parametrize("leaf", [errors.UnknownPerson, errors.UnknownPicture, errors.NameTaken])
def test_clients_get_hints_without_commands(leaf):
    hint = problem_of(leaf("x", hint="mien gallery list /srv/office"))["hint"]
    assert "/v1/people" in hint
    assert "mien" not in hint


@pytest.mark.parametrize(
    ("hint", "seconds"),
    [("Ask again in 12 s.", 12), ("Ask again.", 1), ("", 1), ("in s", 1), ("Within 3 s", 1)],
)
def test_a_client_may_ask_again_after_the_seconds_of_the_hint(hint, seconds):
    assert retry_after({"hint": hint}) == seconds
    assert retry_after({}) == 1


def test_the_type_is_the_class_name_in_words():
    for kind, slug in ((errors.NoFace, "no-face"), (errors.NotAGallery, "not-a-gallery")):
        assert problem_of(kind("x"))["type"] == f"urn:mien:problem:{slug}"


def test_a_problem_of_no_error():
    found = plain_problem(404, hint="look elsewhere")
    assert (found["type"], found["status"]) == ("about:blank", 404)
    assert (found["title"], found["detail"]) == ("Not Found", "Not Found")
    assert found["hint"] == "look elsewhere"


def test_without_docstrings_the_title_is_the_class_name():
    code = (
        "from mien.errors import NoFace; from mien.problems import problem_of\n"
        "print(problem_of(NoFace('x'))['title'])"
    )
    done = subprocess.run(
        [sys.executable, "-OO", "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "NoFace"
