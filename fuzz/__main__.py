"""Fuzz what reads bytes from outside.

    python -m fuzz run [TARGET…] [--seconds N] [--folder F] [--json OUT]
    python -m fuzz replay [TARGET…] [FILE…]
    python -m fuzz corpus

`run` searches for inputs that end in anything but an answer or a MienError, that take too long or
too much memory. Each target has a process of its own; all run at once. What they find and the
inputs that they keep lie in the folder, from which the next run goes on. `replay` runs inputs that
are kept, those of `fuzz/corpus` or the files given, without atheris. `corpus` writes the first
inputs again.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from fuzz import runner, targets

CORPUS = runner.ROOT / "fuzz" / "corpus"
_RESULT = runner.ROOT / "benchmarks" / "results" / "fuzz.json"
_FOLDER = runner.ROOT / "build" / "fuzz"


def replay(name: str, inputs: Sequence[Path]) -> int:
    """Run the target on inputs and return how many there were.

    Raises:
        Exception: that of the first input which breaks the contract.
    """
    from mien.errors import MienError

    target = targets.load(name)
    for path in inputs:
        try:
            target.run(path.read_bytes())
        except MienError:
            continue
        except Exception as error:
            error.add_note(f"{name}: {path}")
            raise
    return len(inputs)


def write_corpus() -> None:
    """Write the first inputs of all targets."""
    for name in targets.NAMES:
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for label, data in targets.seeds(name).items():
            (folder / label).write_bytes(data)


def _run(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed: pip install 'mien[fuzz]' (Linux on x86-64)")
        return 2
    names = options.targets or targets.NAMES
    sys.path.insert(0, str(runner.ROOT / "benchmarks"))
    from peers.machine import described

    machine = described()
    outcomes = runner.run(names, options.seconds, options.folder.absolute())
    print(runner.table(outcomes))
    for name, outcome in outcomes.items():
        for found in outcome.findings:
            place = options.folder / name / "findings" / found["input"]
            print(f"\n{name}: {found['what']}\n{place}\n{found['details']}")
    if options.json:
        result = {
            "machine": machine,
            "seconds": options.seconds,
            "targets": {name: outcome.to_dict() for name, outcome in outcomes.items()},
        }
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    return int(any(outcome.findings for outcome in outcomes.values()))


def _replay(options: argparse.Namespace) -> int:
    for name in options.targets or targets.NAMES:
        inputs = options.files or sorted((CORPUS / name).iterdir())
        print(f"{name}: {replay(name, inputs)} inputs")
    return 0


def main() -> int:
    """Run a command and return the exit code: 1 where something was found."""
    parser = argparse.ArgumentParser(
        prog="fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="search for inputs that break a target's contract")
    running.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(targets.NAMES))
    running.add_argument("--seconds", type=int, default=60, help="wall time of each target")
    running.add_argument("--folder", type=Path, default=_FOLDER, help="for what is kept")
    running.add_argument(
        "--json", type=Path, metavar="OUT", help=f"also write it to a file: {_RESULT.name}"
    )
    again = commands.add_parser("replay", help="run inputs that are kept, without atheris")
    again.add_argument("targets", nargs="*", metavar="TARGET")
    again.add_argument("--files", nargs="+", type=Path, metavar="FILE")
    commands.add_parser("corpus", help="write the first inputs again")
    options = parser.parse_args()
    if options.command == "corpus":
        write_corpus()
        return 0
    for name in options.targets:
        if name not in targets.NAMES:
            parser.error(f"no target {name!r}: there are {', '.join(targets.NAMES)}")
    return _run(options) if options.command == "run" else _replay(options)


if __name__ == "__main__":
    sys.exit(main())
