"""Every code block of the README and the guides works.

Python is run, a page at a time and in its order. Each `mien` line is parsed by the command line
itself and, where small data will do, run. A block is not run only where a comment just before it
says why, `<!-- not run: REASON -->`; `<!-- first: mien … -->` is a line to run before a block.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

import click
import pytest
from fenced import PYTHON, SHELL, Block, Command, blocks, commands, spans
from staged import group

from mien.cli import cli, main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = {path.name: blocks(path) for path in PAGES}

EXEMPT = [block for page in BLOCKS.values() for block in page if block.not_run]

PARSED_ONLY = {
    "serve": "does not end by itself",
    "keys": "changes the data folder of this machine's server",
    "deploy": "downloads libraries; tests/deploy runs it",
    "ship": "downloads libraries; tests/deploy runs it",
    "models pull": "downloads",
    "models add": "needs weights of another embedder; tests/models runs it",
    "evaluate lfw": "needs LFW",
    "evaluate pairs": "needs many photos; tests/evaluation runs it",
    "evaluate all-pairs": "needs many photos; tests/evaluation runs it",
    "evaluate open-set": "needs many people; tests/evaluation runs it",
    "evaluate compare": "needs many people; tests/evaluation runs it",
    "evaluate differential": "needs many people; tests/evaluation runs it",
}
"""Start of a command: why it is not run here."""

OTHERS = {"cd", "curl", "docker", "sam", "sha256sum", "stat"}
"""Programs that are not ours: neither parsed nor run."""

DONE = (0, 1)
"""Exit codes: done; done, but for photos that are named."""

ALBUM = {
    "photos/Ada Lovelace/first.jpg": "obama.jpg",
    "photos/Ada Lovelace/second.jpg": "obama2.jpg",
    "photos/Ada Lovelace/half.jpg": "obama_partial_face.jpg",
    "photos/Ada/holiday.jpg": "obama3.jpg",
    "photos/Grace Hopper/portrait.jpg": "biden.jpg",
    "ada/first.jpg": "obama.jpg",
    "ada/second.jpg": "obama2.jpg",
    "ada.jpg": "obama.jpg",
    "byron.jpg": "obama3.jpg",
    "grace.jpg": "biden.jpg",
    "passport.jpg": "obama.jpg",
    "selfie.heic": "obama2.jpg",
}
"""A file that pages name: the portrait it is here. What is read goes by its bytes, not its name."""


@pytest.fixture(scope="session")
def stage(engine, portraits, tmp_path_factory) -> Path:  # noqa: ARG001 — skips without weights
    """Return a folder with the files that the pages name."""
    folder = tmp_path_factory.mktemp("stage")
    for name, portrait in ALBUM.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(portraits / portrait, folder / name)
    party = group([portraits / "obama.jpg", portraits / "biden.jpg"], folder / "party.jpg")
    shutil.copy(party, folder / "party.heic")
    shutil.make_archive(str(folder / "more-photos"), "zip", folder / "photos")
    assert run(["dataset", "build", str(folder / "photos"), "-o", str(folder / "people")]) in DONE
    shutil.copytree(folder / "people", folder / "new-people")
    for name, person in (("Ada Lovelace", "One of LFW"), ("Grace Hopper", "Another of LFW")):
        shutil.copytree(folder / "photos" / name, folder / "lfw" / person)
    strangers = ["dataset", "build", str(folder / "lfw"), "-o", str(folder / "lfw-dataset")]
    assert run(strangers) in DONE
    train = ["train", str(folder / "people"), "-o", str(folder / "people.onnx")]
    assert run(train) in DONE
    return folder


def folder_of(stage: Path, target: Path) -> Path:
    """Return a copy of the stage in which a page may do what it likes."""

    def link_models(source: str, copy: str) -> str:
        return os.link(source, copy) if source.endswith(".onnx") else shutil.copy2(source, copy)

    return Path(shutil.copytree(stage, target, copy_function=link_models))


def run(arguments: list[str]) -> int:
    """Run `mien` in this process and return its exit code."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    return int(left.value.code or 0)


def parse(arguments: tuple[str, ...], monkeypatch) -> None:
    """Have the command line parse arguments and stop there; raises click's usage errors."""
    with monkeypatch.context() as patch:
        patch.setattr(click.Command, "invoke", lambda *_: None)
        cli.main(list(arguments), standalone_mode=False)


def kind(block: Block) -> str:
    """Return a block's language; a block without one is a shell's if it begins with a command."""
    if block.language in SHELL:
        return "sh"
    if not block.language:
        first = next(commands(block), None)
        known = first and first.words and first.words[0] in {"mien", "pip", "python", "make"}
        return "sh" if known else "text"
    return block.language


def of_kind(page: str, wanted: str) -> list[Block]:
    return [block for block in BLOCKS[page] if kind(block) == wanted]


PAGES_WITH_PYTHON = [page for page in BLOCKS if of_kind(page, PYTHON)]
PAGES_WITH_SHELL = [page for page in BLOCKS if of_kind(page, "sh")]


@pytest.mark.weights
@pytest.mark.parametrize("page", PAGES_WITH_PYTHON)
def test_python_runs(page, stage, tmp_path, monkeypatch):
    monkeypatch.chdir(folder_of(stage, tmp_path / "page"))
    names = {"__name__": page}
    for block in of_kind(page, PYTHON):
        code = compile("\n" * (block.line - 1) + block.code, page, "exec")
        if not block.not_run:
            exec(code, names)  # noqa: S102


@pytest.mark.parametrize("page", PAGES_WITH_SHELL)
def test_commands_are_well_formed(page, monkeypatch):
    for block in of_kind(page, "sh"):
        for command in commands(block):
            where = f"{page}:{block.line}: {' '.join(command.words)}"
            try:
                check(command, monkeypatch, foreign=bool(block.not_run))
            except (click.ClickException, AssertionError) as error:
                text = error.format_message() if isinstance(error, click.ClickException) else error
                pytest.fail(f"{where}: {text}")


def check(command: Command, monkeypatch, *, foreign: bool) -> None:
    program, *arguments = command.words or ("",)
    if program == "mien":
        parse(tuple(arguments), monkeypatch)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        wanted = {word for word in arguments if "=" not in word}
        assert wanted <= {*targets}, f"no target {wanted - {*targets}}"
    elif program == "pip":
        pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        extras = re.findall(r"(?:^|mien|\.)\[([\w,]+)\]", arguments[-1])
        known = {*pyproject["project"]["optional-dependencies"]}
        assert {*",".join(extras).split(",")} - {""} <= known, f"unknown extras {extras}"
    elif program == "python":
        assert arguments[0] == "-m" or (ROOT / arguments[0]).is_file(), f"no file {arguments[0]}"
    else:
        assert foreign or program in OTHERS, f"unknown program {program!r}"


@pytest.mark.weights
@pytest.mark.parametrize("page", PAGES_WITH_SHELL)
def test_commands_run(page, stage, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(folder_of(stage, tmp_path / "page"))
    entry = re.findall(r"\b[0-9a-f]{12}\b", Path("people/manifest.csv").read_text("utf-8"))[0]
    for block in of_kind(page, "sh"):
        for command in commands(block):
            if block.not_run or not is_run(command):
                continue
            arguments = [word for argument in command.words[1:] for word in expand(argument, entry)]
            monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))  # "Forget …?"
            code = run(arguments)
            shown = capfd.readouterr()
            where = f"{page}:{block.line}: mien {' '.join(arguments)}"
            assert code in DONE, f"{where}: {code}\n{shown.err}"


def expand(word: str, entry: str) -> list[str]:
    """Do what a shell does to a word; the id of a dataset's entry becomes one that is there."""
    word = re.sub("^[0-9a-f]{12}$", entry, word).removeprefix("~/")
    return [str(path) for path in sorted(Path().glob(word))] if "*" in word else [word]


def is_run(command: Command) -> bool:
    """Return whether a command can be run on small data."""
    if not command.words or command.words[0] != "mien" or command.usage or command.environment:
        return False
    text = " ".join(command.words[1:])
    needs_lfw = any(re.match(r"lfw\b(?!-dataset)", word) for word in command.words[2:])
    return not needs_lfw and not any(re.match(rf"{start}\b", text) for start in PARSED_ONLY)


@pytest.mark.parametrize("block", EXEMPT, ids=lambda block: f"{block.page}:{block.line}")
def test_no_other_block_is_left_out(block):
    pytest.skip(f"{block.page}:{block.line} is not run: {block.not_run}")


@pytest.mark.parametrize("page", BLOCKS)
def test_other_blocks_are_read(page):
    for block in BLOCKS[page]:
        if block.language == "toml":
            tomllib.loads(block.code)
        elif block.language == "json":
            json.loads(block.code)
        else:
            known = {PYTHON, *SHELL, "", "text"}
            ours = block.language.startswith("{")  # a directive of the site
            assert ours or block.language in known, f"{page}:{block.line}: {block.language}?"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_named_in_the_text_exist(page):
    for words in spans(page):
        command: click.Command = cli
        for word in words[1:]:
            if not isinstance(command, click.Group) or not re.fullmatch(r"[a-z][a-z0-9-]*", word):
                break
            found = command.get_command(click.Context(cli), word)
            # What is no command may be an argument of a group's default command.
            assert found or command is not cli, f"`{' '.join(words)}`: no command {word}"
            command = found or command
        given = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert given <= options(command), f"`{' '.join(words)}`"


def options(command: click.Command) -> set[str]:
    """Return the options of a command and of its subcommands."""
    found = {"--help", "--version"} | {name for option in command.params for name in option.opts}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if subcommand := command.get_command(context, name):
                found |= options(subcommand)
    return found
