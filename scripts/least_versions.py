"""Print pip constraints with the least version of each package that pyproject.toml allows.

`make test-least` installs them and runs the tests: a lower bound that is not tried is a guess.

Usage: python scripts/least_versions.py > constraints.txt
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RUN_TIME = ("deploy", "encryption", "serve")
"""Extras whose packages run with Mien; those of `dev` and `docs` are tools."""

_PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<version>[0-9.]+)\s*(;.*)?")


def constraints(project: Mapping[str, Any]) -> Iterator[str]:
    """Yield a constraint for each package that Mien needs when it runs, as "numpy==1.26".

    Args:
        project: the table `project` of pyproject.toml.

    Raises:
        ValueError: a requirement has no lower bound.
    """
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(each for name in RUN_TIME for each in extras[name])]
    for requirement in dict.fromkeys(wanted):
        match = _REQUIREMENT.fullmatch(requirement)
        if match is None:
            raise ValueError(f"{requirement!r} has no lower bound, or more than that")
        yield f"{match['name']}=={match['version']}"


def main() -> None:
    """Print the constraints."""
    project = tomllib.loads(_PYPROJECT.read_text("utf-8"))["project"]
    for line in constraints(project):
        print(line)


if __name__ == "__main__":
    main()
