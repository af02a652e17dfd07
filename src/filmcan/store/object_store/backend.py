"""A store below a prefix of a bucket.

Durable when the bucket answers; one manifest at a time by conditional writes; exclusive by leases.
A server that ignores conditions is found out before the first write, and nothing is written.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from io import BytesIO

from filmcan.errors import ConflictError, NotFoundError
from filmcan.files import build_temporary_name
from filmcan.npz.source import ByteSource
from filmcan.store.base import (
    FORMAT_MARKER,
    HOUSEKEEPING,
    Listing,
    StagedFile,
    Versioned,
    split_path,
)
from filmcan.store.object_store.client import Client
from filmcan.store.object_store.lease import Leases
from filmcan.store.object_store.marker import MARKER_LIMIT, write_marker
from filmcan.store.object_store.records import Tuning
from filmcan.store.object_store.source import ObjectSource
from filmcan.store.object_store.staged import ScratchFile
from filmcan.store.object_store.swap import Version, build_write_id, swap


class ObjectStoreBackend:
    """Bytes below a prefix. Writes its format marker and tests the server at the first write."""

    def __init__(self, url: str, tuning: Tuning | None = None) -> None:
        """Name bucket and prefix; nothing is asked of the server yet.

        Raises:
            StoreUnavailableError: The URL, or an option in the environment, is wrong.
        """
        self._client = Client(url, tuning if tuning is not None else Tuning())
        self._leases = Leases(self._client)
        self._lock = threading.Lock()
        self._is_marked = False

    @property
    def url(self) -> str:
        """The URL of the prefix."""
        return self._client.url

    def read(self, path: str, *, limit: int) -> bytes:
        """Return a file's bytes; see `Backend.read`."""
        return self._client.get(_check(path), limit=limit)[1]

    def open(self, path: str) -> ByteSource:
        """Return random access to a file; see `Backend.open`."""
        return ObjectSource(self._client, _check(path))

    def list_folder(self, folder: str) -> Listing:
        """Return the content of a folder; see `Backend.list_folder`."""
        folders, entries = self._client.list_folder(_check(folder))
        prefix = f"{folder}/" if folder else ""
        # An object named like the folder itself is what some tools make of an empty folder.
        files = {
            entry.path.removeprefix(prefix): entry for entry in entries if entry.path != folder
        }
        names = sorted(files)
        return Listing(
            tuple(sorted(name.removeprefix(prefix) for name in folders)),
            {name: files[name].size for name in names},
            modified={name: files[name].modified for name in names},
        )

    def stage(self, folder: str) -> StagedFile:
        """Return a new staged file; see `Backend.stage`."""
        _check(folder)
        self._mark()
        return ScratchFile(self._client, folder)

    def find_versioned(self, path: str, *, limit: int) -> Versioned | None:
        """Return a swapped file with its version; see `Backend.find_versioned`."""
        try:
            head, data = self._client.get(_check(path), limit=limit)
        except NotFoundError:
            return None
        return Versioned(data, Version(head).to_text())

    def swap(self, path: str, data: bytes, *, expected: str | None) -> str:
        """Replace a file if it is still `expected`; see `Backend.swap`."""
        _check(path)
        self._mark()
        former = Version.from_text(expected) if expected is not None else None
        return swap(self._client, path, data, former).to_text()

    def remove(self, path: str) -> None:
        """Remove a file; see `Backend.remove`."""
        self._client.delete(_check(path))

    def remove_folder(self, folder: str) -> None:
        """Do nothing: folders are only a way to write names."""

    def move(self, path: str, new_path: str) -> None:
        """Copy, then remove; see `Backend.move`."""
        moved = self._find_tree(_check(path))
        if not moved:
            raise NotFoundError("there is no such file in the store", where=path)
        if self._find_tree(_check(new_path)):
            raise ConflictError("the name is taken", where=new_path)
        for item in moved:
            self._client.copy(item, f"{new_path}{item[len(path) :]}")
        for item in moved:
            self._client.delete(item)

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Hold a lease; see `Backend.exclusive`."""
        self._mark()
        return self._leases.hold(name)

    def read_clock(self) -> float:
        """Return the time of a file written just now; see `Backend.read_clock`."""
        if not self._is_marked:
            self._client.get(FORMAT_MARKER, limit=MARKER_LIMIT)
        name = build_temporary_name("clock")
        path = f"{HOUSEKEEPING}/{name}"
        self._client.put(path, BytesIO(b"\n"), 1, build_write_id())
        try:
            # A listing's own time: the header of a single object may be rounded otherwise.
            return self.list_folder(HOUSEKEEPING).modified[name]
        finally:
            self._client.delete(path)

    def find_local_path(self, path: str) -> str | None:  # noqa: ARG002 - the protocol's signature
        """Return None: nothing lies on a disk."""
        return None

    def _find_tree(self, path: str) -> list[str]:
        """Return the object of that name and all below it."""
        below = [entry.path for entry in self._client.list_below(path)]
        is_file = self._client.find_head(path) is not None
        return [path, *below] if is_file else below

    def _mark(self) -> None:
        """Write the format marker and test the server, once per backend."""
        with self._lock:
            if self._is_marked:
                return
            write_marker(self._client)
            self._is_marked = True


def _check(path: str) -> str:
    """Return a path that stays below the prefix.

    Raises:
        InvalidContentError: It does not.
    """
    split_path(path)
    return path
