"""Digests of sources that were hashed before, so that a second look at 10 000 files reads none.

A file is known by device, inode, size and time of its last change, so a renamed or moved one is
known too. What was changed a moment ago is never remembered: a clock ticks coarsely, and a second
change could hide in the same tick. An object behind a URL is known by what its server says of it
(`RemoteSource.identify`). The cache lies with the user's others and is expendable: whatever goes
wrong with it, sources are hashed.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from filmcan.media.source_file import find_source
from filmcan.models.cache import open_cache

_NAME = "digests.sqlite"
_SETTLED_NS = 3_000_000_000
"""A file that changed more recently than this is hashed again next time."""

_CREATE = (
    "CREATE TABLE IF NOT EXISTS digests "
    "(identity TEXT PRIMARY KEY, sha256 TEXT NOT NULL) WITHOUT ROWID"
)
_BUSY_SEC = 2.0


def hash_source(path: Path) -> str:
    """Return the digest of a source's bytes, lower-case hex, from the cache where it is known.

    Raises:
        BadMediaError: It is missing, unreadable, empty or no regular file.
    """
    source = find_source(path)
    identity = ":".join(map(str, source.identity))
    known = find_digest(identity)
    if known is not None:
        return known
    digest = source.sha256()
    if time.time_ns() - source.identity[-1] > _SETTLED_NS:
        keep_digest(identity, digest)
    return digest


def find_digest(identity: str) -> str | None:
    """Return the digest of what has an identity, None where it is not known."""
    place = _get_place()
    if not place.is_file():
        return None
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_connect(place)) as database:
        row = database.execute(
            "SELECT sha256 FROM digests WHERE identity = ?", (identity,)
        ).fetchone()
        return None if row is None else str(row[0])
    return None


def keep_digest(identity: str, digest: str) -> None:
    """Remember the digest of what has an identity."""
    place = _get_place()
    with contextlib.suppress(sqlite3.Error, OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(_connect(place)) as database, database:
            database.execute(_CREATE)
            database.execute("INSERT OR REPLACE INTO digests VALUES (?, ?)", (identity, digest))


def _get_place() -> Path:
    return open_cache().root / _NAME


def _connect(place: Path) -> sqlite3.Connection:
    return sqlite3.connect(place, timeout=_BUSY_SEC)
