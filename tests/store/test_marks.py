"""Change marks: no change by a writer escapes who compares them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from filmcan.errors import StoreUnavailableError
from filmcan.store import marks
from filmcan.store.local import LocalBackend
from filmcan.store.marks import CHANGES, Marks, find_changed_slots, find_slot, parse_marks
from filmcan.testing.made_stores import begin_run


def read_marks(backend: LocalBackend) -> Marks:
    found = parse_marks(Path(backend.url, CHANGES).read_bytes())
    assert found is not None
    return found


def test_a_slot_is_odd_while_somebody_works_in_it_and_another_even_one_after(
    tmp_path: Path,
) -> None:
    backend = LocalBackend(tmp_path)
    slot = find_slot("p/v")
    for _ in range(2):
        with backend.exclusive("p/v"):
            during = read_marks(backend)
            assert during[slot + 1] % 2 == 1
            assert find_changed_slots(during, during) == {slot}
        after = read_marks(backend)
        assert find_changed_slots(during, after) == {slot}
        assert find_changed_slots(after, after) == set()
        assert sum(after[1:]) == after[slot + 1]


def test_whoever_follows_a_dead_writer_moves_on_and_ends_even(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    with backend.exclusive("p/v"):
        odd = Path(backend.url, CHANGES).read_bytes()
    Path(backend.url, CHANGES).write_bytes(odd)
    before = read_marks(backend)
    with backend.exclusive("p/v"):
        assert read_marks(backend)[find_slot("p/v") + 1] == before[find_slot("p/v") + 1] + 2
    assert find_changed_slots(read_marks(backend), read_marks(backend)) == set()


def test_every_write_to_a_run_moves_the_slot_of_its_video(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    transaction = begin_run(backend, "v1")
    former = read_marks(backend)
    transaction.finish(source={}, peak_rss_bytes=None)
    assert find_changed_slots(former, read_marks(backend)) == {find_slot("local/v1")}


@pytest.mark.parametrize("damage", [b"", b"x" * 100, bytes((marks.SLOTS + 1) * 8)])
def test_damaged_marks_say_nothing_and_are_written_anew(damage: bytes, tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path)
    with backend.exclusive("p/v"):
        former = read_marks(backend)
    Path(backend.url, CHANGES).write_bytes(damage)
    assert parse_marks(damage) is None
    with backend.exclusive("p/w"):
        pass
    assert find_changed_slots(former, read_marks(backend)) is None


def test_two_that_begin_at_once_write_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, other = LocalBackend(tmp_path), LocalBackend(tmp_path)
    real = marks._find_advanced
    is_first = True

    def find_advanced(*arguments: object, **options: object) -> bool:
        nonlocal is_first
        found = real(*arguments, **options)  # type: ignore[arg-type]
        if is_first:
            is_first = False
            with other.exclusive("p/another"):  # makes the file that was missing just now
                pass
        return found

    monkeypatch.setattr(marks, "_find_advanced", find_advanced)
    with backend.exclusive("p/v"):
        found = read_marks(backend)
    assert found[find_slot("p/another") + 1] == 2
    assert found[find_slot("p/v") + 1] == 1


def test_where_marks_cannot_be_written_they_are_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = LocalBackend(tmp_path)
    with backend.exclusive("p/v"):
        pass

    def refuse(*_arguments: object, **_options: object) -> bool:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(marks, "_find_advanced", refuse)
    with backend.exclusive("p/v"):
        pass  # a full disk keeps nobody from deleting
    assert not Path(backend.url, CHANGES).exists()
    monkeypatch.undo()
    with backend.exclusive("p/v"):
        pass
    monkeypatch.setattr(marks, "_find_advanced", refuse)
    monkeypatch.setattr(os, "unlink", refuse)
    with pytest.raises(StoreUnavailableError, match="full"), backend.exclusive("p/v"):
        pass


def test_a_new_file_that_cannot_be_finished_leaves_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = LocalBackend(tmp_path)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EIO, "failed")

    with backend.exclusive("p/v"):
        pass
    Path(backend.url, CHANGES).unlink()
    monkeypatch.setattr(os, "replace", refuse)
    with backend.exclusive("p/v"):
        pass
    assert not list(Path(backend.url).rglob("_tmp_*"))
    assert not Path(backend.url, CHANGES).exists()
