"""Where bytes come from: regular files only, typed errors, nothing left open."""

from __future__ import annotations

import errno
import gc
import os
import socket
import zlib
from pathlib import Path
from typing import Any

import pytest

from filmcan.errors import InvalidArtifactError, NotFoundError, StoreUnavailableError
from filmcan.npz import crc, source
from filmcan.npz.source import (
    ByteSource,
    FileSource,
    MemorySource,
    open_file,
    open_source,
    read_exactly,
    read_into,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file of 100 known bytes."""
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(range(100)))
    return path


def test_files_and_memory_are_sources(path: Path, counting_source: Any) -> None:
    data = path.read_bytes()
    for opened in (
        open_source(path),
        open_source(str(path)),
        open_source(data),
        open_source(memoryview(data)),
        open_source(counting_source(data)),
    ):
        assert isinstance(opened, ByteSource)
        assert opened.size == 100
        assert bytes(opened.read_at(10, 5)) == data[10:15]
        assert bytes(opened.read_at(98, 5)) == data[98:]
        target = bytearray(7)
        read_into(opened, 90, memoryview(target))
        assert bytes(target) == data[90:97]
        with pytest.raises(InvalidArtifactError, match="cut short"):
            read_into(opened, 97, memoryview(target))
        with pytest.raises(InvalidArtifactError, match="expected 9 bytes at offset 95, got 5"):
            read_exactly(opened, 95, 9)


def test_ranges_are_asked_for_in_bounded_pieces(
    counting_source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "RANGE_BYTES", 30)
    counted = counting_source(bytes(range(100)))
    target = bytearray(70)
    read_into(counted, 5, memoryview(target))
    assert counted.reads == [(5, 30), (35, 30), (65, 10)]
    assert bytes(target) == bytes(range(5, 75))


def test_views_of_files_and_memory_are_read_only(path: Path) -> None:
    for opened in (open_file(path), MemorySource(path.read_bytes())):
        view = opened.find_view(3, 4)
        assert bytes(view[:4]) == b"\x03\x04\x05\x06"
        assert view.readonly


def test_an_absent_file_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for missing in (
        tmp_path / "a.npz",
        tmp_path / "a" / "b.npz",
        tmp_path / ("a" * 300),
        tmp_path / "loop",
        "nul\0.npz",
        "lone\ud800.npz",
    ):
        with pytest.raises(NotFoundError) as caught:
            open_file(missing)
        assert str(tmp_path) not in str(caught.value)


def test_b5_what_is_no_regular_file_is_refused_without_hanging(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tmp_path)  # the name of a socket must be short
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
        for odd in (tmp_path, tmp_path / "fifo", tmp_path / "socket", "/dev/zero"):
            with pytest.raises(InvalidArtifactError) as caught:
                open_file(odd)
            assert caught.value.code == "not_a_file"
            assert caught.value.where == Path(odd).name


def test_a_link_to_a_file_is_followed(tmp_path: Path, path: Path) -> None:
    (tmp_path / "link").symlink_to(path)
    assert open_file(tmp_path / "link").size == 100


def _failing(number: int) -> object:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "/secret/folder/a.bin")

    return fail


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.EIO])
def test_a_refusal_of_the_system_is_store_unavailable(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    opened = open_file(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", _failing(number))
        with pytest.raises(StoreUnavailableError, match=r"cannot open.*a\.bin") as caught:
            open_file(path)
        assert "secret" not in str(caught.value)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", _failing(number))
        with pytest.raises(StoreUnavailableError, match="cannot read"):
            open_file(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", _failing(number))
        patch.setattr(os, "preadv", _failing(number))
        patch.setattr(source.mmap, "mmap", _failing(number))
        for read in (
            lambda: opened.read_at(0, 9),
            lambda: opened.read_into(0, memoryview(bytearray(3))),
            lambda: opened.find_view(0, 9),
        ):
            with pytest.raises(StoreUnavailableError, match=r"cannot read.*a\.bin"):
                read()


def test_a_map_beyond_the_end_of_a_shrunk_file_is_an_error(path: Path) -> None:
    opened = open_file(path)
    os.truncate(path, 0)
    with pytest.raises(StoreUnavailableError, match="cannot read"):
        opened.find_view(0, 50)


def test_a_system_that_reads_short_is_asked_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pread, preadv = os.pread, os.preadv
    monkeypatch.setattr(os, "pread", lambda fd, size, at: pread(fd, min(size, 7), at))
    monkeypatch.setattr(os, "preadv", lambda fd, views, at: preadv(fd, [views[0][:7]], at))
    opened = open_file(path)
    assert opened.read_at(5, 50) == bytes(range(5, 55))
    assert opened.read_at(90, 50) == bytes(range(90, 100))
    target = bytearray(50)
    assert opened.read_into(20, memoryview(target)) == 50
    assert bytes(target) == bytes(range(20, 70))


def test_a_descriptor_is_closed_once_and_with_its_owner(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    opened = FileSource(descriptor, str(path))
    opened.close()
    opened.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)
    forgotten = open_file(path)
    descriptor = forgotten._descriptor
    del forgotten
    gc.collect()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(descriptor)


@pytest.mark.parametrize("backend", [("zlib_ng.zlib_ng",), ("isal.isal_zlib",), ("no.such",), ()])
def test_every_checksum_backend_gives_zlibs_numbers(backend: tuple[str, ...]) -> None:
    crc32, combine = crc.find_backend(backend)
    for size in (0, 1, 100, 70_000):
        first, second = bytes(range(256)) * 9, bytes(size)
        expected = zlib.crc32(first + second)
        assert crc32(second, crc32(first)) == expected
        assert combine(crc32(first), crc32(second), size) == expected
        assert crc.combine_plainly(crc32(first), crc32(second), size) == expected
