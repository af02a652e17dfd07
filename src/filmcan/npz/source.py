"""Where an artifact's bytes come from: a file, memory, or whatever can read a range.

An object-store backend passes its own `ByteSource`; it needs a size and one method. Files are read
by position through one descriptor, so a reader keeps what it opened even when the name is
replaced, and threads may read side by side.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import threading
from pathlib import Path
from typing import Protocol, runtime_checkable

from filmcan.errors import InvalidArtifactError, NotFoundError, StoreUnavailableError
from filmcan.npz.refusal import refuse

Buffer = bytes | bytearray | memoryview

RANGE_BYTES = 64 << 20
"""How much is asked at a time of a source that is not on this machine."""

_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO must not hang
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP)


@runtime_checkable
class ByteSource(Protocol):
    """Immutable bytes of known size, read by range."""

    @property
    def name(self) -> str:
        """A short name for messages, never a path with folders."""
        ...

    @property
    def size(self) -> int:
        """Length in bytes."""
        ...

    def read_at(self, offset: int, size: int) -> Buffer:
        """Return up to `size` bytes from `offset`; fewer only at the end."""
        ...


@runtime_checkable
class FillingSource(ByteSource, Protocol):
    """A source that has its own way of filling memory, such as several ranges side by side."""

    def read_into(self, offset: int, target: memoryview) -> int:
        """Fill `target` and return how many bytes there were."""
        ...


class MemorySource:
    """Bytes in memory. They must not change while a reader uses them."""

    def __init__(self, data: Buffer, name: str = "memory") -> None:
        """Look at `data` without copying it."""
        self.name = name
        self._view = memoryview(data).cast("B").toreadonly()
        self.size = len(self._view)

    def read_at(self, offset: int, size: int) -> memoryview:
        """Return a view, without copying."""
        return self._view[offset : offset + size]

    def read_into(self, offset: int, target: memoryview) -> int:
        """Fill `target` and return how many bytes there were."""
        part = self._view[offset : offset + len(target)]
        target[: len(part)] = part
        return len(part)

    def find_view(self, offset: int, size: int) -> memoryview:
        """Return the bytes without copying."""
        return self._view[offset : offset + size]


class FileSource:
    """A regular file, through one descriptor that is closed with this object."""

    def __init__(self, descriptor: int, name: str) -> None:
        """Take over an open descriptor.

        Raises:
            InvalidArtifactError: It is no regular file; the descriptor is closed.
            StoreUnavailableError: It cannot be examined; the descriptor is closed.
        """
        self._descriptor = descriptor
        self._path = name
        try:
            found = os.fstat(descriptor)
        except OSError as error:
            self.close()
            raise self._unavailable(error) from error
        if not stat.S_ISREG(found.st_mode):
            self.close()
            raise refuse_irregular(self.name)
        self.size = found.st_size

    @property
    def name(self) -> str:
        """The file's base name."""
        return os.path.basename(self._path)  # noqa: PTH119 - no Path object per file read

    def read_at(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes; fewer only when the file has become shorter.

        Raises:
            StoreUnavailableError: The disk refused.
        """
        try:
            data = self._read(offset, size)
            while 0 < len(data) < size:
                more = self._read(offset + len(data), size - len(data))
                if not more:
                    break
                data += more
        except OSError as error:
            raise self._unavailable(error) from error
        return data

    def read_into(self, offset: int, target: memoryview) -> int:
        """Fill `target` and return how many bytes there were.

        Raises:
            StoreUnavailableError: The disk refused.
        """
        done = 0
        try:
            while done < len(target):
                count = self._read_into(offset + done, target[done:])
                if not count:
                    break
                done += count
        except OSError as error:
            raise self._unavailable(error) from error
        return done

    def find_view(self, offset: int, size: int) -> memoryview:
        """Return a read-only memory map of a range.

        Raises:
            StoreUnavailableError: The system cannot map it.
        """
        start = offset - offset % mmap.ALLOCATIONGRANULARITY
        try:
            mapped = mmap.mmap(
                self._descriptor,
                offset - start + size,
                offset=start,
                access=mmap.ACCESS_READ,
            )
        except (OSError, ValueError) as error:  # ValueError: the file has become shorter
            raise self._unavailable(error) from error
        return memoryview(mapped)[offset - start :]

    def close(self) -> None:
        """Close the descriptor; memory maps stay valid."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def __del__(self) -> None:
        """Close what nobody closed."""
        if getattr(self, "_descriptor", -1) >= 0:
            self.close()

    def _unavailable(self, error: Exception) -> StoreUnavailableError:
        return StoreUnavailableError(f"cannot read: {describe(error)}", where=self.name)

    if hasattr(os, "preadv"):

        def _read(self, offset: int, size: int) -> bytes:
            return os.pread(self._descriptor, size, offset)

        def _read_into(self, offset: int, target: memoryview) -> int:
            return os.preadv(self._descriptor, [target], offset)

    else:  # pragma: no cover - Windows reads by seeking, one thread at a time

        def _read(self, offset: int, size: int) -> bytes:
            with _seeking:
                os.lseek(self._descriptor, offset, os.SEEK_SET)
                return os.read(self._descriptor, size)

        def _read_into(self, offset: int, target: memoryview) -> int:
            data = self._read(offset, len(target))
            target[: len(data)] = data
            return len(data)


_seeking = threading.Lock()
"""Where files are read by seeking."""

LocalSource = FileSource | MemorySource
"""Sources that are read piece by piece at no cost per request, and that can be mapped."""


def open_file(path: str | Path) -> FileSource:
    """Open a regular file; a link is followed, a FIFO or device never blocks.

    Raises:
        NotFoundError: There is no such file.
        InvalidArtifactError: It is a directory, a FIFO, a socket or a device.
        StoreUnavailableError: The system refuses to open it.
    """
    text = os.fspath(path)
    try:
        descriptor = os.open(text, _OPEN_FLAGS)
    except OSError as error:
        name = os.path.basename(text) or text  # noqa: PTH119 - paths from anywhere, also malformed
        if error.errno in _ABSENT:
            raise NotFoundError("there is no such file", where=name) from error
        if error.errno in (errno.EISDIR, errno.ENXIO):  # a directory on Windows; a socket
            raise refuse_irregular(name) from error
        raise StoreUnavailableError(f"cannot open: {describe(error)}", where=name) from error
    except ValueError as error:  # a NUL or an unencodable character
        name = os.path.basename(text)  # noqa: PTH119
        raise NotFoundError("no file can have this name", where=repr(name)) from error
    return FileSource(descriptor, text)


def open_source(source: str | Path | Buffer | ByteSource) -> ByteSource:
    """Return a source for a path, for bytes in memory, or the source itself."""
    if isinstance(source, (str, Path)):
        return open_file(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return MemorySource(source)
    return source


def read_exactly(source: ByteSource, offset: int, size: int) -> Buffer:
    """Return exactly `size` bytes.

    Raises:
        InvalidArtifactError: The source ends before.
    """
    data = source.read_at(offset, size)
    if len(data) != size:
        raise refuse_short(offset, size, len(data))
    return data


def read_into(source: ByteSource, offset: int, target: memoryview) -> None:
    """Fill `target` from `offset`, by the source's own way when it has one.

    Raises:
        InvalidArtifactError: The source ends before.
    """
    if isinstance(source, LocalSource) or isinstance(source, FillingSource):  # noqa: SIM101 - cheap first
        count = source.read_into(offset, target)
        if count != len(target):
            raise refuse_short(offset, len(target), count)
        return
    for start in range(0, len(target), RANGE_BYTES):
        part = target[start : start + RANGE_BYTES]
        part[:] = read_exactly(source, offset + start, len(part))


def choose_step(source: ByteSource, local_bytes: int) -> int:
    """Return how much to read at a time: what the cache holds, or much where each read is dear."""
    return local_bytes if isinstance(source, LocalSource) else RANGE_BYTES


def bring_near(source: ByteSource) -> ByteSource:
    """Return a source to read from again and again: a short remote one whole in memory.

    Raises:
        InvalidArtifactError: The source ends before its size.
    """
    if isinstance(source, LocalSource) or source.size > RANGE_BYTES:
        return source
    return MemorySource(read_exactly(source, 0, source.size), source.name)


def refuse_short(offset: int, expected: int, got: int) -> InvalidArtifactError:
    """Return the error for a source that ends within a range it should hold."""
    return refuse(
        "truncated", f"expected {expected} bytes at offset {offset}, got {got}: cut short"
    )


def refuse_irregular(name: str) -> InvalidArtifactError:
    """Return the error for a directory, FIFO, socket or device."""
    return InvalidArtifactError("not a regular file", code="not_a_file", where=name)


def describe(error: Exception) -> str:
    """Return the system's own words, without the path that may stand in them."""
    return (isinstance(error, OSError) and error.strerror) or str(error)
