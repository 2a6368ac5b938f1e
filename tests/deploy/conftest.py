"""Fixtures of the tests of deployments."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def offline_module():
    """Set MIEN_OFFLINE, so that pip looks nothing up: these tests are about other things."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_OFFLINE", "1")
        patch.delenv("PIP_FIND_LINKS", raising=False)
        yield
