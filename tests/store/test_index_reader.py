"""P13 for who asks often and from many threads: an index that is read as it stands."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.store.base import Backend
from filmcan.store.deletion import delete_video
from filmcan.store.index import index as index_module
from filmcan.store.index import queries, scan, state, verify
from filmcan.store.index import reader as reader_module
from filmcan.store.index.database import Database, IndexFaultError
from filmcan.store.index.index import StoreIndex, open_index
from filmcan.store.index.questions import Paging, RunFilter
from filmcan.store.index.reader import IndexReader, open_reader
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.store.store import Store
from filmcan.testing.made_runs import build_made_run, write_manifest

if TYPE_CHECKING:
    from sqlalchemy import Connection

RUNS = 24
EVERYTHING = RunFilter()


@pytest.fixture
def local(tmp_path: Path) -> LocalBackend:
    """Return a store on disk with runs of many kinds."""
    backend = LocalBackend(tmp_path / "store")
    _fill(backend)
    return backend


def _fill(backend: Backend) -> None:
    for number in range(RUNS):
        write_manifest(backend, build_made_run(number))


@pytest.fixture
def is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every store as large and settled: marks alone tell what changed."""
    monkeypatch.setattr(state, "SWEPT_ALWAYS_RUNS", -1)
    monkeypatch.setattr(scan, "_SETTLED_SEC", -60.0)


@pytest.fixture(params=["sqlite", "memory", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of each kind of database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return "memory" if request.param == "memory" else str(tmp_path / "elsewhere.sqlite")


def list_paths(reader: IndexReader, wanted: RunFilter = EVERYTHING) -> list[str]:
    return [run.run_path for run in reader.read_runs(reader.find_heads(wanted, Paging()))]


def list_truth(backend: Backend) -> list[str]:
    return [run.path for run in Store(backend).runs()]


def change_by_hand(local: LocalBackend, path: str) -> None:
    manifest = Store(local).run(*path.split("/")).manifest
    place = Path(local.url, path, MANIFEST_NAME)
    place.unlink()
    place.write_bytes(replace(manifest, components=()).to_bytes())


def test_every_order_is_the_same_on_every_database(local: LocalBackend, url: str) -> None:
    reader = IndexReader(local, open_index(local, url))
    reader.refresh()
    runs = {run.path: run.manifest.run for run in Store(local).runs()}
    for sort, descending, unknown_last in itertools.product(
        ("path", "created_at", "platform_id", "video_id", "run_id", "status", "duration_sec"),
        (False, True),
        (False, True),
    ):
        paging = Paging(sort, descending, unknown_last=unknown_last)  # type: ignore[arg-type]
        whole = reader.find_paths(EVERYTHING, paging)
        known = [
            path for path in whole if sort != "duration_sec" or "duration_sec" in runs[path].source
        ]
        keys = {
            "path": lambda path: path.split("/"),
            "status": lambda path: runs[path].status or "unfinished",
            "duration_sec": lambda path: runs[path].source["duration_sec"],
        }
        key = keys.get(sort, lambda path, sort=sort: getattr(runs[path], sort))
        assert known == sorted(sorted(known), key=key, reverse=descending), paging
        rest = [path for path in whole if path not in known]
        assert whole == ([*known, *rest] if unknown_last else [*rest, *known])
        parts = [
            head.path
            for offset in range(0, RUNS, 9)
            for head in reader.find_heads(EVERYTHING, replace(paging, limit=9, offset=offset))
        ]
        assert parts == whole == [head.path for head in reader.find_heads(EVERYTHING, paging)]


WANTED = (
    RunFilter(words=("V3",)),
    RunFilter(words=("local/v2", "r")),
    RunFilter(words=("%",)),
    RunFilter(words=("é",)),
    RunFilter(words=("a\0",)),
    RunFilter(status="ok"),
    RunFilter(platform_id="youtube", component="core_clip", component_status="empty"),
    RunFilter(reason="dependency_missing"),
    RunFilter(component="nothing"),
)


def test_all_components_of_the_runs_found_are_counted(local: LocalBackend, url: str) -> None:
    reader = IndexReader(local, open_index(local, url))
    reader.refresh()
    whole = reader.count(EVERYTHING)
    assert whole == open_index(local, url).count(EVERYTHING)
    totals = set()
    for wanted in WANTED:
        counts = reader.count(wanted)
        assert reader.count(wanted, whole) == counts
        paths = set(reader.find_paths(wanted, Paging()))
        expected: dict[tuple[str, str, str | None], int] = {}
        for run in Store(local).runs():
            for item in run.manifest.components if run.path in paths else ():
                key = (item.name, item.status, item.empty_reason)
                expected[key] = expected.get(key, 0) + 1
        assert {(i.component, i.status, i.reason): i.count for i in counts.outcomes} == expected
        assert counts.total == len(paths)
        totals.add(counts.total)
    assert {0} < totals


@pytest.mark.parametrize("bad", ["a\0b", "\udcff"])
def test_what_no_database_can_be_asked_for_finds_nothing_and_harms_none(
    bad: str, local: LocalBackend, url: str
) -> None:
    index = open_index(local, url)
    index.rebuild()
    names = ("platform_id", "video_id", "run_id", "config_hash", "created_from", "text")
    for name in (*names, "component", "reason", "schema_version", "model_signature"):
        wanted = replace(EVERYTHING, **{name: bad})  # type: ignore[arg-type]
        assert index.find_runs(wanted, Paging()).total == 0, name
        assert index.count(wanted).outcomes == ()
    assert not index.sync().is_rebuilt
    assert not index.fallback


def test_what_a_store_holds(local: LocalBackend, url: str) -> None:
    delete_video(local, "local", "v2")
    write_manifest(local, build_made_run(6))  # back from a backup, dead
    Path(local.url, "youtube/v1/r3", MANIFEST_NAME).write_text("{")
    Path(local.url, "youtube/v1/bare").mkdir()
    reader = IndexReader(local, open_index(local, url))
    reader.refresh()
    runs = Store(local).runs()
    found = reader.survey()
    assert (found.runs, found.damaged) == (len(runs), 1)
    assert found.platforms == {
        name: sum(run.path.startswith(f"{name}/") for run in runs) for name in ("local", "youtube")
    }
    assert list(found.components) == sorted(
        {item.name for run in runs for item in run.manifest.components}
    )


@pytest.mark.usefixtures("is_large")
def test_marks_are_news_and_so_is_what_a_page_showed(local: LocalBackend) -> None:
    reader = open_reader(local)
    standing = reader.refresh()
    assert not reader.has_news(standing)
    write_manifest(local, replace(build_made_run(3), components=()))
    assert reader.has_news(standing)
    standing = reader.refresh()
    assert not reader.has_news(standing)
    with local.exclusive("youtube/v1"):
        at_work = reader.refresh()
        assert reader.has_news(at_work)
    standing = reader.refresh()
    heads = reader.find_heads(EVERYTHING, Paging(limit=3))
    shutil.rmtree(Path(local.url, heads[0].path))
    change_by_hand(local, heads[2].path)
    shown = reader.read_runs(heads)
    assert [run.run_path for run in shown] == [heads[1].path, heads[2].path]
    assert shown[1].components == {}
    assert reader.has_news(standing)
    after = reader.refresh()
    assert after.version != standing.version
    assert not reader.has_news(after)
    assert list_paths(reader) == list_truth(local)


def test_on_an_object_store_only_what_is_unsure_is_looked_at_again() -> None:
    backend = MemoryBackend()
    _fill(backend)
    reader = open_reader(backend)
    standing = reader.refresh()
    assert standing.marks is None
    heads = reader.find_heads(EVERYTHING, Paging(limit=2))
    write_manifest(backend, replace(build_made_run(0), components=()))
    assert len(reader.read_runs(heads)) == 2
    assert not reader.has_news(standing)
    other = replace(heads[0], checksum="as it was")
    assert [run.components for run in reader.read_runs([other])] == [{}]
    assert reader.has_news(standing)


@pytest.mark.usefixtures("is_large")
def test_a_page_whose_rows_are_gone_meanwhile_shows_what_there_is(local: LocalBackend) -> None:
    reader, other = open_reader(local), open_index(local)
    reader.refresh()
    heads = reader.find_heads(EVERYTHING, Paging())
    write_manifest(local, replace(build_made_run(3), components=()))
    other.rebuild()  # other keys
    delete_video(local, "local", "v2")
    assert [run.run_path for run in reader.read_runs(heads)] == list_truth(local)


@pytest.mark.usefixtures("is_large")
def test_p13_a_changed_row_is_never_shown(local: LocalBackend) -> None:
    open_index(local).rebuild()
    reader = open_reader(local)
    reader.refresh()
    with sqlite3.connect(open_index(local).place) as connection:
        connection.execute("UPDATE outcomes SET status = 'ok'")
    connection.close()
    shown = reader.read_runs(reader.find_heads(EVERYTHING, Paging()))
    for run, found in zip(Store(local).runs(), shown, strict=True):
        assert sum(found.components.values()) == len(run.manifest.components)
        assert found.components.get("error", 0) == sum(
            item.status == "error" for item in run.manifest.components
        )


@pytest.mark.usefixtures("is_large")
def test_runs_are_read_once_and_then_known_by_their_checksum(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = queries.find_whole

    def find_whole(connection: Connection, keys: list[int]) -> object:
        read.append(len(keys))
        return real(connection, keys)

    monkeypatch.setattr(queries, "find_whole", find_whole)
    reader = open_reader(local)
    reader.refresh()
    first = list_paths(reader)
    assert list_paths(reader) == first
    assert read == [RUNS]
    write_manifest(local, replace(build_made_run(3), components=()))
    reader.refresh()
    assert list_paths(reader) == first
    assert read == [RUNS, 1]
    monkeypatch.setattr(reader_module, "_MOST_KEPT", 10)
    assert list_paths(reader) == first
    reader.close()


def test_a_stamp_that_was_unknown_is_learnt_from_a_look(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = open_reader(local)
    reader.refresh()  # all was written just now, so that nothing has a stamp
    monkeypatch.setattr(scan, "_SETTLED_SEC", -60.0)
    heads = reader.find_heads(EVERYTHING, Paging())
    looked: list[int] = []
    real = verify.look_again

    def look_again(backend: Backend, heads: list[object]) -> object:
        seen = real(backend, heads)  # type: ignore[arg-type]
        looked.append(len(seen))
        return seen

    monkeypatch.setattr(reader_module, "look_again", look_again)
    for _ in range(2):
        assert [run.run_path for run in reader.read_runs(heads)] == list_truth(local)
    assert looked == [RUNS, 0]


# --- a database that cannot be used for a while ------------------------------------------------


@contextmanager
def _locked_by_another(file: str) -> Iterator[None]:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.close()


def test_a_database_that_was_left_aside_is_used_again_once_it_can_be(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filmcan.store.index.database._WAIT_SEC", 0.01)
    index = open_index(local)
    index.rebuild()
    reader = IndexReader(local, index)
    with _locked_by_another(index.place):
        reader.refresh()
        assert "locked" in index.fallback
        monkeypatch.setattr(index_module, "_TRIED_AGAIN_SEC", 0.0)
        index._tried_again_at = 0.0
        reader.refresh()
        assert index.place == "memory"
        assert list_paths(reader) == list_truth(local)
    write_manifest(local, build_made_run(RUNS))
    reader.refresh()
    assert not index.fallback
    assert index.place != "memory"
    assert list_paths(reader) == list_truth(local)


def _refuse_once(
    monkeypatch: pytest.MonkeyPatch, code: str, meanwhile: Callable[[], None]
) -> list[None]:
    """Have the next reading transaction fail, after something has happened."""
    refused: list[None] = []
    real = Database.read

    @contextmanager
    def read(self: Database) -> Iterator[Connection]:
        if not refused:
            refused.append(None)
            meanwhile()
            raise IndexFaultError("not now", code=code)
        with real(self) as connection:
            yield connection

    monkeypatch.setattr(Database, "read", read)
    return refused


def test_a_question_that_met_a_thread_at_work_is_asked_again(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_index(local)
    reader = IndexReader(local, index)
    reader.refresh()
    held, go_on = threading.Event(), threading.Event()

    def work() -> None:
        with index._changing:
            held.set()
            go_on.wait()

    worker = threading.Thread(target=work)
    worker.start()
    held.wait()
    is_busy = index._is_busy

    def tell_and_go_on() -> bool:
        found = is_busy()
        go_on.set()
        return found

    monkeypatch.setattr(index, "_is_busy", tell_and_go_on)
    assert _refuse_once(monkeypatch, "index_locked", lambda: None) == []
    assert list_paths(reader) == list_truth(local)
    worker.join()
    assert not index.fallback


def test_two_threads_that_meet_damage_mend_it_once(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_index(local)
    reader = IndexReader(local, index)
    reader.refresh()

    def mend() -> None:
        index._mendings += 1  # as another thread does

    def fail(_: StoreIndex) -> None:
        raise AssertionError("made anew twice")

    _refuse_once(monkeypatch, "index_damaged", mend)
    monkeypatch.setattr(Database, "remove_files", fail)
    assert list_paths(reader) == list_truth(local)


def test_two_threads_that_meet_a_lock_leave_it_aside_once(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_index(local)
    reader = IndexReader(local, index)
    reader.refresh()
    substitute = open_index(local, "memory")
    substitute.rebuild()

    def leave_aside() -> None:
        index._database = substitute._database  # as another thread does

    _refuse_once(monkeypatch, "index_locked", leave_aside)
    assert list_paths(reader) == list_truth(local)
    assert index._database is substitute._database
    _refuse_once(monkeypatch, "index_locked", lambda: None)
    assert list_paths(reader) == list_truth(local)  # one in memory is asked once more


def test_a_cache_that_cannot_be_made_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bucket(MemoryBackend):
        @property
        def url(self) -> str:
            return "s3://bucket/prefix"

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    backend = Bucket()
    _fill(backend)
    reader = open_reader(backend)
    reader.refresh()
    assert list_paths(reader) == list_truth(backend)
