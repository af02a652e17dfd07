"""P4, P5 (threats.md T3): whatever the disk refuses, what was there stays, and work goes on.

`FILMCAN_TEST_SWEEP=full` attacks every step with every error; by default a third of the steps that
change something, with errors in turn.
"""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from filmcan.contract.manifest import parse_manifest
from filmcan.errors import FilmcanError, StoreUnavailableError
from filmcan.npz import writer
from filmcan.store.base import RESERVE
from filmcan.store.local import LocalBackend
from filmcan.store.marks import CHANGES_NAME
from filmcan.store.transaction import RunTransaction
from filmcan.testing.artifacts import NOW, build_product, build_run_record
from filmcan.testing.fault_files import Step, StoppedError, WatchedDisk
from filmcan.testing.store_promises import (
    MANIFEST,
    Acked,
    check_promises,
    finish_run,
    list_artifacts,
    write_run,
)

STORE = Path("store")
RESERVE_NAME = RESERVE.rpartition("/")[2]
LASTING = (errno.EIO, errno.ENOSPC, errno.EDQUOT)
PASSING = errno.EINTR
"""Python's own file objects try again after it; one that lasts would never end (PEP 475)."""
_EVERY_OPEN = 9
FULL_SWEEP = os.environ.get("FILMCAN_TEST_SWEEP") == "full"


@pytest.fixture(params=["in one piece", "by two threads"])
def stride(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Write artifacts in either of the writer's two ways; the second takes many more steps."""
    if request.param == "in one piece":
        return 1
    monkeypatch.setattr(writer, "OVERLAP_FROM_BYTES", 0)
    return 7


class Attack:
    """Counts the steps of a writer and lets some of them fail."""

    def __init__(self, number: int, fail: Callable[[Step], BaseException | int | None]) -> None:
        self.number = number
        self.fail = fail
        self.count = 0
        self.for_ever = False
        self.hit: list[Step] = []

    def __call__(self, step: Step) -> BaseException | int | None:
        self.count += 1
        if self.count == self.number or (self.for_ever and self.count > self.number):
            self.hit.append(step)
            return self.fail(step)
        return None


def list_steps(folder: Path) -> list[Step]:
    """Return every step that a whole run asks for, reading ones among them."""
    asked: list[Step] = []
    folder.mkdir()
    with WatchedDisk(folder, asked.append) as disk:
        write_run(LocalBackend(folder / STORE), disk.ack)
    return asked


def find_marks(folder: Path) -> set[int]:
    """Return the nodes of what may be lost at any time.

    These are the change marks, as readers then look everywhere, and the room kept for deletions.
    """
    folder.mkdir()
    with WatchedDisk(folder) as disk:
        write_run(LocalBackend(folder / STORE), disk.ack)
    return {
        step.node
        for step in disk.steps
        if step.kind == "create" and step.name.endswith((f"_{CHANGES_NAME}", RESERVE_NAME))
    }


def choose(steps: list[Step], every: int) -> Iterator[tuple[int, Step]]:
    """Yield the numbers of the steps to attack: of those that only open, a few."""
    others = opens = 0
    for number, step in enumerate(steps, 1):
        if step.kind == "open":
            opens += 1
            wanted = opens % (_EVERY_OPEN * every) == 0
        else:
            others += 1
            wanted = others % every == 0
        if wanted or FULL_SWEEP:
            yield number, step


def run_attacked(folder: Path, attack: Attack) -> tuple[Acked, FilmcanError | None]:
    """Run the writer under attack; return what it was told, and the error it got."""
    folder.mkdir()
    told, refusal = Acked(), None
    descriptors = count_descriptors()
    with WatchedDisk(folder, attack) as disk:
        try:
            write_run(LocalBackend(folder / STORE), disk.ack)
        except FilmcanError as error:
            refusal = error
        except StoppedError:
            pass
    for step in disk.steps:
        if step.kind == "ack":
            assert isinstance(step.note, Acked)
            told = step.note
    if refusal is not None:
        refusal.__traceback__ = None
    assert count_descriptors() == descriptors, "a descriptor is left open"
    return told, refusal


def count_descriptors() -> int:
    gc.collect(0)
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count of names


def is_mark(step: Step, marks: set[int]) -> bool:
    names = (CHANGES_NAME, f"{CHANGES_NAME}.lock", RESERVE_NAME)
    return step.node in marks or step.name.endswith(names)


def is_late(step: Step, told: Acked, folder: Path, marks: set[int]) -> bool:
    """Tell whether the step came when the new manifest had its name already."""
    path = folder / STORE / MANIFEST
    now = path.read_bytes() if path.exists() else None
    is_behind = step.kind in ("flush", "unlink", "open", "read") or is_mark(step, marks)
    return is_behind and now != told.manifest


def check_survivor(folder: Path, attack: Attack, told: Acked, marks: set[int]) -> None:
    late = is_late(attack.hit[0], told, folder, marks)
    check_promises(folder / STORE, told, may_advance=late)
    with WatchedDisk(folder):  # flushes are recorded, not waited for
        finish_run(folder / STORE)


@pytest.mark.parametrize("for_ever", [False, True], ids=["once", "for ever"])
def test_p5_a_step_that_fails_changes_nothing_and_leaks_nothing(
    tmp_path: Path, for_ever: bool, stride: int
) -> None:
    every, errors = (7, LASTING) if for_ever else (3, (*LASTING, PASSING))
    steps, marks = list_steps(tmp_path / "whole"), find_marks(tmp_path / "marks")
    for number, step in choose(steps, every * stride):
        codes = errors if FULL_SWEEP else (errors[number % len(errors)],)
        for code in codes:
            folder = tmp_path / f"{number}_{code}"
            attack = Attack(number, lambda _, code=code: OSError(code, os.strerror(code)))  # type: ignore[misc]
            attack.for_ever = for_ever
            told, refusal = run_attacked(folder, attack)
            if refusal is None:  # tried again by the language, or only clearing away
                is_harmless = step.kind in ("unlink", "flush", "open") or is_mark(step, marks)
                assert code == PASSING or is_harmless, step
                assert told.manifest is not None
                assert parse_manifest(told.manifest).is_finished
                finish_again(folder)
            else:
                assert isinstance(refusal, StoreUnavailableError), (number, step.kind)
                check_survivor(folder, attack, told, marks)


def finish_again(folder: Path) -> None:
    with WatchedDisk(folder):
        finish_run(folder / STORE)


def test_a_short_write_is_completed(tmp_path: Path, stride: int) -> None:
    steps = list_steps(tmp_path / "whole")
    numbers = [number for number, step in enumerate(steps, 1) if step.kind == "write"]
    for number in numbers if FULL_SWEEP else numbers[::stride]:
        attack = Attack(number, lambda step: len(step.data) // 2)
        told, refusal = run_attacked(tmp_path / str(number), attack)
        assert refusal is None
        check_promises(tmp_path / str(number) / STORE, told, may_advance=False)


def test_p2_p5_a_writer_killed_at_any_step_leaves_the_old_or_the_new(
    tmp_path: Path, stride: int
) -> None:
    steps = list_steps(tmp_path / "whole")
    for number, _ in choose(steps, 4 * stride):
        attack = Attack(number, lambda _: StoppedError())
        told, _ = run_attacked(tmp_path / str(number), attack)
        check_promises(tmp_path / str(number) / STORE, told)
        if number % 3 == 0:
            finish_again(tmp_path / str(number))


def test_p4_a_flush_that_failed_is_never_tried_again_on_the_same_file(tmp_path: Path) -> None:
    """The system may drop the bytes and report success the second time."""
    failed: list[Step] = []

    def fail_first(step: Step) -> BaseException | None:
        if step.kind == "flush" and not failed and is_file(disk, step.node):
            failed.append(step)
            return OSError(errno.EIO, "Input/output error")
        assert not (failed and step.kind == "flush" and step.node == failed[0].node)
        return None

    with WatchedDisk(tmp_path) as disk:
        backend = LocalBackend(tmp_path / STORE)
        backend.swap("a/manifest.json", b"old", expected=None)
        disk.fate = fail_first
        with backend.stage("a") as staged:
            staged.file.write(b"lost")
            assert staged.sync is not None
            with pytest.raises(OSError, match="Input/output"):
                staged.sync()
            with pytest.raises(StoreUnavailableError):
                staged.publish("a/file")
    assert failed
    assert list(backend.list_folder("a").files) == ["manifest.json"]


def is_file(disk: WatchedDisk, node: int) -> bool:
    return any(step.kind == "create" and step.node == node for step in disk.steps)


def test_a_replaced_artifact_that_cannot_be_removed_is_no_failure(tmp_path: Path) -> None:
    """The update is done and durable: the file is listed no more, and gc takes it."""

    def refuse(step: Step) -> BaseException | None:
        return OSError(errno.EIO, "Input/output error") if step.kind == "unlink" else None

    with WatchedDisk(tmp_path) as disk:
        backend = LocalBackend(tmp_path / STORE)
        run = build_run_record()
        transaction = RunTransaction.create(backend, run, lambda: NOW)
        first = transaction.commit(build_product(run)).artifacts[0]
        disk.fate = refuse
        second = transaction.commit(build_product(run, reason="video_stream_missing")).artifacts[0]
    assert list(list_artifacts(transaction.read())) == [second.path]
    for artifact in (first, second):
        assert backend.read(f"local/v1/r1/{artifact.path}", limit=1 << 20)


def test_p7_a_manifest_that_cannot_be_read_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    def refuse(step: Step) -> BaseException | None:
        return OSError(errno.EIO, "Input/output error") if step.kind == "read" else None

    with WatchedDisk(tmp_path) as disk:
        backend = LocalBackend(tmp_path / STORE)
        run = build_run_record()
        RunTransaction.create(backend, run, lambda: NOW).commit(build_product(run))
        before = (tmp_path / STORE / MANIFEST).read_bytes()
        disk.fate = refuse
        with pytest.raises(StoreUnavailableError):
            RunTransaction.create_or_join(LocalBackend(tmp_path / STORE), run, lambda: NOW)
    assert (tmp_path / STORE / MANIFEST).read_bytes() == before
