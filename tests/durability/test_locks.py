"""P6: what must not happen at the same time happens under a lock, seen from outside."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path

import pytest

from filmcan.errors import NotFoundError
from filmcan.files import locked
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.deletion import delete_video
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.repair import repair_store
from filmcan.store.sweep import SweepRules, sweep_store
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import NOW, build_product, build_run_record


def list_held(root: Path) -> set[str]:
    """Return the kinds of locks that somebody holds: `swap`, `exclusive`."""
    held = set()
    for path in (root / "_filmcan" / "locks").glob("*.lock"):
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            held.add(path.suffixes[-2][1:])
        finally:
            os.close(descriptor)
    return held


class Spy(LocalBackend):
    """Notes the locks that are held while something is changed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path
        self.seen: list[tuple[str, set[str]]] = []

    def swap(self, path: str, data: bytes, *, expected: str | None) -> str:
        self._note("swap", path)
        return super().swap(path, data, expected=expected)

    def remove(self, path: str) -> None:
        self._note("remove", path)
        super().remove(path)

    def move(self, path: str, new_path: str) -> None:
        self._note("move", path)
        super().move(path, new_path)

    def _note(self, what: str, path: str) -> None:
        if not path.startswith(HOUSEKEEPING):
            self.seen.append((what, list_held(self.path)))

    def _find_version(self, path: str) -> str | None:
        self.seen.append(("compare", list_held(self.path)))
        return super()._find_version(path)


def test_p6_a_swap_compares_and_writes_under_its_lock(tmp_path: Path) -> None:
    backend = Spy(tmp_path)
    version = backend.swap("r/manifest.json", b"one", expected=None)
    backend.swap("r/manifest.json", b"two", expected=version)
    assert [held for what, held in backend.seen if what == "compare"] == [{"swap"}, {"swap"}]
    assert list_held(tmp_path) == set()


def test_p6_a_writer_changes_a_run_only_under_the_lock_of_its_video(tmp_path: Path) -> None:
    """Deletion and gc take the same lock: they never see a run half changed."""
    backend = Spy(tmp_path)
    run = build_run_record()
    transaction = RunTransaction.create_or_join(backend, run, lambda: NOW)
    transaction.commit(build_product(run))
    transaction.commit(build_product(run, reason="video_stream_missing"))
    RunTransaction.join(backend, run, lambda: NOW).finish(source={}, peak_rss_bytes=None)
    changes = [(what, held) for what, held in backend.seen if what != "compare"]
    assert [what for what, _ in changes] == ["swap", "swap", "swap", "remove", "swap", "swap"]
    assert all("exclusive" in held for _, held in changes)
    assert list_held(tmp_path) == set()


def test_p6_a_product_of_a_deleted_run_is_withdrawn_under_the_lock_of_its_video(
    tmp_path: Path,
) -> None:
    backend = Spy(tmp_path)
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, lambda: NOW)
    backend.remove("local/v1/r1/manifest.json")
    backend.seen.clear()
    with pytest.raises(NotFoundError):
        transaction.commit(build_product(run))
    assert backend.seen
    assert all("exclusive" in held for _, held in backend.seen)
    assert backend.list_folder("local").folders == ()


def test_p1_an_artifact_that_gc_swept_before_it_was_listed_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its writing and its listing nothing refers to a file."""
    backend = LocalBackend(tmp_path)
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, lambda: NOW)
    real = backend.exclusive
    swept = []

    def sweep_first(name: str) -> contextlib.AbstractContextManager[None]:
        if not swept:
            swept.append(name)
            sweep_store(backend, SweepRules(grace_sec=-1.0), dry_run=False)
        return real(name)

    monkeypatch.setattr(backend, "exclusive", sweep_first)
    artifact = transaction.commit(build_product(run)).artifacts[0]
    path = tmp_path / transaction.run_path / artifact.path
    assert path.stat().st_size == artifact.size_bytes
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("act", ["delete", "gc", "repair"])
def test_p6_who_takes_away_does_so_only_under_the_lock_of_the_video(
    tmp_path: Path, act: str
) -> None:
    backend = Spy(tmp_path)
    run = build_run_record()
    transaction = RunTransaction.create(backend, run, lambda: NOW)
    artifact = transaction.commit(build_product(run)).artifacts[0]
    path = tmp_path / transaction.run_path / artifact.path
    backend.seen.clear()
    if act == "delete":
        delete_video(backend, "local", "v1")
    elif act == "gc":
        path.with_name("stray").write_bytes(b"x")
        sweep_store(backend, SweepRules(grace_sec=-1.0), dry_run=False)
    else:
        path.write_bytes(path.read_bytes()[:-1])
        repair_store(backend, inspect_store(backend, with_data=True).findings, lambda: NOW)
    assert backend.seen
    assert all("exclusive" in held for _, held in backend.seen)


def test_p6_an_exclusive_lock_keeps_others_out_until_its_block_ends(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with LocalBackend(tmp_path).exclusive("local/v1"):
            order.append("second")

    with LocalBackend(tmp_path).exclusive("local/v1"):
        assert list_held(tmp_path) == {"exclusive"}
        other = threading.Thread(target=second)
        other.start()
        order.append("first")
    other.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("timeout_sec", [None, 5.0])
def test_p6_a_lock_is_held_while_its_block_lasts_and_no_longer(
    tmp_path: Path, timeout_sec: float | None
) -> None:
    path = tmp_path / "lock"
    with locked(path, timeout_sec=timeout_sec), pytest.raises(BlockingIOError):
        take(path)
    take(path)
    with contextlib.suppress(ZeroDivisionError), locked(path, timeout_sec=timeout_sec):
        raise ZeroDivisionError
    take(path)


def take(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(descriptor)
