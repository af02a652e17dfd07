"""Stores to test against: each test that takes `backend` runs on every backend."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from filmcan.store.base import Backend
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend


@pytest.fixture(params=["local", "memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Return a fresh and empty store."""
    return LocalBackend(tmp_path / "store") if request.param == "local" else MemoryBackend()


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a real PostgreSQL of these tests; skip where none starts."""
    pgserver = pytest.importorskip("pgserver", reason="pgserver has no wheel for this Python")
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        try:
            server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="stop")
        except Exception as error:  # noqa: BLE001 - whatever keeps a server from starting here
            pytest.skip(f"PostgreSQL does not start here: {error}")
        stack.callback(server.cleanup)
        yield server.get_uri()
