"""What is remembered of sources that failed: by key, without an id, gone with the video."""

from __future__ import annotations

from pathlib import Path

import pytest

from filmcan.store.base import Backend
from filmcan.store.deletion import delete_video
from filmcan.store.failures import FAILURES, Failure, find_failure, record_failure
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import NOW, build_product, build_run_record

VIDEO, KEY = "local/v1", "0" * 64


@pytest.fixture(params=["local", "memory"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return LocalBackend(tmp_path / "store") if request.param == "local" else MemoryBackend()


def test_a_failure_is_found_again_for_its_key_alone(backend: Backend) -> None:
    assert find_failure(backend, VIDEO, KEY) is None
    record_failure(backend, VIDEO, KEY, Failure("bad_media", "two\n lines"))
    assert find_failure(backend, VIDEO, KEY) == Failure("bad_media", "two lines")
    assert find_failure(backend, VIDEO, "1" * 64) is None
    assert find_failure(backend, "local/v2", KEY) is None
    record_failure(backend, VIDEO, KEY, Failure("worker_crashed", "x" * 99_999))
    found = find_failure(backend, VIDEO, KEY)
    assert found is not None
    assert (found.code, len(found.message)) == ("worker_crashed", 2000)


def test_a_damaged_record_counts_as_none(backend: Backend) -> None:
    record_failure(backend, VIDEO, KEY, Failure("bad_media", "m"))
    (folder,) = backend.list_folder(FAILURES).folders
    path = f"{FAILURES}/{folder}/{KEY}"
    for damaged in (b"", b"filmcan failure 1\nonly a code\n", b"something else\nc\nm\n"):
        found = backend.find_versioned(path, limit=4096)
        assert found is not None
        backend.swap(path, damaged, expected=found.version)
        assert find_failure(backend, VIDEO, KEY) is None


def test_p11_deleting_a_video_forgets_its_failures_and_deleting_a_run_does_not(
    backend: Backend,
) -> None:
    run = build_run_record()
    RunTransaction.create(backend, run, lambda: NOW).commit(build_product(run))
    record_failure(backend, VIDEO, KEY, Failure("bad_media", "m"))
    record_failure(backend, "local/other", KEY, Failure("bad_media", "m"))
    delete_video(backend, "local", "v1", "r1")
    assert find_failure(backend, VIDEO, KEY) is not None
    delete_video(backend, "local", "v1")
    assert find_failure(backend, VIDEO, KEY) is None
    record_failure(backend, VIDEO, KEY, Failure("bad_media", "m"))
    delete_video(backend, "local", "v1")
    assert find_failure(backend, VIDEO, KEY) is None
    assert find_failure(backend, "local/other", KEY) is not None
    assert len(backend.list_folder(FAILURES).folders) == 1
