"""Stores to test against: each test that takes `backend` runs on every backend."""

from __future__ import annotations

from pathlib import Path

import pytest

from filmcan.store.base import Backend
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend


@pytest.fixture(params=["local", "memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Return a fresh and empty store."""
    return LocalBackend(tmp_path / "store") if request.param == "local" else MemoryBackend()
