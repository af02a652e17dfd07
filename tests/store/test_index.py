"""P13: the index is a cache; whatever becomes of it, an answer is that of the manifests."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from filmcan.contract.manifest import MANIFEST_NAME, Manifest
from filmcan.errors import BadProfileError, StoreUnavailableError
from filmcan.store.base import Backend
from filmcan.store.deletion import delete_video
from filmcan.store.index import index as index_module
from filmcan.store.index import known, reading, scan, state
from filmcan.store.index.database import Database, IndexFaultError
from filmcan.store.index.index import StoreIndex, open_index
from filmcan.store.index.questions import Outcome, Page, Paging, RunFilter
from filmcan.store.index.rows import build_rows, parse_run
from filmcan.store.index.tables import STATE
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.marks import CHANGES
from filmcan.store.memory import MemoryBackend
from filmcan.store.store import Store
from filmcan.store.tombstones import TOMBSTONES, build_tombstone_path
from filmcan.testing.made_runs import build_made_run, write_manifest
from filmcan.testing.read_only_index import refuse_index_writes

if TYPE_CHECKING:
    from sqlalchemy import Connection

RUNS = 24
ALL = Paging()


@pytest.fixture
def local(tmp_path: Path) -> LocalBackend:
    """Return a store on disk with runs of many kinds."""
    backend = LocalBackend(tmp_path / "store")
    for number in range(RUNS):
        write_manifest(backend, build_made_run(number))
    return backend


@pytest.fixture
def file(local: LocalBackend) -> Path:
    """Return the place of its index, which is there and up to date."""
    index = open_index(local)
    index.rebuild()
    return Path(index.place)


@pytest.fixture
def is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every store as one too large to look at every manifest each time."""
    monkeypatch.setattr(state, "SWEPT_ALWAYS_RUNS", -1)


@pytest.fixture
def is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the stamps of what was written just now, as if it had been a while ago."""
    monkeypatch.setattr(scan, "_SETTLED_SEC", -60.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of each kind of database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return str(tmp_path / "elsewhere.sqlite")


def list_truth(backend: Backend) -> list[str]:
    """Return what the manifests say: the path of each run with the checksum of its rows."""
    return [f"{run.path} {build_rows(run.manifest).checksum}" for run in Store(backend).runs()]


def list_answer(index: StoreIndex) -> list[str]:
    """Return what the index says: its page, held to the manifests run by run."""
    page = index.find_runs(RunFilter(), ALL)
    assert page.total == len(page.runs)
    runs = {run.path: run for run in Store(index._backend).runs()}
    for found in page.runs:
        manifest = runs[found.path].manifest
        assert found == parse_run(build_rows(manifest).facts)
        assert found.pending_components == manifest.pending_components
        for component, record in zip(found.components, manifest.components, strict=True):
            npz = next((item for item in record.artifacts if item.kind == "npz"), None)
            assert component.artifact_path == (npz.path if npz else None)
            assert component.artifact_sha256 == (npz.sha256 if npz else None)
    return [f"{run.path} {build_rows(runs[run.path].manifest).checksum}" for run in page.runs]


def change_by_hand(local: LocalBackend, number: int) -> None:
    """Replace a manifest as no writer of ours does: without lock and marks."""
    manifest = build_made_run(number)
    run = replace(manifest.run, status="error", finished_at=manifest.run.created_at, revision=99)
    path = f"{run.platform_id}/{run.video_id}/{run.run_id}/{MANIFEST_NAME}"
    place = Path(local.url, path)
    temporary = place.with_name("_tmp_by_hand")
    temporary.write_bytes(replace(manifest, run=run).to_bytes())
    temporary.replace(place)


# --- what becomes of an index -----------------------------------------------------------------


def _write_over(file: Path, start: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(data)


def _execute(*statements: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        with sqlite3.connect(file) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    return change


def _replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "deleted": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b"") and None,
    "no_database": lambda file: file.write_bytes(b"\0 no database" * 999) and None,
    "cut": lambda file: os.truncate(file, file.stat().st_size // 2),
    "header_lost": lambda file: _write_over(file, 0, bytes(100)),
    "pages_lost": lambda file: _write_over(file, 4096, bytes(file.stat().st_size - 4096)),
    "a_folder": _replace_by_folder,
    "other_layout": _execute("UPDATE state SET layout = 0"),
    "other_store": _execute("UPDATE state SET store_url = '/somewhere/else'"),
    "no_state": _execute("DELETE FROM state"),
    "two_states": _execute("INSERT INTO state SELECT * FROM state"),
    "half_migrated": _execute("ALTER TABLE outcomes RENAME COLUMN empty_reason TO reason"),
    "outcomes_lost": _execute("DELETE FROM outcomes WHERE id > 1"),
    "outcomes_changed": _execute("UPDATE outcomes SET status = 'ok', empty_reason = NULL"),
    "table_lost": _execute("DROP TABLE set_aside"),
    "index_lost": _execute("DROP INDEX runs_by_path"),
    "rows_lost": _execute("DELETE FROM components", "DELETE FROM runs WHERE id % 2"),
    "components_lost": _execute("DELETE FROM components WHERE outcome = 2"),
    "facts_lost": _execute("DELETE FROM facts WHERE run_key = 2"),
    "facts_changed": _execute("UPDATE facts SET facts = replace(facts, 'ok', 'empty')"),
    "facts_cut": _execute("UPDATE facts SET facts = substr(facts, 1, 99)"),
    "facts_too_long": _execute("UPDATE facts SET facts = rtrim(facts, ']') || ',1]'"),
    "facts_no_text": _execute("UPDATE facts SET facts = x'ff00'", "UPDATE state SET swept_at = 1"),
    "facts_swapped": _execute(
        "UPDATE facts SET run_key = -run_key WHERE run_key < 3",
        "UPDATE facts SET run_key = 3 + run_key WHERE run_key < 0",
    ),
    "folders_lost": _execute("DELETE FROM folders"),
    "stamps_lost": _execute("UPDATE runs SET stamp = ''", "UPDATE folders SET stamp = ''"),
    "wrong_stamps": _execute("UPDATE runs SET stamp = '1:2:3:4'"),
    "cell_changed": _execute("UPDATE components SET model_signature = 'f' WHERE run_key = 1"),
    "search_changed": _execute("UPDATE runs SET folded_text = 'f' WHERE id = 1"),
    "wrong_type": _execute("UPDATE runs SET folded_text = 7, duration_sec = x'ff'"),
    "ahead": _execute(
        "INSERT INTO runs SELECT id + 1000, slot, stamp, checksum, is_latest, platform_id,"
        " video_id, 'never', status, created_at, updated_at, finished_at, config_hash,"
        " duration_sec, folded_path, folded_text FROM runs WHERE id = 1",
        "INSERT INTO facts SELECT run_key + 1000, facts FROM facts WHERE run_key = 1",
        "INSERT INTO components SELECT run_key + 1000, outcome, model_signature FROM components"
        " WHERE run_key = 1",
        "UPDATE state SET runs = runs + 1",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_p13_a_damaged_index_never_changes_an_answer(
    damage: str, is_settled: None, local: LocalBackend, file: Path
) -> None:
    DAMAGES[damage](file)
    index = open_index(local)
    assert list_answer(index) == list_truth(local)
    write_manifest(local, build_made_run(RUNS))  # a writer does not notice
    assert list_answer(index) == list_truth(local)
    assert index.count(RunFilter()).total == RUNS + 1
    assert list_answer(open_index(local)) == list_truth(local)


@pytest.mark.parametrize("damage", ["rows_lost", "ahead", "cell_changed", "wrong_type", "no_state"])
def test_p13_neither_does_one_whose_manifests_are_not_all_looked_at(
    damage: str, is_settled: None, is_large: None, local: LocalBackend, file: Path
) -> None:
    DAMAGES[damage](file)
    assert list_answer(open_index(local)) == list_truth(local)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("UPDATE runs SET folded_text = 'zebra' WHERE id < 9", RunFilter(text="zebra")),
        ("UPDATE runs SET folded_path = 'zebra' WHERE id < 9", RunFilter(words=("zebra",))),
        ("UPDATE runs SET config_hash = 'zebra' WHERE id < 9", RunFilter(config_hash="zebra")),
        ("UPDATE runs SET checksum = 'zebra' WHERE id < 9", RunFilter()),
        ("UPDATE outcomes SET schema_version = 'zebra'", RunFilter(schema_version="zebra")),
        ("UPDATE components SET model_signature = 'z'", RunFilter(model_signature="z")),
        ("DELETE FROM components", RunFilter()),
    ],
)
def test_p13_a_run_found_by_a_column_that_was_damaged_is_not_shown(
    change: str, wanted: RunFilter, is_large: None, local: LocalBackend, file: Path
) -> None:
    expected = open_index(local).find_runs(wanted, ALL)
    _execute(change)(file)
    assert open_index(local).find_runs(wanted, ALL) == expected
    with sqlite3.connect(file) as connection:
        columns = connection.execute("SELECT folded_text, config_hash, checksum FROM runs")
        assert not any("zebra" in row for row in columns), "it was not made anew"
        assert connection.execute("SELECT count(*) FROM components").fetchone()[0] > 0
    connection.close()


@contextmanager
def _locked_by_another(file: Path) -> Iterator[None]:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.close()


@pytest.mark.parametrize("is_stale", [False, True])
def test_p13_a_locked_index_is_left_aside(
    is_stale: bool, local: LocalBackend, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("filmcan.store.index.database._WAIT_SEC", 0.01)
    with _locked_by_another(file):
        if is_stale:
            write_manifest(local, build_made_run(RUNS))
        index = open_index(local)
        assert list_answer(index) == list_truth(local)
        assert "locked" in index.fallback
        with pytest.raises(IndexFaultError, match="locked"):
            open_index(local).rebuild()
    assert list_answer(open_index(local)) == list_truth(local)


def test_p13_an_index_that_cannot_be_written_is_read_and_completed_in_memory(
    is_settled: None, local: LocalBackend, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = file.read_bytes()
    refuse_index_writes(monkeypatch)
    read: list[str] = []
    real_read = reading._read_run

    def count(backend: Backend, look: reading.Look, *, has_tombstones: bool) -> object:
        read.append(look.path)
        return real_read(backend, look, has_tombstones=has_tombstones)

    monkeypatch.setattr(reading, "_read_run", count)
    index = open_index(local)
    assert list_answer(index) == list_truth(local)
    assert not index.fallback  # nothing had changed: it was not asked to write
    write_manifest(local, build_made_run(RUNS))
    index = open_index(local)
    assert list_answer(index) == list_truth(local)
    assert "readonly" in index.fallback
    assert len(read) < RUNS, "all manifests were read anew"
    assert file.read_bytes() == before


def test_p10_an_index_is_never_written_through_a_link(
    local: LocalBackend, file: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    file.unlink()
    file.symlink_to(elsewhere)
    index = open_index(local)
    assert list_answer(index) == list_truth(local)
    assert "link" in index.fallback
    assert elsewhere.read_bytes() == b"mine"


def test_a_damaged_index_that_cannot_be_removed_is_left_aside(
    local: LocalBackend, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(b"no database" * 99)

    def refuse(self: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(13, "not yours")

    monkeypatch.setattr(Path, "unlink", refuse)
    index = open_index(local)
    assert list_answer(index) == list_truth(local)
    assert "not yours" in index.fallback
    told: list[str] = []
    assert index.find_runs(RunFilter(), ALL, on_progress=lambda _, note: told.append(note)).total
    assert told


# --- staying up to date ------------------------------------------------------------------------


def test_p13_an_index_that_followed_every_change_equals_one_made_anew(
    local: LocalBackend, url: str
) -> None:
    index = open_index(local, url)
    assert index.sync().runs == RUNS
    write_manifest(local, replace(build_made_run(3), components=()))
    write_manifest(local, build_made_run(RUNS))
    delete_video(local, "local", "v2")
    delete_video(local, "youtube", "v0", "r1")
    shutil.rmtree(Path(local.url, "youtube/v1"))
    Path(local.url, "local/v3/r10", MANIFEST_NAME).write_text("{")
    assert list_answer(index) == list_truth(local)
    followed = index.dump()
    report = index.sync()
    assert (report.set_aside, report.is_rebuilt) == (1, False)
    anew = index.rebuild()
    assert index.dump() == followed
    assert anew.runs == len(followed) == report.runs
    other = open_index(local, "memory")
    other.rebuild()
    assert other.dump() == followed
    index.drop()
    assert list_answer(open_index(local, url)) == list_truth(local)


@pytest.mark.usefixtures("is_large", "is_settled")
def test_changes_by_writers_are_seen_through_the_marks_alone(
    local: LocalBackend, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_index(local, url)
    index.rebuild()
    looked = _watch_looks(monkeypatch)
    assert list_answer(index) == list_truth(local)
    assert len(looked) == RUNS  # the page alone
    looked.clear()
    write_manifest(local, replace(build_made_run(3), components=()))
    assert index.count(RunFilter()).total == RUNS
    assert len(looked) < RUNS / 2
    delete_video(local, "youtube", "v0", "r1")
    write_manifest(local, build_made_run(RUNS))
    delete_video(local, "local", "v2")
    shutil.rmtree(Path(local.url, "youtube"))
    assert list_answer(index) == list_truth(local)
    looked.clear()
    with local.exclusive("local/v4"):  # looks and changes nothing
        pass
    index.count(RunFilter())
    assert len(looked) < RUNS / 2
    looked.clear()
    index.count(RunFilter())
    assert not looked


def _watch_looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    looked: list[str] = []
    real = scan.LocalScanner.find_manifest_stamp

    def find(self: scan.LocalScanner, run_path: str) -> str | None:
        looked.append(run_path)
        return real(self, run_path)

    monkeypatch.setattr(scan.LocalScanner, "find_manifest_stamp", find)
    return looked


@pytest.mark.usefixtures("is_large", "is_settled")
def test_a_writer_at_work_or_dead_is_looked_at_every_time(local: LocalBackend) -> None:
    index = open_index(local)
    index.rebuild()
    with local.exclusive("youtube/v1"):
        assert list_answer(index) == list_truth(local)  # remembers marks while it is held
        change_by_hand(local, 3)
        assert index.count(RunFilter(status="error")).total == _count_errors(local)
    marks = bytearray(Path(local.url, CHANGES).read_bytes())
    index.sync()
    with local.exclusive("youtube/v1"):
        odd = Path(local.url, CHANGES).read_bytes()
    Path(local.url, CHANGES).write_bytes(odd)  # as a killed writer leaves it
    assert marks != odd
    index.count(RunFilter())
    change_by_hand(local, 5)
    assert index.count(RunFilter(status="error")).total == _count_errors(local)


def _count_errors(backend: Backend) -> int:
    return sum(run.status == "error" for run in Store(backend).runs())


def _lose_marks(local: LocalBackend, _monkeypatch: pytest.MonkeyPatch) -> None:
    Path(local.url, CHANGES).unlink()


def _damage_marks(local: LocalBackend, _monkeypatch: pytest.MonkeyPatch) -> None:
    Path(local.url, CHANGES).write_bytes(b"no marks")


def _replace_marks(local: LocalBackend, _monkeypatch: pytest.MonkeyPatch) -> None:
    Path(local.url, CHANGES).unlink()
    with local.exclusive("nobody/nothing"):
        pass


def _start_anew(_local: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "read_boot_id", lambda: "another start")


def _know_no_start(_local: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_BOOT_ID", Path("/nonexistent"))


def _wait_long(_local: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "SWEPT_EVERY_SEC", 0.0)


def _change_much(local: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_MOST_SLOTS", 0)
    with local.exclusive("nobody/nothing"):
        pass


def _change_much_at_once(local: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_MOST_SLOTS", 0)
    with local.exclusive("youtube/v1"):
        pass


@pytest.mark.usefixtures("is_large", "is_settled")
@pytest.mark.parametrize(
    "doubt",
    [
        _change_much_at_once,
        _lose_marks,
        _damage_marks,
        _replace_marks,
        _start_anew,
        _know_no_start,
        _wait_long,
        _change_much,
    ],
)
def test_marks_that_say_nothing_make_it_look_at_everything(
    doubt: Callable[[LocalBackend, pytest.MonkeyPatch], None],
    local: LocalBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = open_index(local)
    index.rebuild()
    change_by_hand(local, 3)
    doubt(local, monkeypatch)
    assert index.count(RunFilter(status="error")).total == _count_errors(local)
    assert list_answer(index) == list_truth(local)


@pytest.mark.usefixtures("is_large", "is_settled")
def test_p13_nothing_is_shown_that_its_manifest_does_not_say(local: LocalBackend) -> None:
    index = open_index(local)
    index.rebuild()
    page = Paging(limit=4)
    first = index.find_runs(RunFilter(), page).runs
    changed = first[1]
    change_by_hand(local, int(changed.run_id[1:]))
    shutil.rmtree(Path(local.url, first[0].path))
    shutil.rmtree(Path(local.url, first[2].path))
    found = index.find_runs(RunFilter(), page)
    assert [f"{run.path}" for run in found.runs] == [
        line.split()[0] for line in list_truth(local)[:4]
    ]
    assert {run.path: run.status for run in found.runs}[changed.path] == "error"
    assert index.find_runs(RunFilter(status="ok"), ALL).total == sum(
        run.status == "ok" for run in Store(local).runs()
    )


@pytest.mark.usefixtures("is_large", "is_settled")
def test_runs_that_change_all_the_time_are_shown_as_they_are(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_index(local)
    index.rebuild()
    real = index_module.queries.find_page
    numbers = iter(range(100))

    def find_page(*arguments: object) -> object:
        found = real(*arguments)  # type: ignore[arg-type]
        manifest = build_made_run(3)
        run = replace(manifest.run, revision=1000 + next(numbers))
        write_manifest(local, replace(manifest, run=run))
        return found

    monkeypatch.setattr(index_module.queries, "find_page", find_page)
    page = index.find_runs(RunFilter(), ALL)
    shown = {run.path: run.revision for run in page.runs}
    assert shown["youtube/v1/r3"] == Store(local).run("youtube", "v1", "r3").manifest.run.revision


def test_what_changed_within_a_tick_of_the_clock_is_read_again(local: LocalBackend) -> None:
    index = open_index(local)
    index.rebuild()
    place = Path(local.url, "youtube/v1/r3", MANIFEST_NAME)
    found = place.stat()
    text = place.read_text()
    place.write_text(text.replace('"revision": 3', '"revision": 4'))  # same file, same size
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert list_answer(index) == list_truth(local)


def test_a_manifest_that_gives_no_run_is_set_aside_until_it_does(
    backend: Backend, is_settled: None
) -> None:
    path = write_manifest(backend, build_made_run(1))
    index = open_index(backend)
    whole = backend.read(f"{path}/{MANIFEST_NAME}", limit=1 << 24)
    for data, count in ((b"{", 1), (whole, 0), (b"[]", 1), (whole, 0)):
        found = backend.find_versioned(f"{path}/{MANIFEST_NAME}", limit=1 << 24)
        assert found is not None
        backend.swap(f"{path}/{MANIFEST_NAME}", data, expected=found.version)
        page = index.find_runs(RunFilter(), ALL)
        assert (page.total, page.set_aside) == (1 - count, count)
    other = whole.replace(b'"r1"', b'"r9"')
    backend.swap(f"local/v9/r8/{MANIFEST_NAME}", other, expected=None)
    assert index.find_runs(RunFilter(), ALL).set_aside == 1


def test_a_folder_that_gets_its_manifest_later_is_noticed(
    local: LocalBackend, is_settled: None
) -> None:
    place = Path(local.url, "youtube/v1/r3", MANIFEST_NAME)
    place.rename(place.with_name("kept"))
    index = open_index(local)
    assert list_answer(index) == list_truth(local)
    assert list_answer(index) == list_truth(local)
    place.with_name("kept").rename(place)
    assert list_answer(index) == list_truth(local)
    assert index.sync().runs == RUNS


def test_what_is_no_folder_and_what_vanishes_meanwhile_is_passed_over(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(local.url, "stray").write_text("x")
    Path(local.url, "linked").symlink_to(Path(local.url, "local"))
    Path(local.url, "youtube", "v1", "r3", MANIFEST_NAME).unlink()
    Path(local.url, "youtube", "v1", "r3", MANIFEST_NAME).mkdir()
    real = reading.read_runs

    def read_late(backend: Backend, looks: object, workers: int = 1) -> object:
        shutil.rmtree(Path(local.url, "youtube/v0"), ignore_errors=True)
        return real(backend, looks, workers)  # type: ignore[arg-type]

    monkeypatch.setattr("filmcan.store.index.sync.read_runs", read_late)
    index = open_index(local)
    report = index.sync()
    assert report.runs == len(list_truth(local))
    assert list_answer(index) == list_truth(local)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_no_database_can_hold_are_passed_over(local: LocalBackend, url: str) -> None:
    name = os.fsdecode(b"\xff")
    top = Path(local.url)
    try:
        for folder in (top, top / "youtube", top / "youtube/v1", top / TOMBSTONES):
            (folder / name / name).mkdir(parents=True)
            (folder / name / MANIFEST_NAME).write_text("{}")
        (top / TOMBSTONES / f"{name}.txt").write_text("x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    index = open_index(local, url)
    assert list_answer(index) == list_truth(local)
    assert index.rebuild().runs == len(list_truth(local))
    codes = {item.issue.code for item in inspect_store(local, with_data=False).findings}
    assert "strange_folder" in codes


# --- deletion ----------------------------------------------------------------------------------


@pytest.mark.parametrize("run_id", [None, "r6"])
def test_p11_no_byte_of_what_was_deleted_stays_in_the_index(
    run_id: str | None, local: LocalBackend, file: Path
) -> None:
    needle = b"'local','v2'" + (b",'r6'" if run_id else b"")
    secret = replace(build_made_run(6), extra={})
    assert secret.run.video_id == "v2"
    run = replace(secret.run, source={"name": "the secret name.mp4"})
    write_manifest(local, replace(secret, run=run))
    assert list_answer(open_index(local)) == list_truth(local)
    assert b"the secret name" in file.read_bytes()
    delete_video(local, "local", "v2", run_id)
    assert b"the secret name" not in file.read_bytes()
    with sqlite3.connect(file) as connection:
        text = "\n".join(connection.iterdump()).encode()
    connection.close()
    assert needle not in text
    assert run_id or b"local/v2" not in text
    assert list_answer(open_index(local)) == list_truth(local)


def test_p11_an_index_that_cannot_forget_is_removed(local: LocalBackend, file: Path) -> None:
    file.write_bytes(b"local/v2 and no database" * 99)
    delete_video(local, "local", "v2")
    assert not file.exists()
    assert list_answer(open_index(local)) == list_truth(local)


def test_p11_an_index_of_another_layout_forgets_too(local: LocalBackend, file: Path) -> None:
    DAMAGES["other_layout"](file)
    delete_video(local, "local", "v2")
    assert b"local/v2" not in file.read_bytes()
    assert list_answer(open_index(local)) == list_truth(local)


def test_p11_rows_on_a_server_go_with_the_video(
    local: LocalBackend, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILMCAN_INDEX_URL", postgresql_url)
    index = open_index(local)
    index.rebuild()
    delete_video(local, "local", "v2")
    assert "v2" not in {row[2] for row in index.dump() if row[1] == "local"}
    monkeypatch.setenv("FILMCAN_INDEX_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailableError):
        delete_video(local, "local", "v4")
    assert list_answer(open_index(local)) == list_truth(local)  # slower, and as true
    monkeypatch.setenv("FILMCAN_INDEX_URL", postgresql_url)
    delete_video(local, "local", "v4")
    assert "local/v4" not in {run.path.rpartition("/")[0] for run in Store(local).runs()}


@pytest.mark.usefixtures("is_large", "is_settled")
def test_p11_a_run_that_died_by_a_tombstone_is_not_shown(local: LocalBackend, url: str) -> None:
    kept = Path(local.url, "_tmp_kept")
    shutil.copytree(Path(local.url, "local/v2"), kept)
    delete_video(local, "local", "v2")
    kept.rename(Path(local.url, "local/v2"))  # back from a backup, dead
    index = open_index(local, url)
    assert list_answer(index) == list_truth(local)
    dead = index.find_runs(RunFilter(), ALL).set_aside
    Path(local.url, build_tombstone_path("local/v2")).unlink()
    assert list_answer(index) == list_truth(local)
    Path(local.url, TOMBSTONES, "_tmp_x").write_text("")
    assert index.find_runs(RunFilter(), ALL).set_aside == 0
    assert dead == 2
    Path(local.url, build_tombstone_path("local/v2")).write_text("damaged")
    assert list_answer(index) == list_truth(local)


# --- questions ---------------------------------------------------------------------------------


def _matches(manifest: Manifest, wanted: RunFilter, latest: set[str]) -> bool:
    run = manifest.run
    of_run = (
        wanted.platform_id in (None, run.platform_id)
        and wanted.video_id in (None, run.video_id)
        and wanted.run_id in (None, run.run_id)
        and wanted.status in (None, run.status or "unfinished")
        and run.config_hash.startswith(wanted.config_hash or "")
        and (wanted.created_from or "") <= run.created_at
        and run.created_at < (wanted.created_before or "~")
        and (not wanted.latest_only or f"{run.video_id}/{run.run_id}" in latest)
    )
    words = [run.platform_id, run.video_id, run.run_id, str(run.source.get("name"))]
    words += [text for item in manifest.components for text in (item.error, item.notes) if text]
    folded = (wanted.text or "").lower()
    of_text = wanted.text is None or any(folded in word.lower() for word in words)
    asked = (
        wanted.component,
        wanted.component_status,
        wanted.reason,
        wanted.producer_version,
        wanted.schema_version,
        wanted.model_signature,
    )
    of_component = not any(asked) or any(
        wanted.component in (None, item.name)
        and wanted.component_status in (None, item.status)
        and wanted.reason in (None, item.empty_reason)
        and wanted.producer_version in (None, item.producer_version)
        and wanted.schema_version in (None, item.schema_version)
        and (item.model_signature or "").startswith(wanted.model_signature or "")
        for item in manifest.components
    )
    return of_run and of_text and of_component


FILTERS = (
    RunFilter(platform_id="youtube"),
    RunFilter(video_id="v3"),
    RunFilter(run_id="r7"),
    RunFilter(status="ok"),
    RunFilter(status="unfinished", platform_id="local"),
    RunFilter(config_hash="22"),
    RunFilter(created_from="2026-01-08", created_before="2026-01-15T12:00:00.016Z"),
    RunFilter(latest_only=True),
    RunFilter(latest_only=True, status="error"),
    RunFilter(component="core_clip"),
    RunFilter(component="core_clip", component_status="empty"),
    RunFilter(component_status="error", platform_id="youtube"),
    RunFilter(reason="dependency_missing"),
    RunFilter(producer_version="1", component="text_processor"),
    RunFilter(schema_version="core_clip_npz_v2"),
    RunFilter(model_signature="333"),
    RunFilter(component="nothing"),
    RunFilter(text="CLIP_1"),
    RunFilter(text="100%"),
    RunFilter(text="0%_"),
    RunFilter(text="Заметка 4"),
    RunFilter(text="runtimeerror", platform_id="local"),
)


@pytest.mark.usefixtures("is_large", "is_settled")
def test_filters_find_what_the_manifests_say_on_every_database(
    local: LocalBackend, url: str
) -> None:
    index = open_index(local, url)
    runs = Store(local).runs()
    latest = set()
    for video in {(run.platform_id, run.video_id) for run in runs if run.manifest.is_finished}:
        latest.add(f"{video[1]}/{Store(local).latest(*video).run_id}")
    for wanted in FILTERS:
        expected = [run.path for run in runs if _matches(run.manifest, wanted, latest)]
        page = index.find_runs(wanted, ALL)
        assert [run.path for run in page.runs] == expected, wanted
        assert page.total == len(expected)
        counts = index.count(wanted)
        assert counts.total == len(expected), wanted
    assert 3 < sum(bool(index.find_runs(wanted, ALL).total) for wanted in FILTERS) < len(FILTERS)


def test_counts_are_those_of_the_manifests(local: LocalBackend, url: str) -> None:
    counts = open_index(local, url).count(RunFilter(platform_id="local"))
    runs = Store(local).runs("local")
    expected: dict[tuple[str, str, str | None], int] = {}
    for run in runs:
        for item in run.manifest.components:
            key = (item.name, item.status, item.empty_reason)
            expected[key] = expected.get(key, 0) + 1
    found = {(item.component, item.status, item.reason): item.count for item in counts.outcomes}
    assert found == expected
    assert counts.runs == {
        status: sum(run.status == status for run in runs) for status in ("ok", "error", None)
    }
    of_one = open_index(local, url).count(RunFilter(component="core_clip"))
    assert {item.component for item in of_one.outcomes} == {"core_clip"}
    assert isinstance(of_one.outcomes[0], Outcome)


@pytest.mark.usefixtures("is_large", "is_settled")
def test_pages_follow_each_other_in_the_same_order_on_every_database(
    local: LocalBackend, url: str
) -> None:
    index, other = open_index(local, url), open_index(local)
    runs = {run.path: run.manifest.run for run in Store(local).runs()}
    for sort in ("path", "created_at", "updated_at", "duration_sec"):
        for descending in (False, True):
            paging = Paging(sort, descending)  # type: ignore[arg-type]
            whole = [run.path for run in index.find_runs(RunFilter(), paging).runs]
            assert [run.path for run in other.find_runs(RunFilter(), paging).runs] == whole
            parts: list[str] = []
            for offset in range(0, RUNS + 9, 9):
                page = index.find_runs(RunFilter(), replace(paging, limit=9, offset=offset))
                assert page.total == RUNS
                parts += [run.path for run in page.runs]
            assert parts == whole
            if sort == "created_at":
                times = [runs[path].created_at for path in whole]
                assert times == sorted(times, reverse=descending)
            if sort == "duration_sec":
                known = ["duration_sec" in runs[path].source for path in whole]
                assert known == sorted(known, reverse=True)


def test_values_that_a_database_cannot_hold_are_held_as_near_as_it_can(
    local: LocalBackend, url: str
) -> None:
    manifest = build_made_run(1)
    record = replace(
        manifest.components[0],
        notes="a\0b",
        duration_ms=1 << 80,
        reuse_key={"digest": 7},
        models_used=(),
    )
    source = {"name": "x\0y", "size_bytes": 1 << 90, "duration_sec": 10**400, "sha256": 5}
    run = replace(manifest.run, source=source, revision=1 << 70, planned_components=())
    write_manifest(local, Manifest(run, (record, *manifest.components[1:])))
    other = build_made_run(2)
    odd = {"name": None, "size_bytes": True, "duration_sec": True}
    write_manifest(local, replace(other, run=replace(other.run, source=odd)))
    index = open_index(local, url)
    found = {run.run_id: run for run in index.find_runs(RunFilter(), ALL).runs}["r1"]
    assert (found.source_name, found.revision) == ("x\0y", (1 << 63) - 1)
    assert found.components[0].notes == "a\0b"
    assert index.find_runs(RunFilter(text="X\ufffdy"), ALL).total == 1
    assert found.components[0].duration_ms == (1 << 63) - 1
    assert found.planned_components == ()
    assert list_answer(index) == list_truth(local)


# --- where it lies -----------------------------------------------------------------------------


@pytest.mark.usefixtures("processes_at_once")
def test_many_processes_read_what_one_reads(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_CHUNK", 10)
    told: list[float] = []
    index = open_index(local, workers=2)
    report = index.rebuild(on_progress=lambda fraction, _: told.append(fraction))
    assert (report.runs, report.read) == (RUNS, RUNS)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert list_answer(open_index(local)) == list_truth(local)
    looks = [reading.Look("youtube/v1/r3", "x"), reading.Look("youtube/v1/none", "x")]
    (seen,) = reading.read_runs(local, looks, workers=2)
    assert [item.rows is not None for item in seen] == [True, False]


def test_the_database_lies_where_it_was_asked_for(
    tmp_path: Path, local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert open_index(local).place == f"{local.url}/_filmcan/index.sqlite"
    assert open_index(local, f"sqlite://{tmp_path}/a.sqlite").place == f"{tmp_path}/a.sqlite"
    assert open_index(local, f"sqlite:///{tmp_path}/a.sqlite").place == f"{tmp_path}/a.sqlite"
    assert open_index(local, "memory").place == "memory"
    monkeypatch.setenv("FILMCAN_INDEX_URL", str(tmp_path / "b.sqlite"))
    assert open_index(local).place == str(tmp_path / "b.sqlite")
    monkeypatch.delenv("FILMCAN_INDEX_URL")
    for url in ("mysql://x/y", "postgresql://h:port/x"):
        with pytest.raises(BadProfileError):
            open_index(local, url)
    assert "secret" not in open_index(local, "postgres://me:secret@h/x?options=secret").place

    class Bucket(MemoryBackend):
        @property
        def url(self) -> str:
            return "s3://bucket/prefix"

    cached = Path(open_index(Bucket()).place)
    assert cached.parent == tmp_path / "cache" / "filmcan" / "indexes"


def test_an_extra_that_is_missing_is_named(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(Exception, match=r"filmcan\[postgres\]"):
        open_index(local, "postgresql://h/x")


def test_a_folder_that_is_no_store_stays_as_it_is(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    index = open_index(backend)
    assert index.find_runs(RunFilter(), ALL) == Page((), 0, 0)
    assert index.find_size_bytes() is None
    assert list(tmp_path.iterdir()) == []


def test_an_index_is_surveyed_and_dropped(local: LocalBackend, url: str) -> None:
    index = open_index(local, url)
    if url.endswith(".sqlite"):
        assert index.survey() is None
        assert index.find_size_bytes() is None
        index.forget("local/v2", is_whole=True)
    else:
        with pytest.raises(IndexFaultError):
            index.survey()
    index.rebuild()
    shutil.rmtree(Path(local.url, "youtube/v1"))
    survey = index.survey()
    assert survey is not None
    assert (survey.runs, survey.removed) == (RUNS, 2)
    index.sync()
    index.drop()
    index.close()
    other = open_index(local, url)
    other.rebuild()
    if url.endswith(".sqlite"):
        _execute("UPDATE state SET store_url = 'x'")(Path(url))
        with pytest.raises(IndexFaultError, match="another store"):
            other.survey()


def test_two_that_synchronise_at_once_lose_nothing(
    is_settled: None, local: LocalBackend, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = open_index(local, url), open_index(local, url)
    first.rebuild()
    real = Database.write

    def spoil() -> None:
        with second._database.write() as connection:
            connection.execute(update(STATE).values(layout=0))

    for number, meanwhile in enumerate((second.sync, second.rebuild, second.drop, spoil)):
        write_manifest(local, build_made_run(RUNS + number))
        _let_another_be_faster(monkeypatch, meanwhile)
        assert list_answer(first) == list_truth(local)
        assert Database.write is real
    _let_another_be_faster(monkeypatch, second.rebuild)
    assert first.sync().read == 0  # has nothing to note


def _let_another_be_faster(
    monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[], object]
) -> None:
    """Do something with the index between a comparison and the writing of what it found."""
    real = Database.write

    @contextmanager
    def write(self: Database) -> Iterator[Connection]:
        monkeypatch.setattr(Database, "write", real)
        meanwhile()
        with real(self) as connection:
            yield connection

    monkeypatch.setattr(Database, "write", write)


@pytest.mark.parametrize(
    ("name", "part"), [("stat", "/local"), ("scandir", "/local"), ("stat", "/manifest.json")]
)
def test_a_store_that_cannot_be_looked_at_is_an_error(
    name: str, part: str, local: LocalBackend, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(os, name)

    def refuse(path: object, *arguments: object, **options: object) -> object:
        if str(path).startswith(local.url) and str(path).endswith(part):
            raise PermissionError(13, "not yours")
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, name, refuse)
    with pytest.raises(StoreUnavailableError, match="not yours"):
        open_index(local).sync()


def test_a_folder_that_vanishes_while_it_is_listed_is_empty(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanner = scan.LocalScanner(local.url)
    assert scanner.list_folders("nobody").names == {}
    monkeypatch.setattr(scanner, "_is_folder", lambda _: True)
    assert scanner.list_folders("nobody").names == {}
    assert scan.LocalScanner(f"{local.url}/nowhere").read_marks() is None


def test_a_server_that_will_not_settle_has_its_index_all_the_same(
    local: LocalBackend, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Database) -> None:
        raise IndexFaultError("permission denied")

    monkeypatch.setattr(Database, "settle", refuse)
    index = open_index(local, url)
    index.rebuild()
    assert list_answer(index) == list_truth(local)


def test_a_run_that_is_gone_whenever_it_is_looked_at_again_is_left_out(
    local: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = open_index(local)
    index.rebuild()
    paths = [run.path for run in index.find_runs(RunFilter(), ALL).runs]
    monkeypatch.setattr(
        index_module,
        "look_again",
        lambda _backend, _heads: [reading.Seen(paths[3], scan.UNKNOWN, None)],
    )
    page = index.find_runs(RunFilter(), ALL)
    assert [run.path for run in page.runs] == [*paths[:3], *paths[4:]]
    assert page.total == len(paths)  # as of the moment of the question
