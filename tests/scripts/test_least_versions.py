"""Constraints of `make test-least`."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from least_versions import constraints

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))[
    "project"
]


def project(*dependencies, **extras):
    empty = {"deploy": [], "encryption": [], "serve": []}
    return {"dependencies": list(dependencies), "optional-dependencies": {**empty, **extras}}


def test_each_lower_bound_is_a_version():
    needed = project("a-b>=1.2", "c>=3; sys_platform != 'win32'", serve=["a-b>=1.2", "d>=0.1"])
    assert list(constraints(needed)) == ["a-b==1.2", "c==3", "d==0.1"]


@pytest.mark.parametrize("requirement", ["numpy", "numpy>=1,<3", "numpy==1", "mien[deploy]"])
def test_a_requirement_without_a_lower_bound_is_refused(requirement):
    with pytest.raises(ValueError, match="no lower bound"):
        list(constraints(project(requirement)))


def test_everything_that_mien_needs_has_one():
    names = [line.partition("==")[0] for line in constraints(PROJECT)]
    assert {"numpy", "onnxruntime", "cryptography", "uvicorn", "gunicorn"} <= set(names)
    assert len(names) == len(set(names))
