"""The protocol every backend keeps: what a store needs from a disk, a process or a bucket.

A backend moves bytes under `/`-separated paths below its root and knows nothing of artifacts.
Immutable files are staged and published; the one file that changes, the manifest, is swapped:
compared and set in one step. `testing.store_suite` states the rules as tests for all backends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self

from filmcan.errors import InvalidContentError, StoreUnavailableError

if TYPE_CHECKING:
    from filmcan.npz.source import ByteSource

HOUSEKEEPING = "_filmcan"
"""The folder below a store's root that holds its own files (C2.3); none of them is data."""

_NO_NAMES = frozenset({"", ".", ".."})

FORMAT_MARKER = f"{HOUSEKEEPING}/format"
FORMAT_TEXT = b"filmcan store 1\n"
RESERVE = f"{HOUSEKEEPING}/reserve"
"""Room that a local store keeps for deletions: on a full disk it goes first."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The immediate content of a folder, names sorted.

    Attributes:
        folders: Names of folders.
        files: Name -> size in bytes of regular files.
        strange: Names of links, FIFOs and the like, which are never followed or read.
        modified: Name -> when it last changed, in seconds of the store's own clock: all files,
            and folders where the backend keeps such a time.
    """

    folders: tuple[str, ...]
    files: dict[str, int]
    strange: tuple[str, ...] = ()
    modified: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Versioned:
    """The bytes of a file that changes, and the version to name when replacing it."""

    data: bytes
    version: str


class StagedFile(Protocol):
    """A file being written where no reader sees it. Leaving the block unpublished discards it."""

    file: BinaryIO

    @property
    def sync(self) -> Callable[[], None] | None:
        """What makes the written bytes durable, to be called once all are written; may be None."""
        ...

    def publish(self, path: str) -> None:
        """Make the file readable under `path`, durably; when it returns, a power cut loses nothing.

        Publishing a path again replaces the file whole; readers that hold the old one keep it, or
        where a store cannot keep it get an error: never other bytes.

        Raises:
            StoreUnavailableError: The store refused. Nothing is visible under `path`, or the file
                whole, when only the last flush failed.
        """
        ...

    def __enter__(self) -> Self:
        """Return the staged file."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Discard what was not published."""
        ...


class Backend(Protocol):
    """Bytes under paths. All methods may be called from several threads and processes."""

    @property
    def url(self) -> str:
        """The store's address, as a user would write it."""
        ...

    def read(self, path: str, *, limit: int) -> bytes:
        """Return a file's bytes.

        Raises:
            NotFoundError: There is no such file.
            InvalidContentError: It is no regular file, or larger than `limit` bytes.
            StoreUnavailableError: The store refused.
        """
        ...

    def open(self, path: str) -> ByteSource:
        """Return random access to an immutable file; the caller closes it.

        Raises:
            NotFoundError: There is no such file.
            InvalidContentError: It is no regular file.
            StoreUnavailableError: The store refused.
        """
        ...

    def list_folder(self, folder: str) -> Listing:
        """Return the content of a folder (`""` is the root); an absent folder is empty.

        Raises:
            StoreUnavailableError: The store refused.
        """
        ...

    def stage(self, folder: str) -> StagedFile:
        """Return a new staged file that will be published in `folder`.

        Raises:
            StoreUnavailableError: The store refused.
        """
        ...

    def find_versioned(self, path: str, *, limit: int) -> Versioned | None:
        """Return a swapped file with its version, or None when there is none.

        Raises:
            InvalidContentError: It is no regular file, or larger than `limit` bytes.
            StoreUnavailableError: The store refused.
        """
        ...

    def swap(self, path: str, data: bytes, *, expected: str | None) -> str:
        """Replace a file only if its version is still `expected`; None: only if there is none.

        Returns:
            The new version. When this returns, the bytes are durable.

        Raises:
            ConflictError: The file changed meanwhile; nothing was written.
            StoreUnavailableError: The store refused. The old bytes still read, or the new ones
                whole, when only the last flush failed.
        """
        ...

    def remove(self, path: str) -> None:
        """Remove a file durably; an absent one is no error.

        Raises:
            StoreUnavailableError: The store refused.
        """
        ...

    def remove_folder(self, folder: str) -> None:
        """Remove a folder durably if it is empty; a full or absent one is no error.

        Where folders are only a way to write names, this does nothing.

        Raises:
            InvalidContentError: It is a link or a file, which stays.
            StoreUnavailableError: The store refused.
        """
        ...

    def move(self, path: str, new_path: str) -> None:
        """Give a file, folder or link another name below the root, durably, following no link.

        A backend that cannot rename copies, then removes: after a crash in between both are
        there. The caller chooses a new name that nobody uses.

        Raises:
            NotFoundError: There is nothing to move.
            ConflictError: The new name is taken; nothing was moved.
            StoreUnavailableError: The store refused.
        """
        ...

    def exclusive(self, name: str) -> AbstractContextManager[None]:
        """Keep everybody else who asks for the same name waiting while the block runs.

        It ends with its holder, however that dies, and is not reentrant. One holder asks for one
        name at a time. Where there are no such locks it is a lease: it makes collisions rare, and
        swaps and tombstones keep them harmless.

        Raises:
            StoreUnavailableError: The store refused.
        """
        ...

    def read_clock(self) -> float:
        """Return the store's own time in seconds: when a file written just now was last changed.

        Comparable with `Listing.modified`, whatever this machine's clock says.

        Raises:
            NotFoundError: The store has never been written to.
            StoreUnavailableError: The store refused.
        """
        ...

    def find_local_path(self, path: str) -> str | None:
        """Return the path on this machine's disk, or None when there is none."""
        ...


def split_path(path: str) -> tuple[str, ...]:
    """Return the segments of a path below the store's root; `""` is the root itself.

    Raises:
        InvalidContentError: The path could lead out of the store, or is written in a second way.
    """
    parts = tuple(path.split("/")) if path else ()
    if not _NO_NAMES.isdisjoint(parts) or "\0" in path or (os.sep != "/" and os.sep in path):
        raise InvalidContentError(f"{path!r} is no path below the store", code="bad_path")
    return parts


def check_format(found: bytes, url: str) -> None:
    """Refuse to write to a store whose format marker is another one.

    Raises:
        StoreUnavailableError: It is.
    """
    if found != FORMAT_TEXT:
        raise StoreUnavailableError(
            "the store was written in another format",
            code="unknown_format",
            where=url,
            hint="Use the filmcan version that wrote it, or another --store.",
        )
