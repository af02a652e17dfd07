"""Reading much side by side: the same in order, only sooner; and a killed process is told of."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from filmcan.errors import NotFoundError, StoreUnavailableError
from filmcan.store import side_by_side
from filmcan.store.base import Backend
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.store.side_by_side import read_in_chunks

ITEMS = [f"a/{number}" for number in range(25)]


@pytest.fixture
def local(tmp_path: Path) -> LocalBackend:
    backend = LocalBackend(tmp_path / "store")
    for item in ITEMS:
        backend.swap(item, item.encode(), expected=None)
    return backend


def read_item(backend: Backend, item: str) -> tuple[str, int]:
    return backend.read(item, limit=100).decode(), os.getpid()


def kill_reader(backend: Backend, item: str) -> str:
    if item == ITEMS[12] and os.getpid() != int(os.environ["FILMCAN_TEST_PARENT"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return backend.read(item, limit=100).decode()


@pytest.mark.usefixtures("processes_at_once")
def test_once_much_is_left_it_is_read_by_processes_and_in_order(local: LocalBackend) -> None:
    chunks = list(read_in_chunks(local, read_item, ITEMS, chunk_size=4, workers=2))
    assert [len(chunk) for chunk in chunks] == [4, 4, 4, 4, 4, 4, 1]
    assert [item for chunk in chunks for item, _ in chunk] == ITEMS
    pids = [pid for chunk in chunks for _, pid in chunk]
    assert set(pids[:4]) == {os.getpid()}
    assert os.getpid() not in pids[4:]


def test_a_process_opens_the_store_by_its_path(local: LocalBackend) -> None:
    assert side_by_side._read_locally(local.url, read_item, ITEMS[:2]) == [
        (item, os.getpid()) for item in ITEMS[:2]
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_little_is_read_by_nobody_else(workers: int, local: LocalBackend) -> None:
    chunks = read_in_chunks(local, read_item, ITEMS, chunk_size=4, workers=workers)
    assert {pid for chunk in chunks for _, pid in chunk} == {os.getpid()}
    assert list(read_in_chunks(local, read_item, [], chunk_size=4, workers=workers)) == []


def test_what_is_left_is_foretold_from_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(side_by_side.time, "perf_counter", lambda: now)
    watch = side_by_side._Watch(10)
    worth = []
    for seconds in (0.1, 2.0, 0.1, 0.1, 0.1):
        worth.append(watch.is_worth_processes)
        with watch:
            now += seconds
    # nothing known; too little; 8 * 1.05; 7 * 0.73; 6 * 0.58
    assert worth == [False, False, True, True, False]


@pytest.mark.usefixtures("processes_at_once")
def test_a_store_elsewhere_is_read_by_threads_only() -> None:
    backend = MemoryBackend()
    for item in ITEMS:
        backend.swap(item, item.encode(), expected=None)
    chunks = list(read_in_chunks(backend, read_item, ITEMS, chunk_size=4, workers=2))
    assert [item for chunk in chunks for item, _ in chunk] == ITEMS


@pytest.mark.usefixtures("processes_at_once")
def test_the_error_of_a_process_arrives_whole(local: LocalBackend) -> None:
    items = [*ITEMS, "a/none"]
    with pytest.raises(NotFoundError) as caught:
        list(read_in_chunks(local, read_item, items, chunk_size=4, workers=2))
    assert caught.value.where == "a/none"


@pytest.mark.usefixtures("processes_at_once")
def test_a_process_that_is_killed_is_told_of(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILMCAN_TEST_PARENT", str(os.getpid()))
    with pytest.raises(StoreUnavailableError, match="was killed") as caught:
        list(read_in_chunks(local, kill_reader, ITEMS, chunk_size=4, workers=2))
    assert caught.value.code == "process_killed"
    assert "--workers 1" in caught.value.hint


_READER = """
import os, sys, time
from pathlib import Path
from filmcan.store import side_by_side
from filmcan.store.local import LocalBackend

def read(backend, item):
    print(os.getpid(), flush=True)
    time.sleep(0.2 if os.getpid() == PARENT else 60)

PARENT = int(os.environ.setdefault("FILMCAN_TEST_PARENT", str(os.getpid())))
if __name__ == "__main__":
    side_by_side._JUDGED_AFTER_SEC = side_by_side._WORTH_PROCESSES_SEC = 0.0
    backend = LocalBackend(Path(sys.argv[1]))
    list(side_by_side.read_in_chunks(backend, read, range(9), chunk_size=1, workers=2))
"""


@pytest.mark.parametrize("signals", [(signal.SIGKILL,), (signal.SIGINT, signal.SIGINT)])
def test_processes_end_with_the_one_that_started_them(
    signals: tuple[signal.Signals, ...], local: LocalBackend, tmp_path: Path
) -> None:
    script = tmp_path / "reader.py"
    script.write_text(_READER)
    with subprocess.Popen(
        [sys.executable, script, local.url], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, start_new_session=True,
    ) as reader:  # fmt: skip
        assert reader.stdout is not None
        assert len({int(reader.stdout.readline()) for _ in range(3)}) == 3
        for number in signals:
            os.killpg(reader.pid, number) if number == signal.SIGINT else reader.kill()
            time.sleep(0.05)
        reader.communicate(timeout=30)  # waits as long as anybody holds the other end
        assert reader.returncode != 0
