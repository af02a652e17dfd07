"""Exclusive use of a name where there are no locks: an object that says who holds it, and renews.

A holder that has not renewed for the time it promised has died, or is as good as dead: whoever
waits takes the lease over, by a swap, so that only one does. Waiters judge by how long they
themselves saw no change: no two clocks are compared. A holder that comes to life again too late
may collide with its successor; swaps of manifests and tombstones keep that harmless.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import threading
import time
from collections.abc import Iterator

from filmcan.errors import ConflictError, NotFoundError, StoreUnavailableError
from filmcan.store.base import HOUSEKEEPING
from filmcan.store.object_store.client import Client
from filmcan.store.object_store.swap import Version, build_write_id, swap

LOCKS = f"{HOUSEKEEPING}/locks"
_SLOTS = 1024
"""So many leases there are at most. Names that share one wait for each other."""

_HEAD = "filmcan lease 1"
_FREE = f"{_HEAD}\nfree\n".encode()
_HELD = re.compile(rb"filmcan lease 1\nheld [0-9a-f]{16} ([0-9]{1,3}(?:\.[0-9]{1,3})?)\n")
_LIMIT = 4096
_FIRST_PAUSE_SEC = 0.02
_LONGEST_PAUSE_SEC = 1.0


class Leases:
    """The leases of one store, as one process sees them."""

    def __init__(self, client: Client) -> None:
        """Remember where they are; nothing is read yet."""
        self._client = client
        self._lease_sec = client.tuning.lease_sec
        self._released: dict[str, Version] = {}

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold the lease of a name while the block runs, and renew it all the time.

        Raises:
            StoreUnavailableError: The bucket refused.
        """
        path = build_lease_path(name)
        holder = _Holder(self._client, path, self._acquire(path))
        try:
            yield
        finally:
            freed = holder.release()
            if freed is not None:
                self._released[path] = freed

    def _acquire(self, path: str) -> Version:
        """Return the version of the lease once it is ours."""
        claim = build_claim(self._lease_sec)
        freed = self._released.pop(path, None)
        if freed is not None:  # most often nobody else had it since we did
            with contextlib.suppress(ConflictError):
                return swap(self._client, path, claim, freed)
        watched: Version | None = None
        since, pause = 0.0, _FIRST_PAUSE_SEC
        while True:
            found, text = self._find(path)
            now = time.monotonic()
            if found != watched:
                watched, since = found, now
            if text in (b"", _FREE) or now - since > self._find_term(text):
                with contextlib.suppress(ConflictError):
                    return swap(self._client, path, claim, found)
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads waiters, hides nothing
            pause = min(2 * pause, _LONGEST_PAUSE_SEC)

    def _find(self, path: str) -> tuple[Version | None, bytes]:
        try:
            head, text = self._client.get(path, limit=_LIMIT)
        except NotFoundError:
            return None, b""
        return Version(head), text

    def _find_term(self, text: bytes) -> float:
        """Return how long a holder may be silent; of a damaged lease, as long as our own."""
        match = _HELD.fullmatch(text)
        return float(match.group(1)) if match is not None else self._lease_sec


class _Holder:
    """Renews a lease in a thread of its own until it is released."""

    def __init__(self, client: Client, path: str, version: Version) -> None:
        self._client = client
        self._path = path
        self._version = version
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="filmcan-lease", daemon=True)
        self._thread.start()

    def release(self) -> Version | None:
        """Stop renewing and free the lease; return its version, or None if it is not ours.

        A lease that cannot be freed now runs out by itself.
        """
        self._is_over.set()
        self._thread.join()
        with contextlib.suppress(ConflictError, StoreUnavailableError):
            return swap(self._client, self._path, _FREE, self._version)
        return None

    def _renew(self) -> None:
        lease_sec = self._client.tuning.lease_sec
        while not self._is_over.wait(lease_sec / 3):
            try:
                claim = build_claim(lease_sec)
                self._version = swap(self._client, self._path, claim, self._version)
            except ConflictError:
                return  # taken over: what the block still does is fenced by its own swaps
            except StoreUnavailableError:
                continue


def build_lease_path(name: str) -> str:
    """Return where the lease of a name lies."""
    digest = hashlib.sha256(name.encode()).digest()
    return f"{LOCKS}/{int.from_bytes(digest[:4], 'big') % _SLOTS:03x}.exclusive.lock"


def build_claim(lease_sec: float) -> bytes:
    """Return the text of a lease that is held from now on, for `lease_sec` without renewal."""
    return f"{_HEAD}\nheld {build_write_id()} {lease_sec:.3f}\n".encode()
