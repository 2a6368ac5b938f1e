"""Fixtures for tests of the store: an empty store, and sources of weights."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from toy_models import WEIGHTS, Publisher


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An empty store, without a mirror folder, with network access."""
    folder = tmp_path / "home"
    monkeypatch.setenv("MIEN_HOME", str(folder))
    monkeypatch.delenv("MIEN_MODELS", raising=False)
    monkeypatch.delenv("MIEN_OFFLINE", raising=False)
    return folder


@pytest.fixture
def wheels(tmp_path, monkeypatch) -> Path:
    """A folder that is the only package index of pip."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    return folder


@pytest.fixture
def publisher():
    served = Publisher(WEIGHTS)
    yield served
    served.close()
