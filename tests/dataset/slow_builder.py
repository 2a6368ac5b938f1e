"""Build a dataset of squares slowly, so that a test can kill it.

Usage: slow_builder.py SOURCE DIR SECONDS.
"""

import sys

from squares import SquareEngine

from mien.dataset.build import Options, build


def print_progress(done, _total, _what):
    sys.stdout.write(f"{done}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    source, folder, seconds = sys.argv[1:]
    engine = SquareEngine(seconds=float(seconds))
    build([source], folder, engine, Options(jobs=2), progress=print_progress)
