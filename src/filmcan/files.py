"""Durable writes, locks, and walking below a root without following links.

Local file system only, standard library only. Callers translate `OSError` into their own typed
error, because only they know what the file meant.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no flock; locks are then process-local only
    fcntl = None  # type: ignore[assignment]

TEMPORARY_PREFIX = "_tmp_"
"""Every unfinished file carries this prefix, so that no reader takes it for data (C1.2)."""

_LOCK_POLL_SEC = 0.02
_REMEMBERED_FOLDERS = 4_096
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_ROOT_FLAGS = os.O_RDONLY | _DIRECTORY | _CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | _DIRECTORY | _NOFOLLOW | _CLOEXEC


def tell_name(name: str) -> str:
    """Return a file's name as text that can be stored: a byte that is no UTF-8 as its escape.

    Such names are common where disks outlived their encoding; Python keeps the bytes as lone
    surrogates, which no JSON and no UTF-8 can hold.
    """
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def build_temporary_name(final_name: str) -> str:
    """Return a name beside `final_name` that no other writer can choose."""
    return f"{TEMPORARY_PREFIX}{os.getpid()}_{secrets.token_hex(8)}_{final_name[:100]}"


def fsync_directory(path: Path) -> None:
    """Make the entries of a directory durable.

    Raises:
        OSError: The flush failed; the entries may be lost by a power cut.
    """
    descriptor = os.open(path, os.O_RDONLY | _DIRECTORY | _CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file so that any reader sees the old or the new bytes, and the new ones last.

    Raises:
        OSError: Nothing has changed, save perhaps a temporary that is removed when possible.
    """
    temporary = path.with_name(build_temporary_name(path.name))
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    fsync_directory(path.parent)


@contextlib.contextmanager
def locked(
    path: Path, *, timeout_sec: float | None = None, directory: int | None = None
) -> Iterator[None]:
    """Hold an exclusive lock on a lock file, between threads as well as processes.

    The lock ends with its holder, however that dies. The lock file itself stays.

    Args:
        path: The lock file; created when absent, its folder must exist.
        timeout_sec: How long to wait; None waits for ever.
        directory: Descriptor of the folder that a relative `path` starts from.

    Raises:
        TimeoutError: Somebody else held it all the time.
        OSError: The lock file cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | _NOFOLLOW | _CLOEXEC
    descriptor = os.open(path, flags, 0o666, dir_fd=directory)
    try:
        _lock(descriptor, path, timeout_sec)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, timeout_sec: float | None) -> None:
    if fcntl is None:  # pragma: no cover - Windows
        return
    if timeout_sec is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return
    deadline = time.monotonic() + timeout_sec
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError(
                    errno.ETIMEDOUT, f"lock still held after {timeout_sec} s", str(path)
                ) from None
            time.sleep(_LOCK_POLL_SEC)
        else:
            return


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a directory; `other` is a link, a FIFO, a socket or a device."""

    name: str
    kind: Literal["file", "directory", "other"]


class Root:
    """A folder below which everything is reached by handles, so that no link leads out of it.

    The root itself may be a link and is resolved once. Below it no link is followed in any
    component, only regular files are opened, and a FIFO or device never blocks.
    """

    def __init__(self, path: Path) -> None:
        """Resolve the root; it need not exist yet."""
        self.path = path.resolve()
        self._place = str(self.path)  # opened for every file: no Path to take apart each time
        self._is_durable = False
        self._durable: set[tuple[tuple[str, ...], int]] = set()

    @contextlib.contextmanager
    def directory(self, parts: tuple[str, ...], *, create: bool = False) -> Iterator[int]:
        """Open the directory `parts` below the root and yield its descriptor.

        Args:
            parts: Path segments below the root; `()` is the root.
            create: Make what is missing, durably: each entry on the way is flushed in its parent,
                also one that is there already, because its maker may have died before flushing it.
                What this object flushed once is not flushed again.

        Raises:
            FileNotFoundError: A segment is missing and `create` is False.
            NotADirectoryError: A segment is a file or a link.
            OSError: The file system refused.
        """
        descriptor = self._make_directory(parts) if create else self._open_directory(parts)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def open_file(self, parts: tuple[str, ...]) -> int:
        """Open a regular file for reading and return its descriptor, which the caller closes.

        Raises:
            FileNotFoundError: There is no such file.
            OSError: It is a link, a directory or a special file, or cannot be read.
        """
        directory = self._open_directory(parts[:-1])
        try:
            return open_regular(parts[-1], directory=directory)
        finally:
            os.close(directory)

    def read_file(self, parts: tuple[str, ...], *, limit: int | None = None) -> bytes:
        """Return the bytes of a regular file.

        Raises:
            OverflowError: The file is larger than `limit` bytes; nothing was read.
            FileNotFoundError: There is no such file.
            OSError: It is no regular file or cannot be read.
        """
        descriptor = self.open_file(parts)
        try:
            size = os.fstat(descriptor).st_size
            if limit is not None and size > limit:
                raise OverflowError(f"{'/'.join(parts)} has {size} bytes, more than {limit}")
            return _read_whole(descriptor, size if limit is None else min(size, limit))
        finally:
            os.close(descriptor)

    def replace_file(self, parts: tuple[str, ...], data: bytes) -> None:
        """Write a file whole and durably: temporary, flush, rename, flush of the directory."""
        name = parts[-1]
        temporary = build_temporary_name(name)
        with self.directory(parts[:-1], create=True) as directory:
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC
                with os.fdopen(os.open(temporary, flags, 0o666, dir_fd=directory), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=directory)
                raise
            os.fsync(directory)

    def remove_file(self, parts: tuple[str, ...]) -> None:
        """Remove a file (or a link itself) durably; an absent one is no error."""
        with contextlib.suppress(FileNotFoundError), self.directory(parts[:-1]) as directory:
            os.unlink(parts[-1], dir_fd=directory)
            os.fsync(directory)

    def list_entries(self, parts: tuple[str, ...]) -> list[Entry]:
        """Return the entries of a directory, sorted by name; an absent directory has none."""
        try:
            with self.directory(parts) as directory, os.scandir(directory) as entries:
                found = [Entry(entry.name, _find_kind(entry)) for entry in entries]
        except FileNotFoundError:
            return []
        return sorted(found, key=lambda entry: entry.name)

    def _open_directory(self, parts: tuple[str, ...]) -> int:
        descriptor = os.open(self._place, _ROOT_FLAGS)
        for part in parts:
            above = descriptor
            try:
                descriptor = os.open(part, _FOLDER_FLAGS, dir_fd=above)
            finally:
                os.close(above)
        return descriptor

    def _make_directory(self, parts: tuple[str, ...]) -> int:
        self._create_root()
        descriptor = os.open(self._place, _ROOT_FLAGS)
        try:
            for depth, part in enumerate(parts, 1):
                below, is_new = _make_below(descriptor, part)
                try:
                    known = (parts[:depth], os.fstat(below).st_ino)
                    self._flush_entry(known, parent=descriptor, is_new=is_new)
                except BaseException:
                    os.close(below)
                    raise
                os.close(descriptor)
                descriptor = below
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _create_root(self) -> None:
        missing = []
        path = self.path
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        if self._is_durable and not missing:
            return
        if not path.is_mount():
            # Its maker may have died before flushing it; a folder above that only others may
            # read was not made by any writer of this store.
            with contextlib.suppress(PermissionError):
                fsync_directory(path.parent)
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
            fsync_directory(folder.parent)
        self._is_durable = True

    def _flush_entry(
        self, known: tuple[tuple[str, ...], int], *, parent: int, is_new: bool
    ) -> None:
        if known in self._durable and not is_new:
            return
        os.fsync(parent)
        if len(self._durable) >= _REMEMBERED_FOLDERS:
            self._durable.clear()
        self._durable.add(known)


def open_regular(name: str | Path, *, directory: int | None = None) -> int:
    """Open a regular file for reading, never a link's target, never blocking on a FIFO.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: It is a link, a directory or a special file, or cannot be read.
    """
    flags = os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _CLOEXEC
    descriptor = os.open(name, flags, dir_fd=directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(name))
    return descriptor


def _read_whole(descriptor: int, size: int) -> bytes:
    """Return what a file holds, of which `size` bytes are expected; one that grows is cut there.

    By plain reads: a file object would cost more than the reading of a small file.
    """
    found = os.read(descriptor, size)
    while len(found) < size:
        more = os.read(descriptor, size - len(found))
        if not more:
            break
        found += more
    return found


def _find_kind(entry: os.DirEntry[str]) -> Literal["file", "directory", "other"]:
    if entry.is_file(follow_symlinks=False):
        return "file"
    return "directory" if entry.is_dir(follow_symlinks=False) else "other"


def _make_below(directory: int, name: str) -> tuple[int, bool]:
    """Return a folder's descriptor, and whether it was missing just now."""
    with contextlib.suppress(FileNotFoundError):
        return os.open(name, _FOLDER_FLAGS, dir_fd=directory), False
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, dir_fd=directory)
    return os.open(name, _FOLDER_FLAGS, dir_fd=directory), True
