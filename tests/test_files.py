"""Durable writes and locks: old or new, never between; a lock dies with its holder."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from filmcan.files import (
    Root,
    build_temporary_name,
    locked,
    open_regular,
    tell_name,
    write_atomically,
)


def test_a_name_that_is_no_utf8_is_told_by_its_bytes() -> None:
    assert tell_name("Käse.mp4") == "Käse.mp4"
    assert tell_name(os.fsdecode(b"K\xe4se.mp4")) == "K\\xe4se.mp4"


def test_a_file_is_written_whole_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_p5_a_failed_write_keeps_the_old_bytes_and_leaves_no_temporary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="Input/output"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_p4_a_failed_flush_is_never_tried_again_on_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []

    def refuse(descriptor: int) -> None:
        flushed.append(descriptor)
        raise OSError(5, "Input/output error")

    root = Root(tmp_path)
    root.replace_file(("file",), b"old")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        root.replace_file(("file",), b"new")
    assert len(flushed) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert root.read_file(("file",)) == b"old"


def test_p3_a_write_flushes_the_file_before_and_the_folder_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        steps.append("file" if os.path.isfile(f"/proc/self/fd/{descriptor}") else "folder")  # noqa: PTH113 - a descriptor
        real_fsync(descriptor)

    def replace(*arguments: object, **options: object) -> None:
        steps.append("rename")
        real_replace(*arguments, **options)  # type: ignore[arg-type]

    root = Root(tmp_path)
    root.replace_file(("file",), b"w")  # flushes the root's own entry, once
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_atomically(tmp_path / "file", b"x")
    assert steps == ["file", "rename", "folder"]
    steps.clear()
    root.replace_file(("file",), b"y")
    assert steps == ["file", "rename", "folder"]


def test_no_two_temporaries_share_a_name() -> None:
    assert len({build_temporary_name("x" * 500) for _ in range(1000)}) == 1000
    assert len(build_temporary_name("x" * 500)) < 200


def test_a_lock_keeps_threads_apart(tmp_path: Path) -> None:
    inside, most = 0, 0
    guard = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(50):
            with locked(tmp_path / "lock"):
                with guard:
                    inside += 1
                    most = max(most, inside)
                with guard:
                    inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_lock_that_stays_held_times_out(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with locked(path), pytest.raises(TimeoutError), locked(path, timeout_sec=0.05):
        pass
    with locked(path, timeout_sec=0.05):
        pass


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    os.close(open_regular(tmp_path / "file"))
    for name in ("link", "pipe", "."):
        with pytest.raises(OSError, match=r"regular|links|symbolic"):
            open_regular(tmp_path / name)


def test_a_read_stops_at_its_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10)
    root = Root(tmp_path)
    assert root.read_file(("file",)) == b"x" * 10
    assert root.read_file(("file",), limit=10) == b"x" * 10
    with pytest.raises(OverflowError):
        root.read_file(("file",), limit=9)


def test_entries_are_listed_by_name_and_kind(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "c").symlink_to(tmp_path / "b")
    found = [(entry.name, entry.kind) for entry in Root(tmp_path).list_entries(())]
    assert found == [("a", "file"), ("b", "directory"), ("c", "other")]
    assert Root(tmp_path).list_entries(("none",)) == []


def test_a_file_below_folders_that_do_not_exist_makes_them_all(tmp_path: Path) -> None:
    root = Root(tmp_path / "new" / "store")
    root.replace_file(("a", "b", "file"), b"x")
    assert root.read_file(("a", "b", "file")) == b"x"
    root.replace_file(("a", "b", "file"), b"y")
    assert root.read_file(("a", "b", "file")) == b"y"
    assert [entry.name for entry in root.list_entries(("a", "b"))] == ["file"]


def test_no_folder_on_the_way_is_made_for_reading_and_no_link_is_followed(tmp_path: Path) -> None:
    root = Root(tmp_path)
    with pytest.raises(FileNotFoundError):
        root.read_file(("none", "file"))
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path)
    for parts in (("file", "below"), ("link", "file")):
        with pytest.raises(OSError, match=r"Not a directory|symbolic"):
            root.read_file(parts)
    assert not (tmp_path / "none").exists()


def test_removing_is_durable_and_an_absent_file_is_no_error(tmp_path: Path) -> None:
    root = Root(tmp_path)
    (tmp_path / "file").write_bytes(b"x")
    root.remove_file(("file",))
    root.remove_file(("file",))
    root.remove_file(("none", "file"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_flush_fails_leaves_no_handle_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Root(tmp_path)
    root.replace_file(("file",), b"x")

    def refuse(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - handles, not files
    with pytest.raises(OSError, match="Input/output"):
        root.replace_file(("new", "file"), b"x")
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - likewise


def test_p3_a_folder_is_flushed_again_when_it_was_forgotten_or_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    real_fsync = os.fsync

    def fsync(descriptor: int) -> None:
        flushed.append(descriptor)
        real_fsync(descriptor)

    root = Root(tmp_path)
    for name in ("a", "b"):
        root.replace_file((name, "file"), b"x")
    monkeypatch.setattr(os, "fsync", fsync)
    root.replace_file(("a", "file"), b"y")
    known = len(flushed)
    monkeypatch.setattr("filmcan.files._REMEMBERED_FOLDERS", 1)
    root.replace_file(("c", "file"), b"y")  # forgets the others
    flushed.clear()
    root.replace_file(("a", "file"), b"z")
    assert len(flushed) == known + 1


def test_the_root_of_a_disk_has_no_parent_to_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    with Root(Path("/")).directory((), create=True):
        assert flushed == []
