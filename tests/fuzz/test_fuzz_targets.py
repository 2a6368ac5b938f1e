"""The corpus of each fuzz target ends as it should, and a short search finds nothing."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import runner, targets

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "fuzz" / "corpus"
SECONDS = 5

pytestmark = pytest.mark.fuzz


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return subprocess.run(
        [sys.executable, "-m", "fuzz", *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True, text=True, check=False, timeout=600, errors="replace",
    )  # fmt: skip


@pytest.mark.parametrize("name", targets.NAMES)
def test_the_corpus_ends_in_answers_or_errors(name):
    """In another process: a target changes limits and checksums of the process that loads it."""
    ended = python("replay", name)
    assert ended.returncode == 0, ended.stderr[-3000:]
    assert f"{name}: {len(list((CORPUS / name).iterdir()))} inputs" in ended.stdout


@pytest.mark.parametrize("name", targets.NAMES)
def test_the_corpus_is_small_and_made_from_nothing(name):
    """Each file is one that `python -m fuzz corpus` writes, or was found and repaired."""
    sizes = {path.name: path.stat().st_size for path in (CORPUS / name).iterdir()}
    assert 10 <= len(sizes) <= 60
    assert max(sizes.values()) <= 8192
    made = set(targets.seeds(name))
    assert made <= set(sizes)
    assert all(label.startswith("found-") for label in set(sizes) - made)


@pytest.mark.parametrize("name", targets.NAMES)
def test_changes_in_a_targets_own_form_raise_nothing_but_value_errors(name):
    mutate = targets.mutation(name)
    if mutate is None:
        pytest.skip("its inputs are changed byte by byte")
    for path in sorted((CORPUS / name).iterdir()):
        rng = random.Random(path.name)  # noqa: S311
        data = path.read_bytes()
        for _ in range(20):
            assert isinstance(mutate(data, rng), bytes)


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is not installed: pip install 'mien[fuzz]' (Linux on x86-64)",
)
def test_a_short_search_finds_nothing(tmp_path):
    outcomes = runner.run(targets.NAMES, SECONDS, tmp_path)
    for name, outcome in outcomes.items():
        assert outcome.findings == [], name
        assert outcome.executions > len(list((CORPUS / name).iterdir())), name
        assert outcome.branches > 0, name
