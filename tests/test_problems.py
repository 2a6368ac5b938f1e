"""Every error of the tree is a problem document with a status."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mien import errors
from mien.problems import STATUS, plain_problem, problem_of, status_of


def tree(branch):
    return [branch, *(error for child in branch.__subclasses__() for error in tree(child))]


LEAVES = [
    e for e in tree(errors.MienError) if not e.__subclasses__() and e.__module__ == "mien.errors"
]


@pytest.mark.parametrize("leaf", LEAVES)
def test_each_leaf_has_a_status(leaf):
    assert errors.MienError not in STATUS
    error = leaf("what happened", hint="do this")
    assert 400 <= status_of(error) < 600
    found = problem_of(error)
    assert found["type"].startswith("urn:mien:problem:")
    assert found["title"]
    assert (found["status"], found["detail"]) == (status_of(error), "what happened")
    assert found["hint"] == "do this"


def test_what_comes_from_no_error():
    found = plain_problem(404, hint="look elsewhere")
    assert (found["type"], found["status"]) == ("about:blank", 404)
    assert (found["title"], found["detail"]) == ("Not Found", "Not Found")
    assert found["hint"] == "look elsewhere"


def test_without_docstrings_there_is_a_title_all_the_same():
    code = (
        "from mien.errors import NoFace; from mien.problems import problem_of\n"
        "print(problem_of(NoFace('x'))['title'])"
    )
    done = subprocess.run(
        [sys.executable, "-OO", "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "NoFace"
