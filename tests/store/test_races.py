"""T8: writers, deleters, gc and readers at once; no update is lost, nothing changes underfoot.

`FILMCAN_RACE_SEC` says how long each race of threads goes on; one second unless told.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from filmcan.errors import ConflictError, FilmcanError, NotFoundError, StoreUnavailableError
from filmcan.npz.reader import open_npz
from filmcan.store.base import Backend
from filmcan.store.deletion import delete_video
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.manifests import read_manifest
from filmcan.store.store import Store
from filmcan.store.sweep import SweepRules, sweep_store
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import COMPONENT, build_product, build_run_record
from filmcan.testing.made_stores import (
    COMPONENTS,
    begin_run,
    clock,
    commit,
    read_all,
    reopen,
    write_run,
)

PATIENCE_SEC = 60.0
RACE_SEC = float(os.environ.get("FILMCAN_RACE_SEC", "1"))
EVERYTHING_IS_OLD = SweepRules(grace_sec=-1.0)

_UPSERT = """
import sys
from pathlib import Path
from filmcan.store.local import LocalBackend
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import build_run_record
from filmcan.testing.made_stores import COMPONENTS, clock, commit

root, name, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
planned = tuple(COMPONENTS)
transaction = RunTransaction.create_or_join(
    LocalBackend(Path(root)), build_run_record(planned=planned), clock
)
for number in range(times):
    commit(transaction, name, seed=number)
"""


@pytest.fixture(params=["local", "memory", "s3"])
def backend(request: pytest.FixtureRequest, open_backend: Callable[[str], Backend]) -> Backend:
    return open_backend(request.param)


def race(
    *loops: Callable[[], None],
    seconds: float = RACE_SEC,
    until: Callable[[], bool] = lambda: True,
) -> None:
    """Call each function again and again in a thread of its own; the first error ends it all.

    It goes on beyond `seconds` until `until` says that something was seen: a busy machine may
    come to little in a second.
    """
    ends_at = time.monotonic() + seconds
    patience_ends_at = ends_at + PATIENCE_SEC

    def is_over() -> bool:
        now = time.monotonic()
        return now >= patience_ends_at or (now >= ends_at and until())

    failures: list[BaseException] = []

    def repeat(loop: Callable[[], None]) -> None:
        try:
            while not failures and not is_over():
                loop()
        except BaseException as error:  # noqa: BLE001 - shown to the test
            failures.append(error)

    threads = [threading.Thread(target=repeat, args=(loop,)) for loop in loops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def check_sound(backend: Backend) -> None:
    """P1: all that is listed is there, whole; only garbage may lie about besides."""
    errors = [
        finding.issue
        for finding in inspect_store(backend, with_data=True).findings
        if finding.issue.level == "error"
    ]
    assert errors == []


def test_p6_upserts_of_several_processes_into_one_run_add_up(tmp_path: Path) -> None:
    times = 6
    workers = [
        subprocess.Popen([sys.executable, "-c", _UPSERT, str(tmp_path), name, str(times)])
        for name in COMPONENTS
    ]
    assert [worker.wait(timeout=300) for worker in workers] == [0] * len(COMPONENTS)
    backend = LocalBackend(tmp_path)
    manifest = read_manifest(backend, "local/v1/r1")
    # one of them created the run, the others joined it; then every commit counted once
    assert manifest.run.revision == len(COMPONENTS) + times * len(COMPONENTS)
    assert [item.name for item in manifest.components] == list(COMPONENTS)
    check_sound(backend)
    for name in COMPONENTS:
        assert len(backend.list_folder(f"local/v1/r1/{name}").files) == 1


def test_p6_threads_that_commit_the_same_bytes_never_remove_each_others_files(
    backend: Backend,
) -> None:
    """Two products in turn: each commit replaces what the other may just be listing."""
    begin_run(backend)
    reasons = ("video_too_short", "video_stream_missing")

    def build_writer(first: int) -> Callable[[], None]:
        writer = RunTransaction.join(reopen(backend), build_run_record(), clock)
        turn = [first]

        def write() -> None:
            turn[0] += 1
            commit(writer, reason=reasons[turn[0] % 2])
            check_sound(backend)

        return write

    race(build_writer(0), build_writer(1), build_writer(0))
    assert len(backend.list_folder(f"local/v1/r1/{COMPONENT}").files) == 1


def test_p12_writers_against_gc_lose_nothing_that_was_committed(backend: Backend) -> None:
    begin_run(backend)
    reasons = ("video_too_short", "video_stream_missing")
    done = {"commits": 0, "swept": 0}

    def build_writer(first: int) -> Callable[[], None]:
        writer = RunTransaction.join(reopen(backend), build_run_record(), clock)
        turn = [first]

        def write() -> None:
            turn[0] += 1
            # NotFound: the sweep, told that nothing is too young, took the unfinished file.
            with contextlib.suppress(NotFoundError, ConflictError):
                commit(writer, reason=reasons[turn[0] % 2])
                done["commits"] += 1

        return write

    def collect() -> None:
        sweep = sweep_store(reopen(backend), EVERYTHING_IS_OLD, dry_run=False)
        done["swept"] += len(sweep.removals)
        check_sound(backend)

    race(build_writer(0), build_writer(1), collect, until=lambda: done["commits"] > 0)
    assert done["commits"] > 0
    check_sound(backend)


def test_p11_writers_against_deletion_and_gc_leave_nothing_behind(backend: Backend) -> None:
    write_run(backend, "kept")
    kept = {path: data for path, data in read_all(backend).items() if "/kept/" in path}
    done = {"runs": 0, "refused": 0, "deleted": 0}

    def write() -> None:
        try:
            writer = begin_run(reopen(backend), "doomed")
            for name in COMPONENTS:
                commit(writer, name)
            writer.finish(source={}, peak_rss_bytes=None)
            done["runs"] += 1
        except (ConflictError, NotFoundError):
            done["refused"] += 1

    def delete() -> None:
        # NotFound: the sweep, told that nothing is too young, took the unfinished tombstone.
        with contextlib.suppress(NotFoundError):
            done["deleted"] += bool(delete_video(reopen(backend), "local", "doomed").files)

    def collect() -> None:
        with contextlib.suppress(StoreUnavailableError):  # a listing changed under its looks
            sweep_store(reopen(backend), EVERYTHING_IS_OLD, dry_run=False)

    race(
        write,
        write,
        delete,
        collect,
        lambda: read_listed(reopen(backend)),
        until=lambda: done["deleted"] > 0,
    )
    assert done["runs"] + done["refused"] > 0
    assert done["deleted"] > 0
    check_sound(backend)
    delete_video(backend, "local", "doomed")
    left = read_all(backend)
    assert [path for path in left if "doomed" in path] == []
    assert {path: left[path] for path in kept} == kept


def read_listed(backend: Backend) -> None:
    """What a manifest lists is whole, or gone because its video was deleted."""
    for run in Store(backend).runs():
        for component in run.components.values():
            for artifact in component.artifacts:
                try:
                    source = run.backend.open(f"{run.path}/{artifact.path}")
                except NotFoundError:
                    assert run.video_id == "doomed"
                    continue
                data = bytes(source.read_at(0, source.size))
                assert hashlib.sha256(data).hexdigest() == artifact.sha256


def test_p2_readers_never_see_a_file_change_under_them(backend: Backend) -> None:
    begin_run(backend)
    writer = RunTransaction.join(reopen(backend), build_run_record(), clock)
    commit(writer)
    turn = [0]
    seen: list[int] = []

    def write() -> None:
        turn[0] += 1
        commit(writer, seed=turn[0])

    def read() -> None:
        store = Store(reopen(backend))
        run = store.run("local", "v1", "r1")
        (record,) = run.components[COMPONENT].artifacts
        try:
            source = run.backend.open(f"{run.path}/{record.path}")
        except NotFoundError:
            # Replaced since the manifest was read: reading that again must show another file.
            again = store.run("local", "v1", "r1")
            assert again.manifest.run.revision > run.manifest.run.revision
            assert again.components[COMPONENT].artifacts != (record,)
            return
        half = source.size // 2
        first = bytes(source.read_at(0, half))
        writer_was = turn[0]
        ends_at = time.monotonic() + 0.2
        while turn[0] == writer_was and time.monotonic() < ends_at:
            os.sched_yield()
        data = first + bytes(source.read_at(half, source.size))
        assert hashlib.sha256(data).hexdigest() == record.sha256
        with open_npz(data) as npz:
            seen.append(int(str(npz.read_meta().get("seed", 0))))

    race(write, read, read)
    assert seen


def test_p10_links_swapped_in_a_loop_lead_nobody_out_of_the_store(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "r1" / COMPONENT).mkdir(parents=True)
    (outside / "r1" / "manifest.json").write_text("kept")
    (outside / "r1" / COMPONENT / "_tmp_1_2_x").write_text("kept")
    (outside / "r1" / COMPONENT / "a.npz").write_text("kept")
    before = snapshot(outside)
    backend = LocalBackend(tmp_path / "store")
    root = Path(backend.url)
    write_run(backend)
    write_run(backend, "v2")
    aside = tmp_path / "aside"
    places = [
        ("local/v1", outside),
        ("local/v1/r1", outside / "r1"),
        (f"local/v1/r1/{COMPONENT}", outside / "r1" / COMPONENT),
        ("_filmcan/locks", outside),
        ("_filmcan/quarantine", outside),
        ("_filmcan/tombstones", outside),
    ]
    turn = [0]

    def swap_links() -> None:
        name, target = places[turn[0] % len(places)]
        turn[0] += 1
        place = root / name
        with contextlib.suppress(OSError):
            if place.exists():
                place.rename(aside)
            place.symlink_to(target)
            time.sleep(0)
            place.unlink()
            if aside.exists():
                aside.rename(place)
        if aside.exists():  # somebody made the folder anew meanwhile: the old one goes
            aside.rename(tmp_path / f"gone{turn[0]}")

    def tolerate(act: Callable[[], object]) -> Callable[[], None]:
        def once() -> None:
            with contextlib.suppress(FilmcanError):
                act()

        return once

    def write() -> None:
        record = build_run_record()
        writer = RunTransaction.create_or_join(reopen(backend), record, clock)
        writer.commit(build_product(record))

    race(
        swap_links,
        tolerate(write),
        tolerate(lambda: delete_video(reopen(backend), "local", "v1")),
        tolerate(lambda: sweep_store(reopen(backend), EVERYTHING_IS_OLD, dry_run=False)),
        tolerate(lambda: [run[COMPONENT].meta for run in Store(reopen(backend)).runs()]),
        tolerate(lambda: inspect_store(reopen(backend), with_data=True)),
        seconds=2 * RACE_SEC,
    )
    assert turn[0] > 10
    assert snapshot(outside) == before


def snapshot(folder: Path) -> dict[str, str | None]:
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("kind", ["join", "create"])
def test_p11_a_commit_whose_files_are_swept_is_written_again(
    backend: Backend, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gc may take an unlisted file of the same bytes just after it was published anew."""
    writer = begin_run(backend)
    if kind == "join":
        writer = RunTransaction.join(backend, build_run_record(), clock)
    real, swept = type(backend).list_folder, []

    def sweep_once(self: Backend, folder: str) -> object:
        if folder.endswith(COMPONENT) and len(swept) < limit:
            for name in real(self, folder).files:
                self.remove(f"{folder}/{name}")
                swept.append(name)
        return real(self, folder)

    limit = 2
    monkeypatch.setattr(type(backend), "list_folder", sweep_once)
    path = commit(writer)
    assert len(swept) == 2
    assert backend.read(f"{writer.run_path}/{path}", limit=1 << 20)
    limit = 1000
    with pytest.raises(ConflictError, match="swept away"):
        commit(writer, reason="dependency_missing")
    check_sound_but_swept(backend)


def check_sound_but_swept(backend: Backend) -> None:
    """The last commit was refused, so the manifest still lists the one before."""
    manifest = read_manifest(backend, "local/v1/r1")
    assert manifest.components[0].empty_reason == "video_too_short"
