"""The shape of the project: small modules in small folders, and one name for one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "mien"
MODULES = sorted(SOURCE.rglob("*.py"))
SCRIPTS = sorted(SOURCE.rglob("*.js"))

MOST_MODULES, MOST_LINES, LONGEST_FUNCTION = 12, 400, 60

SERVES = {
    "audit": "the server's audit trail: its command and its route",
    "dataset": "the command group of the room",
    "evaluate": "the command group of the room",
    "gallery": "the room, its class and its command group",
    "deploy": "the room and its command group",
    "models": "the room and its commands",
    "verification": "1:1 comparison: a call, its measures, its protocols",
    "identification": "1:N search: its measures, its protocols, its report",
    "open_set": "open-set identification: its measures, its protocols, its command",
    "all_pairs": "a protocol and its report",
    "lfw": "Labeled Faces in the Wild: a source, a protocol, its report",
    "build": "a dataset's build and its command",
    "pairs": "a command of the protocol",
    "recognizer": "the file and the command that evaluates it",
    "identify": "the command and the route",
    "people": "the people of a gallery: commands and routes",
    "jobs": "training jobs and their routes",
    "page": "the page's route and files",
    "storage": "what a dataset and a gallery are kept in",
    "versions": "versions of trained recognizers and their routes",
    "training": "training, and the server's jobs that do it",
}
"""Module names that stand twice, each for one thing that several rooms are about."""


def folders(paths):
    found = defaultdict(list)
    for path in paths:
        found[path.parent].append(path)
    return found


@pytest.mark.parametrize("paths", [MODULES, SCRIPTS], ids=["Python", "JavaScript"])
def test_a_folder_is_taken_in_at_a_glance(paths):
    crowded = {}
    for folder, inside in folders(paths).items():
        count = sum(path.stem not in {"__init__", "__main__"} for path in inside)
        if count > MOST_MODULES:
            crowded[folder.relative_to(SOURCE).as_posix()] = count
    assert not crowded


def test_modules_and_functions_are_short():
    long = []
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(SOURCE).as_posix()
        if (lines := text.count("\n")) > MOST_LINES:
            long.append(f"{name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = [n for n in node.body if not _is_docstring(n)]
                lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
                if lines > LONGEST_FUNCTION:
                    long.append(f"{name}: {node.name} has {lines} lines")
    assert not long


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def test_one_name_is_one_thing():
    places = defaultdict(set)
    for path in MODULES:
        parts = path.relative_to(SOURCE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and parts[-1] != "__main__":
            places[parts[-1]].add(".".join(parts))
    twice = {name: sorted(where) for name, where in places.items() if len(where) > 1}
    assert {name: where for name, where in twice.items() if name not in SERVES} == {}


def test_no_two_classes_have_one_name():
    places = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.relative_to(SOURCE).as_posix())
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_names_say_something():
    vague = {"util", "utils", "common", "helper", "helpers", "misc", "manager"}
    assert not [path for path in MODULES if path.stem in vague or path.parent.name in vague]
