"""A store in this process's memory: for tests, notebooks and dry runs. Lost with the process."""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import BinaryIO, Self

from filmcan.errors import ConflictError, InvalidContentError, NotFoundError
from filmcan.npz.source import ByteSource, MemorySource
from filmcan.store.base import (
    FORMAT_MARKER,
    FORMAT_TEXT,
    Listing,
    StagedFile,
    Versioned,
    split_path,
)


class MemoryBackend:
    """Bytes in a dict, guarded by one lock."""

    def __init__(self) -> None:
        """Start empty."""
        self._files: dict[str, bytes] = {}
        self._versions: dict[str, int] = {}
        self._modified: dict[str, float] = {}
        self._lock = threading.Lock()
        self._held: dict[str, threading.Lock] = defaultdict(threading.Lock)

    @property
    def url(self) -> str:
        """`memory://`."""
        return "memory://"

    def read(self, path: str, *, limit: int) -> bytes:
        """Return a file's bytes; see `Backend.read`."""
        data = self._get(path)
        if len(data) > limit:
            raise InvalidContentError(
                f"{len(data)} bytes, more than {limit}", where=path, code="too_large"
            )
        return data

    def open(self, path: str) -> ByteSource:
        """Return random access to a file; see `Backend.open`."""
        return MemorySource(self._get(path), name=path)

    def list_folder(self, folder: str) -> Listing:
        """Return the content of a folder; see `Backend.list_folder`."""
        prefix = f"{folder}/" if folder else ""
        folders: set[str] = set()
        files: dict[str, int] = {}
        modified: dict[str, float] = {}
        with self._lock:
            for path, data in self._files.items():
                if path.startswith(prefix):
                    name, _, below = path[len(prefix) :].partition("/")
                    if below:
                        folders.add(name)
                    else:
                        files[name] = len(data)
                        modified[name] = self._modified[path]
        return Listing(tuple(sorted(folders)), dict(sorted(files.items())), modified=modified)

    def stage(self, folder: str) -> StagedFile:
        """Return a new staged file; see `Backend.stage`."""
        return _MemoryStagedFile(self, folder)

    def find_versioned(self, path: str, *, limit: int) -> Versioned | None:
        """Return a swapped file with its version; see `Backend.find_versioned`."""
        with self._lock:
            if path not in self._files:
                return None
            data, version = self._files[path], self._versions[path]
        if len(data) > limit:
            raise InvalidContentError(
                f"{len(data)} bytes, more than {limit}", where=path, code="too_large"
            )
        return Versioned(data, str(version))

    def swap(self, path: str, data: bytes, *, expected: str | None) -> str:
        """Replace a file if it is still `expected`; see `Backend.swap`."""
        with self._lock:
            found = str(self._versions[path]) if path in self._files else None
            if found != expected:
                raise ConflictError(
                    "the file changed since it was read" if expected else "it exists already",
                    where=path,
                    hint="Read it again, then decide.",
                )
            self._put(path, data)
            return str(self._versions[path])

    def remove(self, path: str) -> None:
        """Remove a file; see `Backend.remove`."""
        with self._lock:
            self._files.pop(path, None)

    def remove_folder(self, folder: str) -> None:
        """Do nothing: folders are only a way to write names."""

    def move(self, path: str, new_path: str) -> None:
        """Give a file or a folder another name; see `Backend.move`."""
        with self._lock:
            moved = [name for name in self._files if name == path or name.startswith(f"{path}/")]
            if not moved:
                raise NotFoundError("there is no such file in the store", where=path)
            if any(name == new_path or name.startswith(f"{new_path}/") for name in self._files):
                raise ConflictError("the name is taken", where=new_path)
            for name in moved:
                target = f"{new_path}{name[len(path) :]}"
                self._modified[target] = self._modified[name]
                self._files[target] = self._files.pop(name)
                self._versions[target] = self._versions.get(target, 0) + 1

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Hold a lock of this process; see `Backend.exclusive`."""
        with self._lock:
            lock = self._held[name]
        with lock:
            yield

    def read_clock(self) -> float:
        """Return this process's time; see `Backend.read_clock`."""
        self._get(FORMAT_MARKER)
        return time.time()

    def find_local_path(self, path: str) -> str | None:  # noqa: ARG002 - the protocol's signature
        """Return None: nothing lies on a disk."""
        return None

    def publish(self, path: str, data: bytes) -> None:
        """Store an immutable file."""
        with self._lock:
            self._put(path, data)

    def _put(self, path: str, data: bytes) -> None:
        if FORMAT_MARKER not in self._files:
            self._files[FORMAT_MARKER] = FORMAT_TEXT
            self._versions[FORMAT_MARKER] = 1
            self._modified[FORMAT_MARKER] = time.time()
        self._files[path] = data
        self._modified[path] = time.time()
        self._versions[path] = self._versions.get(path, 0) + 1

    def _get(self, path: str) -> bytes:
        split_path(path)
        with self._lock:
            data = self._files.get(path)
        if data is None:
            raise NotFoundError("there is no such file in the store", where=path)
        return data


class _MemoryStagedFile:
    """A buffer that becomes a file when published."""

    file: BinaryIO

    def __init__(self, backend: MemoryBackend, folder: str) -> None:
        self._backend = backend
        self._folder = folder
        self._buffer = io.BytesIO()
        self.file = self._buffer

    @property
    def sync(self) -> Callable[[], None] | None:
        return None

    def publish(self, path: str) -> None:
        if path.rpartition("/")[0] != self._folder:
            raise ValueError(f"staged for {self._folder}, not for {path}")
        self._backend.publish(path, self._buffer.getvalue())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._buffer.close()
