"""The library hints in its own terms; the command line words hints as commands and options."""

from __future__ import annotations

import ast
import re
import string
from functools import cache
from pathlib import Path

import pytest
from test_help import check

import mien.cli as command_line
from mien import errors
from mien.cli import main
from mien.cli.hints import (
    CLASS_HINTS,
    ERROR_HINTS,
    NOTICE_HINTS,
    TRAINING_HINTS,
    hint_of,
    notice_text,
    worded,
)
from mien.dataset import Dataset
from mien.text import Notice

LIBRARY = Path(errors.__file__).parent
MODULES = [
    path
    for path in sorted(LIBRARY.rglob("*.py"))
    if path.relative_to(LIBRARY).parts[0] not in {"cli", "__main__.py"}
]
COMMANDS = [*command_line._COMMANDS, *command_line._ALIASES]
FORBIDDEN = re.compile(rf"\bmien ({'|'.join(COMMANDS)})\b|(?<![\w-])--?[a-z]|`mien [a-z]")
OTHERS = re.compile(r"pip install -r|--hash=sha256:|python -m|multipart, -F")
"""Options of pip, Python and curl, which the library may name."""

ERRORS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.MienError)
}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def calls(name: str) -> list[ast.Call]:
    """Return the calls in the library of functions and classes that a pattern matches."""
    return [
        node
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and re.fullmatch(name, called(node))
    ]


def called(node: ast.Call) -> str:
    return getattr(node.func, "attr", "") or getattr(node.func, "id", "")


def keyword(node: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in node.keywords if word.arg == name), None)


def texts(node: ast.expr | None) -> list[str]:
    """Return the texts in an expression."""
    return [
        part.value
        for part in ast.walk(node or ast.Constant(""))
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value
    ]


@cache
def codes() -> dict[str, set[str]]:
    """Return the codes of the library's errors, with the data that each carries."""
    found: dict[str, set[str]] = {}
    for node in calls(r"[A-Z]\w+|check_limits"):
        data = keyword(node, "data")
        keys = {text for key in getattr(data, "keys", ()) for text in texts(key)}
        for code in texts(keyword(node, "code")):
            found.setdefault(code, keys)
            assert found[code] == keys, f"{code} carries different data in two places"
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_the_library_names_no_command_and_no_option(path):
    tree = parsed(path)
    docstrings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            # A text that is an option as a whole is an argument of another program.
            argument = re.match(r"-{1,2}[a-z]", node.value)
            if node not in docstrings and not argument:
                text = OTHERS.sub("", node.value)
                assert not FORBIDDEN.search(text), f"line {node.lineno}: {text}"


def test_each_code_of_an_error_has_a_hint_and_each_hint_an_error():
    assert set(codes()) == set(ERROR_HINTS)


@pytest.mark.parametrize("code", ERROR_HINTS)
def test_a_hint_uses_the_data_that_the_error_carries(code):
    used = {field for _, field, _, _ in string.Formatter().parse(ERROR_HINTS[code]) if field}
    assert used <= codes()[code]
    data = {name: f"/a photo/{name}" for name in codes()[code]}
    hint = hint_of(errors.MienError("x", hint="library", code=code, data=data))
    assert hint
    assert "{" not in hint


def test_the_commands_in_the_hints_exist():
    for text in [*ERROR_HINTS.values(), *CLASS_HINTS.values(), *TRAINING_HINTS.values()]:
        line = re.sub(r"{\w+(!q)?}", "x", text)
        commands = re.findall(r"`(mien [^`]+)`|: (mien [^`]+)$", line)
        assert len(commands) == len(re.findall(r"\bmien [a-z]", line)), line
        for quoted, last in commands:
            check(quoted or last)


def test_each_code_of_a_notice_has_a_row_and_each_row_a_notice():
    found = {code for node in calls("Notice") for code in texts(node.args[0])}
    assert found == set(NOTICE_HINTS)


def test_the_errors_without_a_hint_have_one_by_their_class():
    without = {
        ERRORS[called(node)]
        for node in calls("|".join(ERRORS))
        if keyword(node, "hint") is None and not any(word.arg is None for word in node.keywords)
    }
    assert without == set(CLASS_HINTS)
    for kind in without:
        assert hint_of(kind("x")) == CLASS_HINTS[kind]


def test_the_command_line_prefers_its_own_words_and_falls_back_on_the_library_s():
    own = errors.DatasetBusy("x", hint="library", code="dataset-busy")
    assert "-o" in hint_of(own)
    assert hint_of(errors.DatasetBusy("x", hint="library")) == "library"
    assert hint_of(errors.NoFace("x")) == ""


def test_paths_are_quoted_for_the_shell(capfd, tmp_path):
    folder = tmp_path / "my people"
    with pytest.raises(errors.NotADataset) as caught:
        Dataset.open(folder)
    assert caught.value.code == "dataset-missing"
    assert caught.value.data == {"folder": str(folder)}
    assert "mien.build_dataset" in caught.value.hint
    with pytest.raises(SystemExit) as left:
        main(["train", str(folder), "-o", str(tmp_path / "people.onnx")])
    assert left.value.code == 14
    assert f"mien dataset build PHOTOS -o '{folder}'" in capfd.readouterr().err


def test_a_notice_is_followed_by_what_to_do():
    notice = Notice("too-few-strangers", "Too few.", {"needed": 300})
    assert str(notice) == "Too few."
    assert worded(notice).text == "Too few."
    text = notice_text(notice.code, notice.text, TRAINING_HINTS)
    assert text == "Too few. Give more strangers with --strangers DATASET."
    assert TRAINING_HINTS.keys() == NOTICE_HINTS.keys()
    assert worded(notice).data == {"needed": 300}
    assert notice_text("typical-probabilities", "About typical.") == "About typical."
    assert notice_text("of another version", "As it is.") == "As it is."
