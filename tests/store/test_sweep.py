"""P12: gc removes only what is provably unreferenced and old by the store's own clock."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.errors import (
    InvalidContentError,
    InvalidManifestError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.store.base import HOUSEKEEPING, Backend, Listing
from filmcan.store.deletion import Remover
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.memory import MemoryBackend
from filmcan.store.quarantine import move_to_quarantine
from filmcan.store.store import Store
from filmcan.store.sweep import DEFAULT_GRACE_SEC, SweepRules, sweep_store
from filmcan.store.tombstones import (
    Deletion,
    Tombstone,
    build_tombstone_path,
    find_tombstone,
    write_tombstone,
)
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import build_run_record
from filmcan.testing.made_stores import begin_run, clock, commit, read_all, write_run
from filmcan.testing.store_suite import publish

ALL_OLD = SweepRules(grace_sec=-1.0)
DAY = 86_400.0


def sweep(backend: Backend, rules: SweepRules = ALL_OLD) -> list[tuple[str, str]]:
    """Sweep, after making sure that a dry run changes nothing and says the same."""
    before = read_all(backend)
    planned = sweep_store(backend, rules, dry_run=True)
    assert read_all(backend) == before
    done = sweep_store(backend, rules, dry_run=False)
    if not any(item.kind == "deletion" for item in done.removals):
        assert done == planned
    return [(item.kind, item.path) for item in done.removals]


def set_age(backend: Backend, path: str, age_sec: float) -> None:
    """Make a file as old as if it had last changed that long ago."""
    moment = time.time() - age_sec
    if isinstance(backend, LocalBackend):
        os.utime(Path(backend.url) / path, (moment, moment))
    elif isinstance(backend, MemoryBackend):
        backend._modified[path] = moment


def set_run_age(backend: Backend, run_path: str, age_sec: float) -> None:
    """Make all that a run holds as old as if it had last changed that long ago."""
    for path in read_all(backend):
        if path.startswith(f"{run_path}/"):
            set_age(backend, path, age_sec)


def test_p12_a_sound_store_loses_nothing(backend: Backend) -> None:
    write_run(backend)
    commit(begin_run(backend, "v1", "unfinished"))
    before = read_all(backend)
    assert sweep(backend) == []
    left = read_all(backend)
    assert {path: left[path] for path in before} == before


def test_p12_garbage_goes_once_it_is_older_than_the_grace(backend: Backend) -> None:
    run = write_run(backend)
    garbage = [
        (f"{run}/core_optical_flow/core_optical_flow.0123456789ab.npz", "unlisted"),
        (f"{run}/core_optical_flow/_tmp_7_aa_staged", "temporary"),
        (f"{run}/_tmp_7_bb_manifest.json", "temporary"),
        (f"{run}/stray.json", "unlisted"),
        ("local/v1/_tmp_7_cc_x", "temporary"),
        ("_filmcan/_tmp_7_dd_clock", "temporary"),
        ("local/v1/r2/core_optical_flow/left.bin", "folder"),
    ]
    for path, _ in garbage:
        publish(backend, path, b"x")
    publish(backend, "local/v1/notes.txt", b"nobody's business")
    assert sweep(backend, SweepRules()) == []
    assert sweep(backend, SweepRules(grace_sec=600.0)) == []
    found = {path: kind for kind, path in sweep(backend)}
    assert found.pop("local/v1/r2") == "folder"
    assert found == {path: kind for path, kind in garbage if kind != "folder"}
    assert [run.path for run in Store(backend).runs()] == [run]
    assert inspect_store(backend, with_data=True).findings == []
    assert backend.read("local/v1/notes.txt", limit=100) == b"nobody's business"


def test_p12_age_is_told_by_the_clock_of_the_store_not_of_this_machine(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(backend)
    publish(backend, f"{run}/core_optical_flow/_tmp_1_2_x", b"x")
    monkeypatch.setattr(time, "time", lambda: 4e9)
    if isinstance(backend, LocalBackend):
        assert sweep(backend, SweepRules(grace_sec=600.0)) == []
    monkeypatch.setattr(type(backend), "read_clock", lambda self: 4e9)
    assert [kind for kind, _ in sweep(backend, SweepRules(grace_sec=600.0))] == ["temporary"]


def test_p12_a_file_from_the_future_is_kept(backend: Backend) -> None:
    path = f"{write_run(backend)}/core_optical_flow/stray.npz"
    publish(backend, path, b"x")
    set_age(backend, path, -10 * DAY)
    assert sweep(backend, SweepRules(grace_sec=0.0)) == []


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"{}", b'{"run": '])
def test_p12_a_manifest_that_cannot_be_parsed_stops_it(backend: Backend, data: bytes) -> None:
    for run_id in ("r1", "r2", "r3"):
        run = write_run(backend, "v1", run_id)
        publish(backend, f"{run}/core_optical_flow/stray.npz", b"x")
    publish(backend, f"local/v1/r3/{MANIFEST_NAME}", data)
    before = read_all(backend)
    with pytest.raises(InvalidManifestError) as refusal:
        sweep_store(backend, SweepRules(keep_last=1, grace_sec=-1.0), dry_run=False)
    assert refusal.value.code == "unreadable_manifest"
    assert refusal.value.where == f"local/v1/r3/{MANIFEST_NAME}"
    assert read_all(backend) == before


def test_p12_a_manifest_in_the_wrong_place_stops_it(backend: Backend) -> None:
    run = write_run(backend)
    backend.move(run, "local/v1/r9")
    with pytest.raises(InvalidManifestError):
        sweep_store(backend, ALL_OLD, dry_run=False)


def with_listing(
    monkeypatch: pytest.MonkeyPatch, backend: Backend, change: Callable[[str, Listing], Listing]
) -> None:
    real = type(backend).list_folder

    def lie(self: Backend, folder: str) -> Listing:
        return change(folder, real(self, folder))

    monkeypatch.setattr(type(backend), "list_folder", lie)


def test_p12_an_empty_or_incomplete_listing_stops_it(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(backend)
    before = read_all(backend)

    def hide_all(folder: str, listing: Listing) -> Listing:
        return Listing((), {}) if folder == "" else listing

    def hide_manifest(folder: str, listing: Listing) -> Listing:
        return Listing(listing.folders, {}) if folder == run else listing

    for change in (hide_all, hide_manifest):
        with_listing(monkeypatch, backend, change)
        with pytest.raises(StoreUnavailableError) as refusal:
            sweep_store(backend, ALL_OLD, dry_run=False)
        assert refusal.value.code == "bad_listing"
        monkeypatch.undo()
    assert read_all(backend) == before


def test_p12_a_listing_that_shows_a_manifest_nobody_can_read_stops_it(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(backend)
    real = type(backend).read

    def lose(self: Backend, path: str, *, limit: int) -> bytes:
        if path == f"{run}/{MANIFEST_NAME}":
            raise NotFoundError("there is no such file in the store")
        return real(self, path, limit=limit)

    monkeypatch.setattr(type(backend), "read", lose)
    with pytest.raises(StoreUnavailableError, match="do not agree"):
        sweep_store(backend, ALL_OLD, dry_run=False)


def test_p12_a_listing_that_fails_stops_it(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(backend)

    def fail(folder: str, listing: Listing) -> Listing:
        if folder == f"{run}/tempo_extractor":
            raise StoreUnavailableError("the store cannot be used: Input/output error")
        return listing

    with_listing(monkeypatch, backend, fail)
    with pytest.raises(StoreUnavailableError, match="Input/output"):
        sweep_store(backend, ALL_OLD, dry_run=False)


def finish_at(backend: Backend, run_id: str, created_at: str, age_sec: float = 10 * DAY) -> str:
    record = replace(build_run_record(run_id=run_id), created_at=created_at)
    transaction = RunTransaction.create(backend, record, clock)
    commit(transaction)
    transaction.finish(source={}, peak_rss_bytes=None)
    set_run_age(backend, transaction.run_path, age_sec)
    return transaction.run_path


def run_ids(backend: Backend) -> list[str]:
    return [run.run_id for run in Store(backend).runs()]


def test_p12_retention_keeps_the_last_finished_runs_of_each_video(backend: Backend) -> None:
    for number in range(1, 5):
        finish_at(backend, f"r{number}", f"2026-01-0{5 - number}T00:00:00.000Z")
    begun = begin_run(backend, "v1", "r0")
    set_run_age(backend, begun.run_path, 10 * DAY)
    write_run(backend, "v2")
    removed = sweep(backend, SweepRules(keep_last=2))
    assert removed == [("run", "local/v1/r3"), ("run", "local/v1/r4")]
    assert run_ids(backend) == ["r0", "r1", "r2", "r1"]
    assert sweep(backend, SweepRules(keep_last=2)) == []
    assert [path for path in read_all(backend) if "v1/r3" in path] == []


def test_p12_retention_by_age_spares_the_latest_finished_run(backend: Backend) -> None:
    finish_at(backend, "old", "2026-01-01T00:00:00.000Z", 40 * DAY)
    finish_at(backend, "latest", "2026-01-02T00:00:00.000Z", 50 * DAY)
    finish_at(backend, "older-but-touched", "2025-01-01T00:00:00.000Z", 2 * DAY)
    abandoned = begin_run(backend, "v1", "abandoned")
    set_run_age(backend, abandoned.run_path, 31 * DAY)
    begin_run(backend, "v1", "being-written")
    removed = sweep(backend, SweepRules(max_age_sec=30 * DAY))
    assert removed == [("run", "local/v1/abandoned"), ("run", "local/v1/old")]
    assert run_ids(backend) == ["being-written", "latest", "older-but-touched"]
    with pytest.raises(NotFoundError):
        commit(abandoned)


def test_p12_retention_never_goes_below_the_grace_or_the_latest_run(backend: Backend) -> None:
    finish_at(backend, "r1", "2026-01-01T00:00:00.000Z", DEFAULT_GRACE_SEC / 2)
    finish_at(backend, "r2", "2026-01-02T00:00:00.000Z")
    begin_run(backend, "v1", "r3")
    assert sweep(backend, SweepRules(keep_last=1, max_age_sec=0.0)) == []
    assert sweep(backend, SweepRules(keep_last=1, max_age_sec=0.0, grace_sec=0.0)) != []
    assert "r2" in run_ids(backend)


@pytest.mark.parametrize("place", ["{run}/just_copied.bin", "_filmcan/quarantine/{run}/e/a.kept"])
def test_p12_retention_spares_a_run_of_which_anything_is_younger_than_the_grace(
    backend: Backend, place: str
) -> None:
    run = finish_at(backend, "r1", "2026-01-01T00:00:00.000Z")
    finish_at(backend, "r2", "2026-01-02T00:00:00.000Z")
    path = place.format(run=run)
    publish(backend, path, b"x")
    assert sweep(backend, SweepRules(keep_last=1)) == []
    set_age(backend, path, 2 * DAY)
    assert ("run", run) in sweep(backend, SweepRules(keep_last=1))
    assert not any("r1" in path for path in read_all(backend))


def test_p12_artifacts_whose_manifest_was_lost_stop_it(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finish_at(backend, "r1", "2026-01-01T00:00:00.000Z")
    publish(backend, "local/v1/stray_tmp", b"x")
    backend.remove(f"{run}/{MANIFEST_NAME}")
    before = read_all(backend)
    for look in ("survey", "lock"):
        if look == "lock":  # the manifest goes while the sweep is under way
            monkeypatch.setattr("filmcan.store.sweep.survey_store", lambda *_: ["local/v1"])
        with pytest.raises(InvalidManifestError) as refusal:
            sweep_store(backend, ALL_OLD, dry_run=False)
        assert (refusal.value.code, refusal.value.where) == ("lost_manifest", run)
    assert read_all(backend) == before


def test_p12_a_full_disk_keeps_nobody_from_collecting_garbage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = LocalBackend(tmp_path / "store")
    run = write_run(backend)
    publish(backend, f"{run}/_tmp_1_2_x", b"x")

    def refuse(*_arguments: object, **_options: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    assert [kind for kind, _ in sweep(backend)] == ["temporary"]


def test_what_would_go_is_told_of_a_store_that_cannot_be_written(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(backend)
    publish(backend, f"{run}/_tmp_1_2_x", b"x")

    def refuse(_self: Backend) -> float:
        raise StoreUnavailableError("Read-only file system")

    monkeypatch.setattr(type(backend), "read_clock", refuse)
    told = sweep_store(backend, ALL_OLD, dry_run=True).removals
    assert [item.path for item in told] == [f"{run}/_tmp_1_2_x"]
    with pytest.raises(StoreUnavailableError):
        sweep_store(backend, ALL_OLD, dry_run=False)


def test_p12_a_run_being_written_is_kept_with_all_it_has(backend: Backend) -> None:
    writer = begin_run(backend)
    commit(writer)
    with backend.stage(f"{writer.run_path}/tempo_extractor") as staged:
        staged.file.write(b"half")
        staged.file.flush()
        assert sweep(backend, SweepRules(max_age_sec=0.0)) == []
        staged.publish(f"{writer.run_path}/tempo_extractor/whole.npz")
    commit(writer, "tempo_extractor")


def test_p12_the_quarantine_is_emptied_entry_by_entry_after_the_grace(backend: Backend) -> None:
    run = write_run(backend)
    places = [f"{run}/bad.npz", "local/v1/loose.json", "loose.json", "local/x.json"]
    entries = []
    for path in places:
        publish(backend, path, b"x")
        set_age(backend, path, 100 * DAY)
        entries.append(move_to_quarantine(backend, path, "why").rpartition("/")[0])
    assert sweep(backend, SweepRules()) == []
    for path in read_all(backend):
        if path.startswith(f"{entries[0]}/"):
            set_age(backend, path, 2 * DAY)
    assert sweep(backend, SweepRules()) == [("quarantine", entries[0])]
    assert sorted(sweep(backend)) == sorted(("quarantine", entry) for entry in entries[1:])
    assert not any(path.endswith((".kept", "note.txt")) for path in read_all(backend))


def test_p11_a_deletion_that_left_only_its_tombstone_is_settled(backend: Backend) -> None:
    write_run(backend, "v1")
    write_run(backend, "v2")
    pending = Tombstone().with_deletion(None, Deletion("a" * 16))
    write_tombstone(backend, "local/gone", pending)
    write_tombstone(backend, "local/v1", Tombstone().with_deletion("r9", Deletion("b" * 16)))
    done = Tombstone().with_deletion(None, Deletion("c" * 16, is_done=True))
    write_tombstone(backend, "local/long-gone", done)
    publish(backend, "_filmcan/tombstones/_tmp_1_2_x", b"half")
    assert sweep(backend, SweepRules()) == []
    assert not find_tombstone(backend, "local/gone").has_pending
    assert not find_tombstone(backend, "local/v1").has_pending
    assert run_ids(backend) == ["r1", "r1"]
    begin_run(backend, "gone")
    begin_run(backend, "v1", "r9")


def test_a_tombstone_that_its_own_deleter_settles_first_is_no_error(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(backend)
    write_tombstone(backend, "local/gone", Tombstone().with_deletion(None, Deletion("a" * 16)))
    path = build_tombstone_path("local/gone")
    real = type(backend).find_versioned

    def outrun(self: Backend, place: str, *, limit: int) -> object:
        found = real(self, place, limit=limit)
        if place == path:
            monkeypatch.undo()
            tombstone = find_tombstone(backend, "local/gone")
            write_tombstone(backend, "local/gone", tombstone.with_all_done())
        return found

    monkeypatch.setattr(type(backend), "find_versioned", outrun)
    sweep_store(backend, ALL_OLD, dry_run=False)
    assert not find_tombstone(backend, "local/gone").has_pending


def test_p11_a_run_left_only_in_quarantine_by_a_crash_is_finished(backend: Backend) -> None:
    run = write_run(backend)
    publish(backend, f"{run}/bad.npz", b"x")
    move_to_quarantine(backend, f"{run}/bad.npz", "why")
    write_tombstone(backend, "local/v1", Tombstone().with_deletion("r1", Deletion("a" * 16)))
    Remover(backend).remove_tree(run)
    assert sweep(backend, SweepRules()) == [("deletion", run)]
    assert not any("quarantine/local/v1/r1" in path for path in read_all(backend))
    assert not find_tombstone(backend, "local/v1").has_pending


def test_a_run_whose_deletion_was_interrupted_is_finished_with_no_grace(backend: Backend) -> None:
    run = write_run(backend)
    write_run(backend, "v1", "r2")
    write_tombstone(backend, "local/v1", Tombstone().with_deletion("r1", Deletion("a" * 16)))
    assert sweep(backend, SweepRules()) == [("deletion", run)]
    assert run_ids(backend) == ["r2"]


def test_folders_that_are_no_ids_are_left_alone(backend: Backend) -> None:
    write_run(backend)
    for path in (".hidden/v/r/x", "local/.hidden/r/x", "local/v1/.hidden/x"):
        publish(backend, path, b"x")
    before = read_all(backend)
    assert sweep(backend) == []
    assert set(before) <= set(read_all(backend))


def test_empty_folders_go_with_their_video(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    write_run(backend)
    (tmp_path / "local" / "v9" / "r1" / "core_optical_flow").mkdir(parents=True)
    assert sweep(backend, SweepRules()) == []
    assert (tmp_path / "local" / "v9").is_dir()
    assert sweep(backend) == [("folder", "local/v9/r1")]
    assert not (tmp_path / "local" / "v9").exists()


def test_p10_gc_never_follows_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "_tmp_1_2_x").write_text("kept")
    backend = LocalBackend(tmp_path / "store")
    root = Path(backend.url)
    run = write_run(backend)
    (root / run / "linked").symlink_to(outside)
    (root / "local" / "v2").symlink_to(outside)
    (root / HOUSEKEEPING / "linked").symlink_to(outside)
    assert sweep(backend) == []
    assert (outside / "_tmp_1_2_x").read_text() == "kept"
    (root / run / "manifest.json").unlink()
    (root / run / "manifest.json").symlink_to(outside / "_tmp_1_2_x")
    with pytest.raises(InvalidContentError):
        sweep_store(backend, ALL_OLD, dry_run=False)


def test_progress_names_each_video(backend: Backend) -> None:
    for video in ("v1", "v2"):
        write_run(backend, video)
    told: list[tuple[float, str]] = []
    rules = SweepRules()
    sweep_store(
        backend, rules, dry_run=True, on_progress=lambda share, place: told.append((share, place))
    )
    places = ("local/v1", "local/v2") * 2
    assert told == list(zip((0.0, 0.25, 0.5, 0.75), places, strict=True))
