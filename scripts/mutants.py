"""Measure what the tests notice: change a deciding module a little, and run its own tests.

mutmut's operators make the changes (`a < b` to `a <= b`, an argument dropped, a value replaced by
None …), and three of our own add returns of nothing, conditions turned round and calls left out.
Of each module a sample is drawn: lines first, then a kind of change, then one change of that kind,
so that a line with many arguments counts no more than another. Each change is run in a forked
process on a copy of `src/`, with a limit on time and memory; a change is noticed if a test fails
or time runs out.

Left out from the start is what no test should fix: docstrings, annotations, decorators, texts of
messages and errors, and `strict` of `zip`. Changes without effect are listed, each with its reason,
in `scripts/mutants.toml`, beside the modules and their tests.

Usage: python scripts/mutants.py [--sample N] [--seed N] [--only NAME …] [--json FILE [--again]]
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, CodeSpan, MetadataWrapper
from mutmut.mutation.mutators import mutation_operators

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = ROOT / "scripts" / "mutants.toml"
SOURCE = ROOT / "src"

MEMORY = 8 << 30
IMPORTED_ONCE = (
    "numpy", "hypothesis.extra.numpy", "sklearn.linear_model", "sklearn.metrics", "PIL.Image",
    "onnx", "click", "rich.console", "cryptography.fernet", "fastapi", "httpx2", "uvicorn",
)  # fmt: skip
"""What many tests import, and starts no thread."""

NOTICED, SURVIVED, TIMED_OUT, NOT_RUN = "noticed", "survived", "timed out", "not run"


@dataclass(frozen=True)
class Mutant:
    """One change of a module.

    Attributes:
        line: where it is, from 1.
        before: the changed lines, without indentation.
        after: what they become.
        source: the whole module with the change.
        kind: name of the operator that made it.
    """

    line: int
    before: str
    after: str
    source: str
    kind: str = ""

    @property
    def change(self) -> tuple[str, str]:
        """What a list of changes knows it by."""
        return self.before, self.after


@dataclass
class Module:
    """A module, its tests, and what is known of it."""

    name: str
    tests: list[str]
    goal: int
    equivalent: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where it is in `src/`."""
        return Path("mien", f"{self.name}.py")


def read_settings() -> dict[str, Module]:
    """Return the modules of `scripts/mutants.toml` by name."""
    settings = tomllib.loads(SETTINGS.read_text(encoding="utf-8"))
    modules = {}
    for group in settings["group"]:
        for name, tests in group["modules"].items():
            modules[name] = Module(name, tests, group["goal"])
    for entry in settings.get("equivalent", []):
        modules[entry["module"]].equivalent[entry["before"], entry["after"]] = entry["reason"]
    return modules


def no_value(node: cst.Return) -> Iterator[cst.Return]:
    """Return nothing."""
    if node.value is not None and not _is_name(node.value, "None"):
        yield node.with_changes(value=cst.Name("None"), whitespace_after_return=_SPACE)


def turned_round(node: cst.If | cst.While) -> Iterator[cst.If | cst.While]:
    """Turn a condition round."""
    inner = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    test = cst.UnaryOperation(cst.Not(), inner)
    yield node.with_changes(test=test)


def left_out(node: cst.Expr) -> Iterator[cst.Pass]:
    """Leave out a call."""
    if isinstance(node.value, cst.Call | cst.Await):
        yield cst.Pass()


_SPACE = cst.SimpleWhitespace(" ")
OPERATORS = [
    *mutation_operators,
    (cst.Return, no_value),
    (cst.If, turned_round),
    (cst.While, turned_round),
    (cst.Expr, left_out),
]
DECLARATIONS = (
    cst.Annotation, cst.Decorator, cst.FormattedString, cst.Import, cst.ImportFrom, cst.Raise
)  # fmt: skip
LOGS = {"_log", "log", "logger", "_logger"}
NEVER_CALLS = {"len", "isinstance", "cast", "TypeVar", "super", "Notice"}


class Changes(cst.CSTVisitor):
    """Collect the places where an operator changes something: line, node, what it becomes."""

    METADATA_DEPENDENCIES = (ByteSpanPositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, CodeSpan | None, cst.CSTNode, cst.CSTNode]] = []
        self.left_alone: set[cst.CSTNode] = set()

    def on_visit(self, node: cst.CSTNode) -> bool:
        """Note a node's changes; return whether to look inside it."""
        if node in self.left_alone or _left_alone(node):
            return False
        if isinstance(node, cst.If) and _of_another_system(node):
            self.left_alone |= {node.test, node.body}
            return True
        for kind, operator in OPERATORS:
            if isinstance(node, kind):
                place = self.get_metadata(ByteSpanPositionProvider, node, None)
                self.found += [(operator.__name__, place, node, new) for new in operator(node)]
        return True


def _left_alone(node: cst.CSTNode) -> bool:
    """Whether a change here would be of a text, a type or a declaration, not of what is done."""
    match node:
        case cst.SimpleString(value=text):
            codec = text.strip("\"'").lower() in {"utf-8", "ascii"}
            return codec or " " in text or text[-3:] in {'"""', "'''"}
        case cst.Call(func=cst.Attribute(value=cst.Name(value=name))):
            return name in LOGS
        case cst.Call(func=cst.Name(value=name)):
            return name in NEVER_CALLS
        case (
            cst.Arg(keyword=cst.Name(value="strict"))
            | cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value="__all__"))])
            | cst.If(test=cst.Name(value="TYPE_CHECKING"))
        ):
            return True
    return isinstance(node, DECLARATIONS)


def _of_another_system(node: cst.If) -> bool:
    """Whether a branch is for Windows alone, where this script does not run."""
    return cst.Module([]).code_for_node(node.test) == 'sys.platform == "win32"'


def _is_name(node: cst.CSTNode, value: str) -> bool:
    return isinstance(node, cst.Name) and node.value == value


def mutants_of(source: str) -> list[Mutant]:
    """Return every change of a module that is valid Python and not the same program."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = Changes()
    wrapper.visit(visitor)
    lines = source.splitlines()
    text = source.encode()
    found: dict[str, Mutant] = {}
    for kind, place, node, new in visitor.found:
        changed = _replaced(wrapper.module, text, place, node, new)
        if changed in found or changed == source:
            continue
        try:
            ast.parse(changed)
        except SyntaxError:
            continue
        found[changed] = _mutant(lines, changed, kind)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _replaced(
    module: cst.Module, text: bytes, place: CodeSpan | None, node: cst.CSTNode, new: cst.CSTNode
) -> str:
    """Return a module's source with one node replaced, by cutting and pasting where it is safe."""
    if place is not None:
        end = place.start + place.length
        if text[place.start : end] == module.code_for_node(node).encode():
            return (text[: place.start] + module.code_for_node(new).encode() + text[end:]).decode()
    return module.deep_replace(node, new).code


def _mutant(lines: list[str], changed: str, kind: str) -> Mutant:
    others = changed.splitlines()
    shorter = min(len(lines), len(others))
    head = next((i for i in range(shorter) if lines[i] != others[i]), shorter)
    tail = next(
        (i for i in range(shorter - head) if lines[-1 - i] != others[-1 - i]), shorter - head
    )
    before, after = (
        " ".join(line.strip() for line in text[head : len(text) - tail]) for text in (lines, others)
    )
    return Mutant(head + 1, before, after, changed, kind)


def sample_of(mutants: Iterable[Mutant], count: int, seed: str) -> list[Mutant]:
    """Return up to `count` of them: a line is drawn, then a kind of change, then one change.

    No line is drawn again before all are.
    """
    by_line: dict[int, dict[str, list[Mutant]]] = defaultdict(lambda: defaultdict(list))
    for mutant in mutants:
        by_line[mutant.line][mutant.kind].append(mutant)
    chance = random.Random(seed)  # noqa: S311
    drawn: list[Mutant] = []
    while len(drawn) < count and by_line:
        order = sorted(by_line)
        chance.shuffle(order)
        for line in order[: count - len(drawn)]:
            kinds = by_line[line]
            kind = chance.choice(sorted(kinds))
            drawn.append(kinds[kind].pop(chance.randrange(len(kinds[kind]))))
            if not kinds[kind]:
                del kinds[kind]
            if not kinds:
                del by_line[line]
    return drawn


class Slot:
    """A copy of `src/` in which one mutant at a time is tested."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = folder / "src"
        shutil.copytree(SOURCE, self.source)
        self.process = 0
        self.deadline = 0.0
        self.started = 0.0
        self.task: tuple[Module, Mutant | None] | None = None

    def start(self, module: Module, mutant: Mutant | None, limit: float) -> None:
        """Fork a process that tests the mutant, or the module as it is."""
        target = self.source / module.path
        target.write_text(
            mutant.source if mutant else (SOURCE / module.path).read_text(encoding="utf-8"),
            encoding="utf-8",
        )
        _forget_bytecode(target)
        self.task = module, mutant
        self.started = time.monotonic()
        self.deadline = self.started + limit
        self.process = os.fork()
        if not self.process:
            self._run(module)

    def restore(self) -> None:
        """Put the module back as it is."""
        if self.task is not None:
            target = self.source / self.task[0].path
            shutil.copyfile(SOURCE / self.task[0].path, target)
            _forget_bytecode(target)

    def _run(self, module: Module) -> None:
        """Run the module's tests in this process, and end it."""
        code = 70
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            output = os.open(self.folder / "output.txt", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.environ["PYTHONPATH"] = str(self.source)
            sys.path.insert(0, str(self.source))
            import pytest  # noqa: PLC0415

            code = pytest.main(
                [
                    "-x", "-q", "--tb=no",
                    "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist",
                    "-W", "ignore::pytest.PytestAssertRewriteWarning",
                    "-m", "not lfw and not weights",
                    f"--basetemp={self.folder / 'temporary'}", "--hypothesis-seed=0", *module.tests,
                ]
            )  # fmt: skip
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def poll(self) -> str | None:
        """Return how the test ended, or None while it runs."""
        ended, status = os.waitpid(self.process, os.WNOHANG)
        if not ended:
            if time.monotonic() < self.deadline:
                return None
            self._end()
            os.waitpid(self.process, 0)
            return TIMED_OUT
        self._end()  # what the tests started and left behind
        code = os.waitstatus_to_exitcode(status)
        return SURVIVED if code == 0 else NOT_RUN if code == 5 else NOTICED

    def _end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process, signal.SIGKILL)

    @property
    def seconds(self) -> float:
        """How long the test has run."""
        return time.monotonic() - self.started


def _forget_bytecode(path: Path) -> None:
    """Delete a module's bytecode: it may be of another change of the same size and second."""
    for stale in path.parent.glob(f"__pycache__/{path.stem}.*"):
        stale.unlink()


def run_all(
    tasks: list[tuple[Module, Mutant | None, float]], jobs: int
) -> Iterator[tuple[Module, Mutant | None, str, float, str]]:
    """Yield module, mutant, outcome, seconds and output of each test run, as they end."""
    waiting = tasks[::-1]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        idle = [Slot(Path(folder, str(number))) for number in range(min(jobs, len(tasks)))]
        busy: list[Slot] = []
        try:
            while waiting or busy:
                while waiting and idle:
                    slot = idle.pop()
                    slot.start(*waiting.pop())
                    busy.append(slot)
                time.sleep(0.02)
                for slot in list(busy):
                    outcome = slot.poll()
                    if outcome is not None and slot.task is not None:
                        busy.remove(slot)
                        idle.append(slot)
                        output = (slot.folder / "output.txt").read_text(errors="replace")
                        yield *slot.task, outcome, slot.seconds, output
                        shutil.copyfile(SOURCE / slot.task[0].path, slot.source / slot.task[0].path)
        finally:
            for slot in busy:
                slot._end()  # noqa: SLF001


def limits_of(modules: list[Module], jobs: int) -> dict[str, float]:
    """Run each module's tests as they are; return the limit of time for a mutant of it, in s."""
    limits = {}
    for module, _, outcome, seconds, output in run_all([(m, None, 900.0) for m in modules], jobs):
        if outcome != SURVIVED:
            print(output[-3000:])
            sys.exit(f"{module.name}: its tests fail without any change ({outcome})")
        limits[module.name] = 15 + 4 * seconds
        print(f"{module.name}: tests pass in {seconds:.1f} s", flush=True)
    return limits


def measure(
    modules: list[Module], count: int, seed: int, jobs: int, earlier: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return a row per module: what was drawn, noticed, and what survived.

    Of a module with an earlier row only what survived then is tested again.
    """
    rows: dict[str, dict[str, Any]] = {}
    waiting: list[tuple[Module, Mutant]] = []
    for module in modules:
        everything = mutants_of((SOURCE / module.path).read_text(encoding="utf-8"))
        changes = {mutant.change for mutant in everything}
        stale = [change for change in module.equivalent if change not in changes]
        if stale:
            sys.exit(f"{module.name}: listed as equivalent, but no such change: {stale}")
        if module.name in earlier:
            row, drawn = _survivors(earlier[module.name], everything)
        else:
            drawn = sample_of(everything, count, f"{seed}:{module.name}")
            row = {
                "module": module.name, "goal": module.goal, "seed": seed,
                "changes": len(everything), "drawn": len(drawn), "equivalent": 0,
                NOTICED: 0, "timed_out": 0, SURVIVED: [],
            }  # fmt: skip
        counted = [mutant for mutant in drawn if mutant.change not in module.equivalent]
        row["equivalent"] += len(drawn) - len(counted)
        rows[module.name] = row
        waiting += [(module, mutant) for mutant in counted]
    limits = limits_of([m for m in modules if any(m is module for module, _ in waiting)], jobs)
    tasks = [(module, mutant, limits[module.name]) for module, mutant in waiting]
    for done, (module, mutant, outcome, _, _) in enumerate(run_all(tasks, jobs), 1):
        if done % 20 == 0:
            print(f"{done} of {len(tasks)} changes tested", flush=True)
        if mutant is not None:
            _count(rows[module.name], mutant, outcome)
    for row in rows.values():
        row[SURVIVED].sort(key=lambda change: change["line"])
    return list(rows.values())


def _survivors(
    row: dict[str, Any], everything: list[Mutant]
) -> tuple[dict[str, Any], list[Mutant]]:
    """Return an earlier row without what survived, and that."""
    by_change = {mutant.change: mutant for mutant in everything}
    survived = [by_change.get((each["before"], each["after"])) for each in row[SURVIVED]]
    found = [mutant for mutant in survived if mutant is not None]
    if len(found) < len(survived) or row["changes"] != len(everything):
        sys.exit(f"{row['module']} is another one now: measure it without --again")
    return {**row, SURVIVED: []}, found


def _count(row: dict[str, Any], mutant: Mutant, outcome: str) -> None:
    row[NOTICED] += outcome in {NOTICED, TIMED_OUT}
    row["timed_out"] += outcome == TIMED_OUT
    if outcome in {SURVIVED, NOT_RUN}:
        print(f"\n{row['module']}:{mutant.line}\n- {mutant.before}\n+ {mutant.after}", flush=True)
        row[SURVIVED].append({"line": mutant.line, "before": mutant.before, "after": mutant.after})


def share(rows: Iterable[dict[str, Any]]) -> float:
    """Return the share noticed, in percent, of the changes that have an effect."""
    rows = list(rows)
    counted = sum(row["drawn"] - row["equivalent"] for row in rows)
    return 100 * sum(row[NOTICED] for row in rows) / max(counted, 1)


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a Markdown table, with a sum for each goal."""
    text = ["| module | changes drawn | without effect | noticed | goal |", "|---|---|---|---|---|"]
    for goal in sorted({row["goal"] for row in rows}, reverse=True):
        group = [row for row in rows if row["goal"] == goal]
        text += [
            f"| `{row['module']}` | {row['drawn']} of {row['changes']} | {row['equivalent']} "
            f"| {share([row]):.0f} % | |"
            for row in group
        ]
        drawn, same = (sum(row[key] for row in group) for key in ("drawn", "equivalent"))
        text.append(f"| **together** | {drawn} | {same} | **{share(group):.0f} %** | {goal} % |")
    return "\n".join(text)


def main() -> None:
    """Measure the modules asked for, print the table and keep it."""
    modules = read_settings()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=20, help="changes per module")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", nargs="+", choices=sorted(modules), metavar="MODULE")
    parser.add_argument("--json", type=Path, help="a file for the results; other modules' stay")
    parser.add_argument(
        "--again", action="store_true", help="test only what survived by that file, after new tests"
    )
    options = parser.parse_args()
    os.chdir(ROOT)
    os.environ.update(OMP_NUM_THREADS="1", ORT_DISABLE_TELEMETRY="1")
    for plugin in entry_points(group="pytest11"):
        plugin.load()  # once, before forking
    for name in IMPORTED_ONCE:
        importlib.import_module(name)
    earlier = {}
    if options.json and options.json.exists():
        found = json.loads(options.json.read_text("utf-8"))["modules"]
        earlier = {row["module"]: row for row in found if row["module"] in modules}
    rows = measure(
        [modules[name] for name in options.only or modules],
        options.sample, options.seed, options.jobs, earlier if options.again else {},
    )  # fmt: skip
    if options.json:
        found = {**earlier, **{row["module"]: row for row in rows}}
        rows = [found[name] for name in modules if name in found]
        text = json.dumps({"modules": rows}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    print("\n" + table(rows))


if __name__ == "__main__":
    main()
