"""Who works on which video: leases that let several batches share one store.

A lease is one small text file below `_filmcan/leases/`, taken and renewed by swaps, so that of two
who want it one gets it. It ends when its holder releases it, is seen to be gone from this machine,
or has not renewed it for some time by the store's own clock. A lease keeps work from being done
twice, never data from harm: a holder that was paused beyond its time does the work a second time,
into a run of its own.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from filmcan.errors import ConflictError, NotFoundError
from filmcan.store.base import HOUSEKEEPING

if TYPE_CHECKING:
    from filmcan.store.base import Backend, Versioned

LEASES = f"{HOUSEKEEPING}/leases"
DEFAULT_TERM_SEC = 60.0
"""A lease that was not renewed for so long has no holder any more."""

_HEAD = "filmcan lease 1"
_LIMIT = 4096


class Leases:
    """The leases that one process holds. For use by one thread."""

    def __init__(
        self,
        backend: Backend,
        holder: str,
        is_gone: Callable[[str], bool],
        term_sec: float = DEFAULT_TERM_SEC,
    ) -> None:
        """Hold none yet.

        Args:
            backend: The store.
            holder: Names this process, on one line.
            is_gone: Tells of such a name whether its process is known to have ended.
            term_sec: How long a lease lasts after it was renewed.
        """
        self._backend = backend
        self._holder = holder
        self._is_gone = is_gone
        self._term_sec = term_sec
        self._versions: dict[str, str] = {}

    def take(self, video_path: str) -> bool:
        """Take the lease of a video; False when somebody else holds it.

        Raises:
            StoreUnavailableError: The store refused.
        """
        path = _build_path(video_path)
        found = self._backend.find_versioned(path, limit=_LIMIT)
        if found is not None and not self._has_ended(path, found):
            return False
        expected = None if found is None else found.version
        try:
            self._versions[path] = self._backend.swap(path, self._build(), expected=expected)
        except ConflictError:
            return False
        return True

    def renew(self) -> None:
        """Renew all that are held; one that somebody else took over meanwhile is given up.

        Raises:
            StoreUnavailableError: The store refused.
        """
        for path, version in tuple(self._versions.items()):
            try:
                self._versions[path] = self._backend.swap(path, self._build(), expected=version)
            except ConflictError:
                del self._versions[path]

    def release(self, video_path: str) -> None:
        """Give a lease back; one that was lost meanwhile is left to whoever holds it.

        Raises:
            StoreUnavailableError: The store refused.
        """
        path = _build_path(video_path)
        version = self._versions.pop(path, None)
        found = self._backend.find_versioned(path, limit=_LIMIT)
        if found is not None and found.version == version:
            self._backend.remove(path)

    def _build(self) -> bytes:
        # A word of its own each time: a renewal changes the version.
        return f"{_HEAD}\n{self._holder}\n{secrets.token_hex(8)}\n".encode()

    def _has_ended(self, path: str, found: Versioned) -> bool:
        lines = found.data.decode("utf-8", "replace").split("\n")
        if lines[0] == _HEAD and len(lines) > 1 and self._is_gone(lines[1]):
            return True
        name = path.rpartition("/")[2]
        renewed = self._backend.list_folder(LEASES).modified.get(name)
        try:
            return renewed is not None and self._backend.read_clock() - renewed > self._term_sec
        except NotFoundError:  # pragma: no cover - the store went away between two calls
            return False


def _build_path(video_path: str) -> str:
    return f"{LEASES}/{hashlib.sha256(video_path.encode()).hexdigest()}"
