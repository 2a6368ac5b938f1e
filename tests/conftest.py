"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from faults import POINTS

# No test asserts a time, and an example's time on a busy machine says nothing.
settings.register_profile("mien", deadline=None)
settings.load_profile("mien")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "benchmarks")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Note how many faults a test injects."""
    before = POINTS.count
    try:
        return (yield)
    finally:
        if POINTS.count > before:
            item.user_properties.append(("faults", POINTS.count - before))


def pytest_terminal_summary(terminalreporter):
    """Print how many faults were injected."""
    reports = [each for listed in terminalreporter.stats.values() for each in listed]
    called = [each for each in reports if getattr(each, "when", "") == "call"]
    injected = [n for each in called for name, n in each.user_properties if name == "faults"]
    if injected:
        terminalreporter.write_line(f"{sum(injected):,} faults injected in {len(injected)} tests")


@pytest.fixture(scope="session")
def engine():
    """Return an engine over the default models with one thread; skips if they can't be had."""
    from mien.engine import Engine
    from mien.errors import ModelError

    try:
        return Engine.open(threads=1)
    except ModelError as error:
        pytest.skip(f"the default models cannot be had: {error}")


@pytest.fixture(scope="session")
def portraits() -> Path:
    """Return a folder with seven public-domain pictures; skips if they can't be had."""
    from portraits import PortraitsUnavailable, fetch

    cache = ROOT / "demo" / "portraits"
    try:
        fetch(cache)
    except PortraitsUnavailable as error:
        pytest.skip(f"the portraits cannot be had: {error}")
    return cache


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of a Chromium; skips where there is none."""
    wanted = os.environ.get("MIEN_CHROMIUM")
    found = wanted or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found or not Path(found).exists():
        pytest.skip("no chromium here; install it, or name one in MIEN_CHROMIUM")
    return found


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Return the folder of measuring data (LFW, ten people); skips where it is not."""
    folder = Path(os.environ.get("MIEN_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "lfw-deepfunneled.tgz").exists():
        pytest.skip(f"no LFW in {folder}; set MIEN_DATA to a folder with lfw-deepfunneled.tgz")
    return folder
