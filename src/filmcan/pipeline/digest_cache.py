"""Digests of sources that were hashed before, so that a second look at 10 000 files reads none.

A file is known by device, inode, size and time of its last change, so a renamed or moved one is
known too. What was changed a moment ago is never remembered: a clock ticks coarsely, and a second
change could hide in the same tick. The file lies in the user's cache and is expendable: whatever
goes wrong with it, sources are hashed.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from filmcan.media.source_file import SourceFile, find_source
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
    place = open_cache().root / _NAME
    known = _find(place, source)
    if known is not None:
        return known
    digest = source.sha256()
    if time.time_ns() - source.identity[-1] > _SETTLED_NS:
        _keep(place, source, digest)
    return digest


def _find(place: Path, source: SourceFile) -> str | None:
    if not place.is_file():
        return None
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_connect(place)) as database:
        row = database.execute(
            "SELECT sha256 FROM digests WHERE identity = ?", (_name(source),)
        ).fetchone()
        return None if row is None else str(row[0])
    return None


def _keep(place: Path, source: SourceFile, digest: str) -> None:
    with contextlib.suppress(sqlite3.Error, OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(_connect(place)) as database, database:
            database.execute(_CREATE)
            database.execute(
                "INSERT OR REPLACE INTO digests VALUES (?, ?)", (_name(source), digest)
            )


def _connect(place: Path) -> sqlite3.Connection:
    return sqlite3.connect(place, timeout=_BUSY_SEC)


def _name(source: SourceFile) -> str:
    return ":".join(map(str, source.identity))
