"""Every command has help with examples; every command line in documents and messages is valid."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mien.cli import cli

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def context_of(
    command: click.Command, parent: click.Context | None = None, **settings: bool
) -> click.Context:
    """Return a context with the settings of the root command, as the program makes it."""
    return click.Context(command, parent, command.name, **{**cli.context_settings, **settings})


def commands(command: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator:
    """Yield each command below `command` with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = context_of(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))


ALL = {" ".join(path): command for path, command in commands()}


@pytest.mark.parametrize("path", ALL)
def test_each_command_has_help_and_examples(path):
    done = CliRunner().invoke(cli, [*path.split(), "--help"], prog_name="mien")
    assert done.exit_code == 0
    assert done.output.startswith("Usage: mien")
    assert "Examples:" in done.output
    assert ALL[path].help
    examples = re.findall(r"^ +(mien .*)$", ALL[path].epilog or "", re.MULTILINE)
    assert examples
    for example in examples:
        check(example)


@pytest.mark.parametrize("path", ALL)
def test_options_are_explained(path):
    for parameter in ALL[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts


def resolve(line: str) -> tuple[click.Command, list[str]]:
    """Return the command that a line calls, and the words after its name."""
    words = list(takewhile(lambda word: word not in {">", "|", "&&", ";"}, _words(line)))
    assert words[0] == "mien"
    command: click.Command = cli
    context, rest = context_of(cli, resilient_parsing=True), words[1:]
    while isinstance(command, click.Group):
        command.parse_args(context, rest)
        rest = [*context._protected_args, *context.args]
        if not rest:
            break
        found = command.get_command(context, rest[0])
        assert found is not None, f"{line}: no command {rest[0]}"
        command, rest = found, rest[1:]
        context = context_of(found, context, resilient_parsing=True)
    return command, rest


def check(line: str) -> None:
    """Raise unless click would accept the command line; nothing runs and no file is read."""
    command, rest = resolve(line)
    _, left, _ = command.make_parser(context_of(command)).parse_args(list(rest))
    assert not left, f"{line}: {left} is too much"


def check_whole(line: str) -> None:
    """Raise as `check` does, and where a required argument or a valid choice is missing."""
    check(line)
    command, rest = resolve(line)
    values, _, _ = command.make_parser(context_of(command)).parse_args(list(rest))
    for parameter in command.params:
        value = values.get(parameter.name or "")
        if parameter.required:
            assert value not in {None, ()}, f"{line}: {parameter.name} is missing"
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            assert value in parameter.type.choices, line


def _words(line: str) -> list[str]:
    words = shlex.split(line, comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words


def fenced(text: str) -> Iterator[str]:
    """Yield the command lines of a document's fenced blocks.

    Where a block shows prompts, those lines are meant and the rest is output; [optional] parts
    are taken as given.
    """
    blocks = r"(?ms)^ *```(?:console|sh|bash|shell)?\n(.*?)^ *```"
    for block in re.findall(blocks, text):
        lines = block.replace("\\\n", " ").splitlines()
        prompted = [line for line in lines if re.match(r" *\w*\$ ", line)]
        for line in prompted or lines:
            command = re.sub(r"^ *\w*\$ ", "", line).strip()
            if re.match(r"(?:[A-Z_]+=\S* )*mien ", command):
                yield re.sub(r"\[(-[^]]*)\]", r"\1", command)


LINES = [(path.name, line) for path in DOCUMENTS for line in fenced(path.read_text("utf-8"))]


def test_the_documents_show_commands():
    assert {"README.md", "models.md", "dataset.md"} <= {name for name, _ in LINES}


@pytest.mark.parametrize(("document", "line"), LINES)
def test_command_lines_in_documents_are_valid(document, line):
    assert document
    check_whole(line)


def mentioned() -> Iterator[tuple[str, str]]:
    """Yield the commands that documents and messages mention in backquotes."""
    for path in [*DOCUMENTS, *sorted((ROOT / "src").rglob("*.py"))]:
        for line in re.findall(r"(?<!`)`(mien [^`\n{]+)`", path.read_text("utf-8")):
            yield path.name, line


@pytest.mark.parametrize(("place", "line"), sorted(set(mentioned())))
def test_commands_in_messages_exist(place, line):
    assert place
    check(re.sub(r"\[(-[^]]*)\]", r"\1", line))


def test_an_invalid_command_line_is_noticed():
    for line in (
        "mien name people.onnx a.jpg",
        "mien identify people.onnx a.jpg --drawing out",
        "mien info a.onnx b.onnx",
        "mien models list all",
    ):
        with pytest.raises((AssertionError, click.UsageError)):
            check(line)
    with pytest.raises(AssertionError):
        check_whole("mien align a.jpg")
