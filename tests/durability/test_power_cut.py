"""P1-P3 (threats.md T2): a power cut at any step loses nothing that was reported."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from filmcan import files
from filmcan.errors import FilmcanError
from filmcan.files import Root
from filmcan.npz import writer
from filmcan.store.local import LocalBackend
from filmcan.testing.fault_files import Step, StoppedError, Tree, WatchedDisk
from filmcan.testing.power_cut import Disk, write_tree
from filmcan.testing.store_promises import Acked, check_promises, finish_run, write_run

STORE = Path("deep", "store")


@pytest.fixture(params=["in one piece", "by two threads"])
def record(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> WatchedDisk:
    """Watch one whole run, its artifacts written in either of the writer's two ways."""
    if request.param == "by two threads":
        monkeypatch.setattr(writer, "OVERLAP_FROM_BYTES", 0)
    return watch(tmp_path / "disk")


def watch(folder: Path) -> WatchedDisk:
    folder.mkdir()
    with WatchedDisk(folder) as disk:
        write_run(LocalBackend(folder / STORE), disk.ack)
    return disk


class Cuts:
    """Lays down what power cuts leave, each different outcome once, and checks it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen: set[object] = set()

    def check(self, tree: Tree, acked: Acked) -> None:
        key = (tuple(tree.walk()), acked.manifest, tuple(acked.present), acked.absent)
        if key in self.seen:
            return
        self.seen.add(key)
        folder = self.folder / str(len(self.seen))
        folder.mkdir(parents=True)
        write_tree(tree, folder)
        check_promises(folder / STORE, acked)

    def replay(
        self,
        steps: Sequence[Step],
        before: Tree,
        choose: Callable[[Disk, Step], Sequence[Tree]],
        *,
        skip: int = -1,
    ) -> None:
        disk, acked = Disk(before), Acked()
        for number, step in enumerate(steps):
            if number == skip:
                continue
            if step.kind == "ack":
                assert isinstance(step.note, Acked)
                acked = step.note
            disk.apply(step)
            if number > skip:
                for tree in choose(disk, step):
                    self.check(tree, acked)


def test_p3_files_that_are_published_moved_and_removed_stay_so(tmp_path: Path) -> None:
    """By the backend alone, also without the writer's own flush."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with WatchedDisk(folder) as disk:
        backend = LocalBackend(folder)
        with backend.stage("a") as staged:
            staged.file.write(b"data")
            staged.publish("a/file")
        disk.ack({"a/file"})
        backend.move("a/file", "b/file")
        disk.ack({"b/file"})
        backend.remove("b/file")
        disk.ack(set())
        backend.remove_folder("b")
        disk.ack({"no b"})
    cut, told = Disk(disk.before), None
    draw = random.Random(3)  # noqa: S311 - drawn the same each time
    for step in disk.steps:
        told = step.note if step.kind == "ack" else told
        if step.kind == "unlink":
            told = "removing"
        cut.apply(step)
        for tree in cut.draw_states(draw):
            found = dict(tree.walk())
            there = {path: found[path] for path in ("a/file", "b/file") if path in found}
            if told == {"a/file"}:
                assert there, "neither the old name nor the new one"
                assert set(there.values()) == {b"data"}
            elif told == {"b/file"}:
                assert there == {"b/file": b"data"}
            elif told == "removing":
                assert there in ({"b/file": b"data"}, {})
            elif told is not None:
                assert not there
                assert "b" not in found or told == set()


def test_p3_a_folder_made_again_is_flushed_again(tmp_path: Path) -> None:
    """Also when the system gives it the number of the one that was removed."""

    class Known(set[object]):
        def __contains__(self, item: object) -> bool:
            return True

    root = Root(tmp_path)
    root._durable = Known()  # type: ignore[assignment]
    with WatchedDisk(tmp_path) as disk, root.directory(("a",), create=True):
        pass
    assert [step.kind for step in disk.steps] == ["mkdir", "flush"]


def test_p3_at_most_so_many_folders_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_REMEMBERED_FOLDERS", 3)
    root = Root(tmp_path)
    for name in "abcde":
        with root.directory((name,), create=True):
            assert len(root._durable) <= 3


def test_the_model_has_seen_every_step(record: WatchedDisk) -> None:
    disk = Disk(record.before)
    for step in record.steps:
        disk.apply(step)
    record.check_record(disk.build_whole())


def test_p1_p2_p3_whatever_a_power_cut_leaves_keeps_what_was_reported_and_can_be_worked_with(
    record: WatchedDisk, tmp_path: Path
) -> None:
    draw = random.Random(1)  # noqa: S311 - drawn the same each time
    cuts = Cuts(tmp_path / "cuts")
    cuts.replay(record.steps, record.before, lambda disk, _: list(disk.draw_states(draw)))
    assert len(cuts.seen) > 150
    for folder in draw.sample(sorted(cuts.folder.iterdir()), 20):
        with WatchedDisk(folder):  # flushes are recorded, not waited for
            finish_run(folder / STORE)


def test_p3_each_flush_is_needed(record: WatchedDisk, tmp_path: Path) -> None:
    """Left out of the record one by one, each flush but those of the store's own files is missed.

    A lost marker or lock file is made anew at the next write, so nothing is owed there.
    """
    flushes = [number for number, step in enumerate(record.steps) if step.kind == "flush"]
    idle = []
    for number in flushes:
        cuts = Cuts(tmp_path / str(number))
        try:
            cuts.replay(record.steps, record.before, build_extremes, skip=number)
        except (AssertionError, FilmcanError):
            continue
        idle.append(record.steps[number - 1])
    housekeeping = {"_filmcan", "locks"}
    assert {step.target or step.name for step in idle} <= housekeeping | {"format"}


def test_p3_a_writer_makes_durable_what_a_killed_one_left_unflushed(tmp_path: Path) -> None:
    """One process dies at any step, a second does the work, then the power goes."""
    former = list_former_steps(tmp_path / "whole")
    chosen = [
        number
        for number, step in enumerate(former, 1)
        if step in (None, "mkdir") or not number % 60
    ]
    assert former.count("mkdir") > 10
    for number in chosen:
        folder = tmp_path / str(number)
        folder.mkdir()
        with WatchedDisk(folder, stop_at(number)) as disk:
            with pytest.raises(StoppedError):
                write_run(LocalBackend(folder / STORE), disk.ack)
            disk.restart()
            write_run(LocalBackend(folder / STORE), disk.ack)
        cuts = Cuts(tmp_path / f"cuts_{number}")
        cuts.replay(
            disk.steps,
            disk.before,
            lambda cut, step: (cut.build_safe(),) if step.kind == "ack" else (),
        )
        assert cuts.seen


def list_former_steps(folder: Path) -> list[str | None]:
    """Return for every step that a whole run asks for what the last one before it did."""
    former: list[str | None] = []

    def note(_: Step) -> None:
        former.append(disk.steps[-1].kind if disk.steps else None)

    folder.mkdir()
    with WatchedDisk(folder, note) as disk:
        write_run(LocalBackend(folder / STORE), disk.ack)
    return former


def build_extremes(disk: Disk, _: Step) -> Sequence[Tree]:
    return disk.build_extremes()


def stop_at(number: int) -> Callable[[Step], BaseException | None]:
    count = 0

    def decide(step: Step) -> BaseException | None:
        nonlocal count
        count += 1
        return StoppedError() if count == number else None

    return decide
