"""Runs are found as if every manifest were read; the store is looked at often enough for that."""

from __future__ import annotations

import itertools
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.errors import BadProfileError, StoreUnavailableError
from filmcan.operations.corpus import order_missingness
from filmcan.operations.index_watch import AGAIN_SEC, PROMPT_SEC, IndexWatch
from filmcan.operations.run_search import RunQuery, RunSearch, open_run_search
from filmcan.store.base import Backend
from filmcan.store.deletion import delete_video
from filmcan.store.index import scan, state
from filmcan.store.index.questions import Standing
from filmcan.store.index.reader import IndexReader, open_reader
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.store.run import Run
from filmcan.store.store import Store
from filmcan.testing.made_runs import build_made_run, write_manifest

RUNS = 24
EVERYTHING = RunQuery(limit=500)


@pytest.fixture
def is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every store as one too large to look at every manifest each time."""
    monkeypatch.setattr(state, "SWEPT_ALWAYS_RUNS", -1)
    monkeypatch.setattr(scan, "_SETTLED_SEC", -60.0)


@pytest.fixture
def local(tmp_path: Path) -> Store:
    return Store(_fill(LocalBackend(tmp_path / "store")))


def _fill(backend: Backend) -> Backend:
    for number in range(RUNS):
        write_manifest(backend, build_made_run(number))
    return backend


def list_paths(search: RunSearch, query: RunQuery = EVERYTHING) -> list[str]:
    return [row.run_path for row in search.find(query).rows]


# --- what is found -----------------------------------------------------------------------------


def _matches(run: Run, query: RunQuery) -> bool:
    record = run.manifest.run
    of_component = (query.component, query.component_status, query.reason)
    return (
        all(word in run.path.lower() for word in (query.text or "").lower().split())
        and query.platform_id in (None, record.platform_id)
        and query.video_id in (None, record.video_id)
        and query.status in (None, record.status or "unfinished")
        and (
            of_component == (None, None, None)
            or any(
                query.component in (None, item.name)
                and query.component_status in (None, item.status)
                and query.reason in (None, item.empty_reason)
                for item in run.manifest.components
            )
        )
    )


def _sort_key(run: Run, query: RunQuery) -> tuple[bool, object]:
    record = run.manifest.run
    if query.sort == "status":
        return True, record.status or "unfinished"
    if query.sort == "duration_sec":
        return "duration_sec" in record.source, record.source.get("duration_sec", 0)
    return True, getattr(record, query.sort)


def check_answer(search: RunSearch, everything: list[Run], query: RunQuery = EVERYTHING) -> int:
    """Hold an answer to the manifests; return how many runs it found."""
    matching = [run for run in everything if _matches(run, query)]
    ordered = sorted(
        matching,
        key=lambda run: _sort_key(run, query),
        reverse=query.descending,  # which leaves ties by path
    )
    outcomes = Counter(
        (item.name, item.status, item.empty_reason or "")
        for run in matching
        for item in run.manifest.components
    )
    page = search.find(query)
    shown = ordered[query.offset : query.offset + query.limit]
    assert [row.run_path for row in page.rows] == [run.path for run in shown], query
    for row, run in zip(page.rows, shown, strict=True):
        record = run.manifest.run
        assert (row.platform_id, row.video_id, row.run_id) == tuple(run.path.split("/"))
        assert (row.created_at, row.finished_at) == (record.created_at, record.finished_at)
        assert (row.status, row.duration_sec) == (record.status, record.source.get("duration_sec"))
        assert row.components == Counter(item.status for item in run.manifest.components)
        assert row.pending == run.manifest.pending_components
    assert (page.total, page.total_runs) == (len(matching), len(everything))
    assert page.statuses == Counter(run.status or "unfinished" for run in matching)
    assert {row[:3]: row[3] for row in page.reasons} == {
        key: count for key, count in outcomes.items() if key[1] != "ok"
    }
    assert list(page.reasons) == sorted(page.reasons, key=lambda row: (-row[3], row[:3]))
    assert page.platforms == Counter(run.path.split("/")[0] for run in everything)
    assert page.components == tuple(
        sorted({item.name for run in everything for item in run.manifest.components})
    )
    found = search.find_all(query, 7)
    assert found.total == len(matching)
    assert found.paths == tuple(run.path for run in ordered[:7])
    missingness = order_missingness(found.outcomes)
    assert {(row.component, row.status, row.reason): row.count for row in missingness} == outcomes
    assert list(missingness) == sorted(
        missingness, key=lambda row: (row.component, -row.count, row.status, row.reason)
    )
    assert search.find_all(query).paths == ()
    return len(matching)


QUERIES = (
    RunQuery(),
    RunQuery(text="V3"),
    RunQuery(text="local/v2"),
    RunQuery(text="R1  youtube"),
    RunQuery(text="v%"),
    RunQuery(text="v_"),
    RunQuery(text="Клип"),
    RunQuery(text="\N{KELVIN SIGN}"),
    RunQuery(text="v3\0"),
    RunQuery(text="\udcff"),
    RunQuery(text="  "),
    RunQuery(platform_id="local"),
    RunQuery(platform_id="lo\0cal"),
    RunQuery(video_id="v3", status="ok"),
    RunQuery(video_id="\ud800"),
    RunQuery(status="error"),
    RunQuery(status="unfinished", platform_id="youtube"),
    RunQuery(component="core_clip"),
    RunQuery(component="text_processor"),
    RunQuery(component="core_clip", component_status="empty"),
    RunQuery(component="core_clip", reason="dependency_missing", status="ok"),
    RunQuery(component_status="error", text="local"),
    RunQuery(reason="video_too_short"),
    RunQuery(reason="video_too_short", component_status="ok"),
    RunQuery(component="nothing"),
    RunQuery(component="core\0clip"),
)


@pytest.mark.parametrize("place", ["in_the_store", "in_memory", "no_disk"])
def test_filters_orders_and_counts_are_those_of_the_manifests(
    place: str, local: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "in_memory":
        monkeypatch.setenv("FILMCAN_INDEX_URL", "memory")
    store = Store(_fill(MemoryBackend())) if place == "no_disk" else local
    search = open_run_search(store)
    runs = store.runs()
    found = [check_answer(search, runs, query) for query in QUERIES]
    assert {0, RUNS} < set(found)
    sorts = ("created_at", "platform_id", "video_id", "run_id", "status", "duration_sec")
    for sort, descending, offset in itertools.product(sorts, (False, True), (0, 5, RUNS)):
        query = RunQuery(sort=sort, descending=descending, offset=offset, limit=9)  # type: ignore[arg-type]
        check_answer(search, runs, query)
        check_answer(search, runs, replace(query, component_status="error", limit=2))
    search.close()


def test_damaged_manifests_are_counted_and_deleted_runs_are_not(local: Store) -> None:
    delete_video(local.backend, "local", "v2")
    kept = build_made_run(6)
    assert kept.run.video_id == "v2"
    write_manifest(local.backend, kept)  # back from a backup, dead
    Path(local.url, "youtube/v1/r3", MANIFEST_NAME).write_bytes(b"{")
    Path(local.url, "youtube/v1/bare").mkdir()
    search = open_run_search(local)
    assert search.find(EVERYTHING).unreadable == 1
    check_answer(search, local.runs())


def test_a_url_that_means_nothing_is_told_before_anything_is_asked(
    local: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILMCAN_INDEX_URL", "mysql://h/x")
    with pytest.raises(BadProfileError, match="mysql"):
        open_run_search(local)


# --- when the store is looked at again ------------------------------------------------------------


class Clock:
    """Stands still unless told otherwise."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def watch_store(store: Store, clock: Clock) -> tuple[RunSearch, list[object]]:
    """Return a search whose requests wait for the looks that they begin, and these looks."""
    reader = open_reader(store.backend)
    looks: list[object] = []
    refresh = reader.refresh

    def count() -> Standing:
        looks.append(None)
        return refresh()

    reader.refresh = count  # type: ignore[method-assign]
    return RunSearch(reader, IndexWatch(reader, clock=clock, patience_sec=60)), looks


@pytest.mark.usefixtures("is_large")
def test_what_a_writer_did_is_found_by_the_next_request_a_second_later(local: Store) -> None:
    clock = Clock()
    search, looks = watch_store(local, clock)
    assert len(list_paths(search)) == RUNS
    write_manifest(local.backend, build_made_run(RUNS))
    assert search.find(RunQuery()).total == RUNS  # one look a second
    clock.now += PROMPT_SEC
    check_answer(search, local.runs())
    assert len(looks) == 2
    clock.now += PROMPT_SEC
    check_answer(search, local.runs())
    assert len(looks) == 2, "nothing had changed"
    delete_video(local.backend, "local", "v2")
    clock.now += PROMPT_SEC
    check_answer(search, local.runs())
    assert len(looks) == 3


@pytest.mark.usefixtures("is_large")
def test_a_writer_at_work_is_looked_after_every_second(local: Store) -> None:
    clock = Clock()
    with local.backend.exclusive("youtube/v1"):
        search, looks = watch_store(local, clock)
        for number in range(3):
            list_paths(search)
            assert len(looks) == number + 1
            clock.now += PROMPT_SEC


def test_what_was_changed_by_hand_is_found_some_seconds_later(local: Store) -> None:
    clock = Clock()
    search, looks = watch_store(local, clock)
    list_paths(search)
    shutil.rmtree(Path(local.url, "youtube", "v1"))
    clock.now += AGAIN_SEC / 2
    assert search.find(RunQuery()).total == RUNS
    clock.now += AGAIN_SEC / 2
    check_answer(search, local.runs())
    assert len(looks) == 2


@pytest.mark.usefixtures("is_large")
def test_a_change_seen_on_a_page_is_shown_at_once_and_brings_the_next_look_on(local: Store) -> None:
    clock = Clock()
    search, looks = watch_store(local, clock)
    first, second, *others = list_paths(search)
    shutil.rmtree(Path(local.url, first))
    changed = replace(local.run(*second.split("/")).manifest, components=())
    Path(local.url, second, MANIFEST_NAME).unlink()
    Path(local.url, second, MANIFEST_NAME).write_bytes(changed.to_bytes())
    page = search.find(EVERYTHING)
    assert [row.run_path for row in page.rows] == [second, *others]
    assert page.rows[0].components == {}
    assert page.total == RUNS
    clock.now += PROMPT_SEC
    assert search.find(EVERYTHING).total == RUNS - 1
    assert len(looks) == 2


def test_a_store_that_takes_long_to_look_at_is_looked_at_less_often(local: Store) -> None:
    clock = Clock()
    reader = open_reader(local.backend)
    looks: list[float] = []
    refresh = reader.refresh

    def take_long() -> Standing:
        looks.append(clock.now)
        clock.now += 30
        return refresh()

    reader.refresh = take_long  # type: ignore[method-assign]
    watch = IndexWatch(reader, clock=clock, patience_sec=60)
    watch.look()
    for _ in range(40):
        clock.now += 10
        write_manifest(local.backend, build_made_run(RUNS))
        watch.look()
    assert [round(after - before) for before, after in itertools.pairwise(looks)] == [330]


def test_an_object_store_is_looked_at_every_few_seconds_and_no_page_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store(_fill(MemoryBackend()))
    clock = Clock()
    search, looks = watch_store(store, clock)
    list_paths(search)
    write_manifest(store.backend, build_made_run(RUNS))
    listed: list[str] = []
    real = MemoryBackend.list_folder

    def list_folder(self: MemoryBackend, path: str) -> object:
        listed.append(path)
        return real(self, path)

    monkeypatch.setattr(MemoryBackend, "list_folder", list_folder)
    clock.now += AGAIN_SEC - 0.1
    assert search.find(RunQuery()).total == RUNS
    assert not listed
    clock.now += 0.1
    check_answer(search, store.runs())
    assert len(looks) == 2


def test_a_look_that_goes_on_keeps_nobody_waiting(local: Store) -> None:
    clock = Clock()
    reader = open_reader(local.backend)
    search = RunSearch(reader, IndexWatch(reader, clock=clock, patience_sec=0.0))
    assert search.find(RunQuery()).total == RUNS
    go_on, ended = threading.Event(), threading.Event()
    begun: list[str] = []
    refresh = reader.refresh

    def wait() -> Standing:
        begun.append(threading.current_thread().name)
        go_on.wait()
        standing = refresh()
        ended.set()
        return standing

    reader.refresh = wait  # type: ignore[method-assign]
    write_manifest(local.backend, build_made_run(RUNS))
    clock.now += AGAIN_SEC
    for _ in range(3):
        assert search.find(RunQuery()).total == RUNS
    go_on.set()
    assert ended.wait(60)
    while search.find(RunQuery()).total == RUNS:  # its end is told a moment later
        pass
    assert begun == ["store look"]


def test_a_store_that_refuses_says_so_first_and_later_is_shown_as_it_was(
    local: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    reader = open_reader(local.backend)
    search = RunSearch(reader, IndexWatch(reader, clock=clock, patience_sec=60))

    def refuse(_: IndexReader) -> Standing:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(IndexReader, "refresh", refuse)
    with pytest.raises(StoreUnavailableError, match="away"):
        search.find(RunQuery())
    monkeypatch.undo()
    assert search.find(RunQuery()).total == RUNS
    monkeypatch.setattr(IndexReader, "refresh", refuse)
    clock.now += AGAIN_SEC
    assert search.find(RunQuery()).total == RUNS
    assert "away" in caplog.text


def test_many_callers_at_once_get_whole_answers_while_others_write(local: Store) -> None:
    search = open_run_search(local)
    faults: list[BaseException] = []
    go_on = threading.Event()

    def guard(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            faults.append(error)
            raise

    def ask() -> None:
        for number in range(12):
            query = RunQuery(text=str(number % 5), limit=1 + number)
            page = search.find(query)
            assert len(page.rows) <= page.total <= page.total_runs
            assert search.find_all(query, 3).total >= 0
            go_on.set()

    def write() -> None:
        go_on.wait()
        for number in range(RUNS, 2 * RUNS):
            write_manifest(local.backend, build_made_run(number))
            search._watch._ended = -1e9  # the next request looks again

    workers = [threading.Thread(target=guard, args=(work,)) for work in (*[ask] * 8, write)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not faults
    search._watch._ended = -1e9
    search._watch._patience_sec = 60
    check_answer(search, local.runs())
