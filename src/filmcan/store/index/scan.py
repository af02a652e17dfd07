"""What lies in a store now, told from what was known: which folders and manifests changed.

A stamp is what the disk says about a file or folder without reading it. Equal stamps mean equal
content, but for one case: a change within the same tick of the clock. So the stamp of something
that changed only just now is kept as unknown, and looked at again next time (as git does).
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.errors import StoreUnavailableError
from filmcan.files import TEMPORARY_PREFIX
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.marks import CHANGES, Marks, parse_marks
from filmcan.store.side_by_side import read_each
from filmcan.store.tombstones import TOMBSTONES

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_T = TypeVar("_T")
UNKNOWN = ""
"""The stamp of what must be looked at again."""

_SETTLED_SEC = 3.0
"""A file system's clock ticks within two seconds, on the coarsest that is in use."""
_SETTLED_ELSEWHERE_SEC = 900.0
"""Another machine's clock: object stores refuse requests signed further off than this."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One folder's stamp, and what was found in it: names with stamps."""

    stamp: str
    names: Mapping[str, str]


class Scanner(Protocol):
    """How the index looks at a store."""

    def read_marks(self) -> Marks | None:
        """Return the change marks; None where there are none to go by."""
        ...

    def find_folder_stamp(self, path: str) -> str:
        """Return a folder's stamp without listing it; unknown where it has none."""
        ...

    def list_folders(self, path: str) -> Listed:
        """Return the folders in a folder, without what is no id; their stamps are unknown."""
        ...

    def list_tombstones(self) -> Listed:
        """Return the tombstones and their stamps."""
        ...

    def find_manifest_stamp(self, run_path: str) -> str | None:
        """Return a manifest's stamp; None when there is no regular file of that name."""
        ...

    def look_at_each(self, look: Callable[[str], _T], paths: Sequence[str]) -> list[_T]:
        """Return what looks at many places give, at the same time where each waits for a server."""
        ...


def open_scanner(backend: Backend) -> Scanner:
    """Return the scanner for a store: by system calls on a local disk, by listings elsewhere."""
    local = backend.find_local_path("")
    return LocalScanner(local) if local is not None else ListingScanner(backend)


class LocalScanner:
    """Looks at a folder on this machine's disk. Links are never followed below the root."""

    def __init__(self, root: str) -> None:
        """Name the root, links in its path resolved."""
        self._root = root
        self._settled_before_ns = int((time.time() - _SETTLED_SEC) * 1e9)

    def read_marks(self) -> Marks | None:
        """Return the change marks; see `Scanner`."""
        try:
            descriptor = os.open(self._join(CHANGES), os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return parse_marks(file.read())

    def find_folder_stamp(self, path: str) -> str:
        """Return a folder's stamp; see `Scanner`."""
        try:
            found = os.stat(self._join(path), follow_symlinks=False)  # noqa: PTH116 - no Path made
        except FileNotFoundError:
            return UNKNOWN
        except OSError as error:
            raise _build_error(error, path) from error
        return self._stamp(found) if stat.S_ISDIR(found.st_mode) else UNKNOWN

    def list_folders(self, path: str) -> Listed:
        """Return the folders in a folder; see `Scanner`."""
        stamp = self.find_folder_stamp(path)
        names = {}
        if stamp or self._is_folder(path):
            for entry in self._scan(path):
                if _is_id(entry.name) and entry.is_dir(follow_symlinks=False):
                    names[entry.name] = UNKNOWN
        return Listed(stamp, names)

    def list_tombstones(self) -> Listed:
        """Return the tombstones; see `Scanner`."""
        stamp = self.find_folder_stamp(TOMBSTONES)
        names = {}
        if self._is_folder(TOMBSTONES):
            for entry in self._scan(TOMBSTONES):
                if _is_ours(entry.name):
                    names[entry.name] = self.find_file_stamp(f"{TOMBSTONES}/{entry.name}") or ""
        return Listed(stamp, names)

    def find_manifest_stamp(self, run_path: str) -> str | None:
        """Return a manifest's stamp; see `Scanner`."""
        return self.find_file_stamp(f"{run_path}/{MANIFEST_NAME}")

    def look_at_each(self, look: Callable[[str], _T], paths: Sequence[str]) -> list[_T]:
        """Return what looks at many places give; see `Scanner`."""
        return [look(path) for path in paths]

    def find_file_stamp(self, path: str) -> str | None:
        """Return the stamp of a regular file; None when there is none."""
        try:
            found = os.stat(f"{self._root}/{path}", follow_symlinks=False)  # noqa: PTH116 - likewise
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _build_error(error, path) from error
        return self._stamp(found) if stat.S_ISREG(found.st_mode) else None

    def _stamp(self, found: os.stat_result) -> str:
        changed_ns = max(found.st_mtime_ns, found.st_ctime_ns)
        if changed_ns >= self._settled_before_ns:
            return UNKNOWN
        return f"{found.st_ino}:{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}"

    def _is_folder(self, path: str) -> bool:
        try:
            found = os.stat(self._join(path), follow_symlinks=False)  # noqa: PTH116 - likewise
        except OSError:
            return False
        return stat.S_ISDIR(found.st_mode)

    def _scan(self, path: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(self._join(path)) as entries:
                yield from entries
        except FileNotFoundError:
            return
        except OSError as error:
            raise _build_error(error, path) from error

    def _join(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root


class ListingScanner:
    """Looks at a store through its backend alone: everything is listed, every time."""

    def __init__(self, backend: Backend) -> None:
        """Wrap the backend."""
        self._backend = backend
        self._settled_before = time.time() - _SETTLED_ELSEWHERE_SEC

    def read_marks(self) -> Marks | None:
        """Return None: nobody marks changes there."""
        return None

    def find_folder_stamp(self, path: str) -> str:  # noqa: ARG002 - the protocol's signature
        """Return an unknown stamp: folders are only a way to write names."""
        return UNKNOWN

    def list_folders(self, path: str) -> Listed:
        """Return the folders in a folder; see `Scanner`."""
        folders = self._backend.list_folder(path).folders
        return Listed(UNKNOWN, {name: UNKNOWN for name in folders if _is_id(name)})

    def list_tombstones(self) -> Listed:
        """Return the tombstones; see `Scanner`."""
        return Listed(UNKNOWN, self._list_files(TOMBSTONES))

    def find_manifest_stamp(self, run_path: str) -> str | None:
        """Return a manifest's stamp; see `Scanner`."""
        return self._list_files(run_path).get(MANIFEST_NAME)

    def look_at_each(self, look: Callable[[str], _T], paths: Sequence[str]) -> list[_T]:
        """Return what looks at many places give; see `Scanner`."""
        return read_each(self._backend, look, paths)

    def _list_files(self, folder: str) -> dict[str, str]:
        listing = self._backend.list_folder(folder)
        found = {}
        for name, size in listing.files.items():
            modified = listing.modified[name]
            is_settled = modified < self._settled_before
            found[name] = f"{size}:{modified!r}" if is_settled else UNKNOWN
        return found


def _is_id(name: str) -> bool:
    return name != HOUSEKEEPING and _is_ours(name)


def _is_ours(name: str) -> bool:
    """Tell whether the store may have given this name: no other is kept, as none names a run."""
    return name.isascii() and not name.startswith(TEMPORARY_PREFIX)


def _build_error(error: OSError, path: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"the store cannot be looked at: {error.strerror or error}",
        where=path,
        hint="Check that the folder is readable and not on a failing disk.",
    )
