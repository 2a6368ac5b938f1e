"""Fenced code blocks of Markdown pages, and the shell lines in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^( *)(```+|~~~+) *(\S*).*$")
_BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_MARKER = re.compile(r"^ *<!-- (not run|first): (.+?) -->$")
_PROMPT = re.compile(r"^\w*\$ ")
_OPTIONAL = re.compile(r"(?<= )\[(-[^\]]*)\]")

PYTHON = "python"
SHELL = ("sh", "console")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: file name.
        line: number of its first line of code.
        language: the word after the fence; "" where there is none.
        code: its text, indentation of the fence removed.
        not_run: the reason in a `<!-- not run: REASON -->` just before it, or "".
        first: the shell lines in a `<!-- first: LINE -->` just before it.
    """

    page: str
    line: int
    language: str
    code: str
    not_run: str = ""
    first: tuple[str, ...] = ()


def blocks(path: Path) -> list[Block]:
    """Return a page's fenced blocks in order."""
    found: list[Block] = []
    fence: re.Match[str] | None = None
    markers: list[tuple[str, str]] = []
    code: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        match = _FENCE.match(line)
        if fence is None and match:
            fence, code = match, []
        elif fence is not None and line.strip() == fence[2]:
            reason = next((text for kind, text in markers if kind == "not run"), "")
            first = tuple(text for kind, text in markers if kind == "first")
            text = "\n".join(code) + "\n"
            found.append(Block(path.name, number - len(code), fence[3], text, reason, first))
            fence, markers = None, []
        elif fence is not None:
            code.append(line.removeprefix(fence[1]))
        elif marker := _MARKER.match(line):
            markers.append((marker[1], marker[2]))
        elif line.strip():
            markers = []
    assert fence is None, f"{path.name}: a fence is not closed"
    return found


@dataclass(frozen=True)
class Command:
    """One program of a shell block.

    Attributes:
        words: the program and its arguments, quotes removed.
        usage: whether the line shows optional parts in brackets; they are among the words.
        environment: whether variables are set for it.
    """

    words: tuple[str, ...]
    usage: bool
    environment: bool


def commands(block: Block) -> Iterator[Command]:
    """Yield the programs of a shell block; of a console's lines those with a prompt."""
    text = block.code.replace("\\\n", " ")
    lines = text.splitlines()
    if any(_PROMPT.match(line) for line in lines):
        lines = [_PROMPT.sub("", line) for line in lines if _PROMPT.match(line)]
    for line in [*block.first, *lines]:
        yield from _split(line)


def _split(line: str) -> Iterator[Command]:
    plain = _OPTIONAL.sub(r"\1", line)
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word and set(word) <= set(";&|"):
            if words:
                rest = [*words]
                while rest and re.match(r"^[A-Z_]+=", rest[0]):
                    del rest[0]
                yield Command(tuple(rest), plain != line, len(rest) < len(words))
            words = []
        else:
            words.append(word)


def spans(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the words of each `mien …` in a page's running text."""
    text = _BLOCK.sub("", path.read_text(encoding="utf-8"))
    for span in re.findall(r"(?<!`)`(mien [^`]+)`(?!`)", text):
        yield tuple(shlex.split(span.replace("\n", " ")))
