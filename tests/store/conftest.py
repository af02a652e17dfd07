"""Stores to test against: each test that takes `backend` runs on every backend."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filmcan.store import side_by_side
from filmcan.store.base import Backend
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.testing.made_stores import open_bucket

_prefixes = itertools.count()


@pytest.fixture
def open_backend(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Backend]:
    """Return what makes a fresh and empty store: `local`, `memory` or `s3`."""

    def open_it(kind: str) -> Backend:
        if kind == "local":
            return LocalBackend(tmp_path / "store")
        if kind == "memory":
            return MemoryBackend()
        request.getfixturevalue("object_server")
        return open_bucket(f"every/{next(_prefixes)}")

    return open_it


@pytest.fixture
def processes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes read the rest of a local store after the first chunk, however little it is."""
    monkeypatch.setattr(side_by_side, "_JUDGED_AFTER_SEC", 0.0)
    monkeypatch.setattr(side_by_side, "_WORTH_PROCESSES_SEC", 0.0)


START_TRIES = 6


@pytest.fixture(params=["local", "memory"])
def backend(request: pytest.FixtureRequest, open_backend: Callable[[str], Backend]) -> Backend:
    """Return a store of each kind that takes no time; modules that want buckets too say so."""
    return open_backend(request.param)


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a real PostgreSQL of these tests; skip where none starts."""
    pgserver = pytest.importorskip("pgserver", reason="pgserver has no wheel for this Python")
    folder = tmp_path_factory.mktemp("postgresql")
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        for left in reversed(range(START_TRIES)):
            try:
                server = pgserver.get_server(folder, cleanup_mode="stop")
                break
            except (OSError, subprocess.SubprocessError) as error:
                # It waits ten seconds for a start; on a busy machine that goes on meanwhile.
                if not left:
                    pytest.skip(f"PostgreSQL does not start here: {error}")
        stack.callback(server.cleanup)
        yield server.get_uri()
