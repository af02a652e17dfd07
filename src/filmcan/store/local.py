"""A store in a folder of a local disk.

Durable by flush, rename, flush of the folder; swaps under a lock that dies with its holder;
reached through directory handles, so that no link leads out of the root.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from filmcan.errors import (
    ConflictError,
    FilmcanError,
    InvalidContentError,
    NotFoundError,
    StoreUnavailableError,
)
from filmcan.files import Root, build_temporary_name, locked
from filmcan.npz.source import ByteSource, FileSource
from filmcan.store.base import (
    FORMAT_MARKER,
    FORMAT_TEXT,
    HOUSEKEEPING,
    RESERVE,
    Listing,
    StagedFile,
    Versioned,
    check_format,
    split_path,
)
from filmcan.store.marks import LOCKS, marked

_RESERVE_BYTES = 64 << 10
"""A tombstone, a manifest of middling size, and what the file system needs to name them."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_STAYS = frozenset({errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST})
_NOT_REGULAR = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL})


class LocalBackend:
    """Bytes below one folder. Creates the folder and its format marker at the first write."""

    def __init__(self, path: Path) -> None:
        """Name the folder; it need not exist yet."""
        self._root = Root(path)
        self._is_marked = False

    @property
    def url(self) -> str:
        """The folder's path."""
        return str(self._root.path)

    def read(self, path: str, *, limit: int) -> bytes:
        """Return a file's bytes; see `Backend.read`."""
        with _Translated(path):
            try:
                return self._root.read_file(split_path(path), limit=limit)
            except OverflowError as error:
                raise InvalidContentError(str(error), where=path, code="too_large") from error

    def open(self, path: str) -> ByteSource:
        """Return random access to a file; see `Backend.open`."""
        with _Translated(path):
            return FileSource(self._root.open_file(split_path(path)), name=path)

    def list_folder(self, folder: str) -> Listing:
        """Return the content of a folder; see `Backend.list_folder`."""
        folders: list[str] = []
        files: list[tuple[str, int]] = []
        strange: list[str] = []
        modified: dict[str, float] = {}
        with _Translated(folder):
            try:
                entries = self._scan(split_path(folder))
            except FileNotFoundError:
                return Listing((), {})
        for name, found in entries:
            kind = stat.S_IFMT(found.st_mode)
            if kind == stat.S_IFREG:
                files.append((name, found.st_size))
            elif kind == stat.S_IFDIR:
                folders.append(name)
            else:
                strange.append(name)
                continue
            modified[name] = found.st_mtime
        return Listing(
            tuple(sorted(folders)), dict(sorted(files)), tuple(sorted(strange)), modified
        )

    def stage(self, folder: str) -> StagedFile:
        """Return a new staged file; see `Backend.stage`."""
        with _Translated(folder):
            self._mark()
            return _LocalStagedFile(self._root, split_path(folder))

    def find_versioned(self, path: str, *, limit: int) -> Versioned | None:
        """Return a swapped file with its version; see `Backend.find_versioned`."""
        try:
            data = self.read(path, limit=limit)
        except NotFoundError:
            return None
        return Versioned(data, _version(data))

    def swap(self, path: str, data: bytes, *, expected: str | None) -> str:
        """Replace a file if it is still `expected`, under a lock; see `Backend.swap`."""
        with _Translated(path):
            self._mark()
            with self._locked(path):
                found = self._find_version(path)
                if found != expected:
                    raise ConflictError(
                        "the file changed since it was read" if expected else "it exists already",
                        where=path,
                        hint="Read it again, then decide.",
                    )
                self._root.replace_file(split_path(path), data)
        return _version(data)

    def remove(self, path: str) -> None:
        """Remove a file durably; see `Backend.remove`."""
        with _Translated(path):
            self._root.remove_file(split_path(path))

    def remove_folder(self, folder: str) -> None:
        """Remove an empty folder durably; see `Backend.remove_folder`."""
        *above, name = split_path(folder)
        with _Translated(folder):
            try:
                with self._root.directory(tuple(above)) as directory:
                    os.rmdir(name, dir_fd=directory)
                    os.fsync(directory)
            except OSError as error:
                if error.errno not in _STAYS:
                    raise

    def move(self, path: str, new_path: str) -> None:
        """Rename durably, following no link; see `Backend.move`."""
        *above, name = split_path(path)
        *new_above, new_name = split_path(new_path)
        with (
            _Translated(path),
            self._root.directory(tuple(above)) as source,
            self._root.directory(tuple(new_above), create=True) as target,
        ):
            if _exists(new_name, target):
                raise ConflictError("the name is taken", where=new_path)
            os.rename(name, new_name, src_dir_fd=source, dst_dir_fd=target)
            # The new name first: a power cut may leave both, never neither.
            os.fsync(target)
            os.fsync(source)

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold a lock that dies with this process; see `Backend.exclusive`."""
        with contextlib.ExitStack() as held:
            with _Translated("/".join(LOCKS)):
                self._mark()
                held.enter_context(self._locked(name, kind="exclusive"))
                held.enter_context(marked(self._root, name))
            yield

    def read_clock(self) -> float:
        """Return the time of a folder touched just now; see `Backend.read_clock`.

        Nothing is written, so a full disk keeps nobody from collecting garbage.
        """
        with _Translated(HOUSEKEEPING), self._root.directory((HOUSEKEEPING,)) as directory:
            os.utime(directory)
            return os.fstat(directory).st_mtime

    def find_local_path(self, path: str) -> str | None:
        """Return the path on disk; see `Backend.find_local_path`."""
        return str(self._root.path.joinpath(*split_path(path)))

    def _find_version(self, path: str) -> str | None:
        try:
            return _version(self._root.read_file(split_path(path)))
        except FileNotFoundError:
            return None

    def _scan(self, folder: tuple[str, ...]) -> list[tuple[str, os.stat_result]]:
        found = []
        with self._root.directory(folder) as directory, os.scandir(directory) as entries:
            for entry in entries:
                try:
                    found.append((entry.name, entry.stat(follow_symlinks=False)))
                except FileNotFoundError:  # removed since it was listed
                    continue
        return found

    def check_root(self) -> None:
        """Refuse a root that is there and no folder.

        Raises:
            StoreUnavailableError: It is a file.
        """
        if self._root.path.exists() and not self._root.path.is_dir():
            raise StoreUnavailableError(
                "it is a file, not a folder",
                code="no_store",
                where=self.url,
                hint="Name a folder with --store.",
            )

    @contextlib.contextmanager
    def _locked(self, path: str, kind: str = "swap") -> Iterator[None]:
        # A fixed number of lock files of each kind: a holder takes one of a kind at a time, and
        # never an exclusive one within a swap, so sharing one is harmless.
        digest = hashlib.sha256(path.encode(errors="backslashreplace")).hexdigest()
        name = f"{digest[:2]}.{kind}.lock"
        with (
            self._root.directory(LOCKS, create=True) as directory,
            locked(Path(name), directory=directory),
        ):
            yield

    def _mark(self) -> None:
        """Make the root, its housekeeping folders and the format marker, once per backend."""
        if self._is_marked:
            return
        self.check_root()
        with self._root.directory(LOCKS, create=True):
            pass
        try:
            found = self._root.read_file(split_path(FORMAT_MARKER), limit=4096)
        except FileNotFoundError:
            self._root.replace_file(split_path(FORMAT_MARKER), FORMAT_TEXT)
        else:
            check_format(found, self.url)
        with contextlib.suppress(OSError):
            self._keep_reserve()
        self._is_marked = True

    def _keep_reserve(self) -> None:
        """Take up the room that a deletion needs on a full disk; bytes that no disk compresses."""
        name = RESERVE.rpartition("/")[2]
        with self._root.directory((HOUSEKEEPING,)) as directory:
            if _exists(name, directory):
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(name, flags, 0o666, dir_fd=directory)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(os.urandom(_RESERVE_BYTES))
            except OSError:
                os.unlink(name, dir_fd=directory)
                raise


class _LocalStagedFile:
    """A temporary in the folder where it will be published."""

    file: BinaryIO

    def __init__(self, root: Root, folder: tuple[str, ...]) -> None:
        self._root = root
        self._folder = folder
        self._name = build_temporary_name("staged")
        self._is_synced = False
        self._is_lost = False
        self._is_published = False
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with root.directory(folder, create=True) as directory:
            self.file = os.fdopen(os.open(self._name, flags, 0o666, dir_fd=directory), "w+b")

    @property
    def sync(self) -> Callable[[], None] | None:
        return self._sync

    def publish(self, path: str) -> None:
        *folder, name = split_path(path)
        if tuple(folder) != self._folder:
            raise ValueError(f"staged for {'/'.join(self._folder)}, not for {path}")
        with _Translated(path):
            self._sync()
            with self._root.directory(self._folder) as directory:
                os.replace(self._name, name, src_dir_fd=directory, dst_dir_fd=directory)
                self._is_published = True
                os.fsync(directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Nothing is left to lose here: a published file is flushed, another one is given up.
        with contextlib.suppress(OSError):
            self.file.close()
        if not self._is_published:
            with contextlib.suppress(OSError):
                self._root.remove_file((*self._folder, self._name))
        if isinstance(error, OSError):
            with _Translated("/".join(self._folder)):
                raise error

    def _sync(self) -> None:
        """Flush once; a flush that failed is final and never tried again (P4)."""
        if self._is_synced:
            return
        if self._is_lost:
            raise OSError(errno.EIO, "an earlier flush of this file failed")
        self._is_lost = True
        self.file.flush()
        os.fsync(self.file.fileno())
        self._is_lost = False
        self._is_synced = True


def _exists(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class _Translated:
    """Turns an `OSError` into the typed error that says what to do.

    A class, because it stands around every small read: a generator would cost a part of it.
    """

    __slots__ = ("_path",)

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, FileNotFoundError):
            raise NotFoundError("there is no such file in the store", where=self._path) from error
        if isinstance(error, OSError):
            raise _build_error(error, self._path) from error


def _build_error(error: OSError, path: str) -> FilmcanError:
    reason = error.strerror or str(error)
    if error.errno in _NOT_REGULAR:
        return InvalidContentError(
            f"not a regular file: {reason}",
            code="not_regular",
            where=path,
            hint="Links and special files are never followed; remove it from the store.",
        )
    if error.errno in _FULL:
        return StoreUnavailableError(
            f"no space is left: {reason}",
            code="store_full",
            where=path,
            hint="Free some space and run again; what was committed is safe.",
        )
    return StoreUnavailableError(
        f"the store cannot be used: {reason}",
        where=path,
        hint="Check that the folder exists, is writable and not on a failing disk.",
    )
