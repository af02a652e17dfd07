"""Answers about the runs of a store, through a database that never decides what is true (P13).

Before an answer the database is brought up to date; every run shown is compared with its manifest
as it lies there now, and rows that were damaged are known by their checksum. A database that
cannot be used is made anew, or left aside for one in memory: slower, and the same answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filmcan.errors import BadProfileError
from filmcan.store.base import FORMAT_MARKER
from filmcan.store.index import queries
from filmcan.store.index.database import Database, IndexFaultError
from filmcan.store.index.place import INDEX_PATH, INDEX_VARIABLE
from filmcan.store.index.questions import Counts, Page, Paging, RunFilter
from filmcan.store.index.rows import parse_run
from filmcan.store.index.sync import Synchroniser, SyncReport
from filmcan.store.index.verify import check_rows, look_again

if TYPE_CHECKING:
    from filmcan.store.base import Backend
    from filmcan.store.index.compare import Progress

_T = TypeVar("_T")
_TRIES = 4
"""How often an answer is begun anew because runs changed while it was made; then what changed
is shown as it is now, though the filter saw it as it was."""
_MARKER_LIMIT = 4096
_TRIED_AGAIN_SEC = 60.0
"""After so long a database that was left aside is tried again."""
_log = logging.getLogger(__name__)


class StoreIndex:
    """The index of one store. Many threads may ask; one at a time brings it up to date."""

    def __init__(self, backend: Backend, database: Database, *, workers: int = 1) -> None:
        """Use `open_index`."""
        self._backend = backend
        self._database = database
        self._workers = workers
        self._own = database
        self._tried_again_at = 0.0
        self._changing = threading.RLock()
        self._mendings = 0
        self.fallback = ""

    @property
    def place(self) -> str:
        """Where the database lies: a file, or an address without its password."""
        return self._database.place

    def find_runs(
        self, wanted: RunFilter, paging: Paging, *, on_progress: Progress | None = None
    ) -> Page:
        """Return a page of the runs that a filter finds.

        Raises:
            StoreUnavailableError: The store refused.
        """
        return self.answer(lambda database: self._find_page(database, wanted, paging, on_progress))

    def count(self, wanted: RunFilter, *, on_progress: Progress | None = None) -> Counts:
        """Return how the runs that a filter finds ended, and their components.

        Raises:
            StoreUnavailableError: The store refused.
        """

        def work(database: Database) -> Counts:
            report = self._sync(database, on_progress)
            with database.read() as connection:
                return Counts(
                    queries.count_by_status(connection, wanted),
                    tuple(queries.count_outcomes(connection, wanted)),
                    report.set_aside,
                )

        return self.answer(work)

    def sync(self, *, on_progress: Progress | None = None) -> SyncReport:
        """Look at every manifest's stamp and take over what changed.

        Raises:
            IndexFaultError: The database cannot be used; a damaged one is made anew.
            StoreUnavailableError: The store refused.
        """
        return self._mend(
            self._database, lambda database: self._sync(database, on_progress, full=True)
        )

    def refresh(self, videos: Iterable[str] = ()) -> SyncReport:
        """Take over what changed since the last time, as every question does on its own.

        Args:
            videos: Paths of videos to look at in any case.

        Raises:
            StoreUnavailableError: The store refused.
        """

        def work(database: Database) -> SyncReport:
            return self._sync(database, videos=videos)

        with self._changing:
            if self._database is not self._own and time.monotonic() >= self._tried_again_at:
                self._tried_again_at = time.monotonic() + _TRIED_AGAIN_SEC
                with contextlib.suppress(IndexFaultError):
                    report = self._mend(self._own, work)
                    self._database, self.fallback = self._own, ""
                    return report
            return self.answer(work)

    def survey(self) -> SyncReport | None:
        """Return what a full synchronisation would find; None when there is no database yet.

        Raises:
            IndexFaultError: The database cannot be used.
            StoreUnavailableError: The store refused.
        """
        if not self._database.is_there():
            return None
        return Synchroniser(self._backend, self._database).survey()

    def rebuild(self, *, on_progress: Progress | None = None) -> SyncReport:
        """Make the index anew from all manifests.

        Raises:
            IndexFaultError: The database cannot be used.
            StoreUnavailableError: The store refused.
        """

        def work(database: Database) -> SyncReport:
            synchroniser = Synchroniser(self._backend, database, workers=self._workers)
            if on_progress is None:
                return synchroniser.rebuild()
            return synchroniser.rebuild(on_progress=on_progress)

        return self._mend(self._database, work)

    def forget(self, video_path: str, *, is_whole: bool) -> None:
        """Remove what the database holds of a video that was deleted (threats P11).

        A file that cannot be changed is removed: it can be made anew.

        Raises:
            IndexFaultError: Rows of the video stay.
        """
        if not self._database.is_there():
            return
        try:
            Synchroniser(self._backend, self._database).forget(video_path, is_whole=is_whole)
        except IndexFaultError:
            if not self._database.is_file:
                raise
            self._database.remove_files()

    def drop(self) -> None:
        """Remove the database's tables, or its file.

        Raises:
            IndexFaultError: It cannot be removed.
        """
        self._database.close()
        if self._database.is_file:
            self._database.remove_files()
            return
        with self._database.write() as connection:
            self._database.drop(connection)

    def dump(self) -> list[tuple[object, ...]]:
        """Return all rows that manifests decide, in order: for comparing two indexes."""
        with self._database.read() as connection:
            found = queries.find_page(connection, RunFilter(), Paging())
            latest = queries.find_latest_keys(connection)
        return [
            (run.head.key in latest, run.head.checksum, run.facts, *run.columns, *run.components)
            for run in found
        ]

    def find_size_bytes(self) -> int | None:
        """Return the size of the database's file; None where there is none."""
        return self._database.find_size_bytes()

    def close(self) -> None:
        """Let go of the database."""
        self._own.close()
        self._database.close()

    def answer(self, work: Callable[[Database], _T]) -> _T:
        """Do some work with the database as it is, or else with one in memory.

        Raises:
            StoreUnavailableError: The store refused.
        """
        left = _TRIES
        while True:
            left -= 1
            database = self._database
            try:
                return self._mend(database, work)
            except IndexFaultError as fault:
                was_busy = self._is_busy()
                with self._changing:
                    if left and (was_busy or self._database is not database):
                        continue  # another thread was at work there
                    if database is self._own:
                        self._leave_aside(fault)
                return work(self._database)

    def _is_busy(self) -> bool:
        """Tell whether another thread is changing the database."""
        if not self._changing.acquire(blocking=False):
            return True
        self._changing.release()
        return False

    def _mend(self, database: Database, work: Callable[[Database], _T]) -> _T:
        """Do some work; where the database turns out to be damaged, once more with a new one."""
        mendings = self._mendings
        try:
            return work(database)
        except IndexFaultError as fault:
            if not fault.is_damage:
                raise
        with self._changing:
            if self._mendings == mendings:  # else another thread has mended it meanwhile
                database.remove_files()
                Synchroniser(self._backend, database, workers=self._workers).rebuild()
                self._mendings += 1
        return work(database)

    def _leave_aside(self, fault: IndexFaultError) -> None:
        _log.warning("answering without the index: %s", fault)
        self._database = self._open_substitute(self._own)
        self._tried_again_at = time.monotonic() + _TRIED_AGAIN_SEC
        self.fallback = str(fault)

    def _open_substitute(self, database: Database) -> Database:
        """Return a database in memory: a copy where the real one can at least be read."""
        try:
            copy = database.copy_into_memory()
            Synchroniser(self._backend, copy).sync()
        except IndexFaultError:
            copy = Database.open_memory()
            Synchroniser(self._backend, copy, workers=self._workers).rebuild()
        return copy

    def _sync(
        self,
        database: Database,
        on_progress: Progress | None = None,
        *,
        full: bool = False,
        videos: Iterable[str] = (),
    ) -> SyncReport:
        synchroniser = Synchroniser(self._backend, database, workers=self._workers)
        with self._changing:
            if on_progress is None:
                return synchroniser.sync(full=full, videos=videos)
            return synchroniser.sync(full=full, videos=videos, on_progress=on_progress)

    def _find_page(
        self,
        database: Database,
        wanted: RunFilter,
        paging: Paging,
        on_progress: Progress | None,
    ) -> Page:
        report = self._sync(database, on_progress)
        left = _TRIES
        while True:
            left -= 1
            with database.read() as connection:
                total = queries.count_runs(connection, wanted)
                found = queries.find_page(connection, wanted, paging)
            heads = [item.head for item in found]
            runs = [check_rows(item, database.place) for item in found]
            seen = {item.path: item.rows for item in look_again(self._backend, heads)}
            changed = [
                head.path for head in heads if head.path in seen and not head.is_of(seen[head.path])
            ]
            if not changed or not left:
                break
            report = self._sync(database, videos={path.rpartition("/")[0] for path in changed})
        shown = []
        for head, run in zip(heads, runs, strict=True):
            rows = seen.get(head.path)
            if head.path not in seen:
                shown.append(run)
            elif rows is not None:
                shown.append(parse_run(rows.facts))
        return Page(tuple(shown), total, report.set_aside)


def open_index(backend: Backend, url: str | None = None, *, workers: int = 1) -> StoreIndex:
    """Return the index of a store; its database need not exist.

    Args:
        backend: The store.
        url: `postgresql://...`, the path of an SQLite file, or `memory`; None: what
            `FILMCAN_INDEX_URL` says, else a file in the store, or in the user's cache for a store
            that is no folder.
        workers: Processes that read manifests; see `reading.read_runs`.

    Raises:
        BadProfileError: The URL means nothing.
        MissingExtraError: PostgreSQL's driver is not installed.
    """
    chosen = url or os.environ.get(INDEX_VARIABLE, "")
    return StoreIndex(backend, _open_database(backend, chosen), workers=workers)


def _open_database(backend: Backend, chosen: str) -> Database:
    scheme, separator, rest = chosen.partition("://")
    if scheme in ("postgresql", "postgres") and separator:
        return Database.open_postgresql(f"postgresql://{rest}", backend.url)
    if scheme == "sqlite" and separator:
        return Database.open_sqlite(Path(rest.removeprefix("/") if rest[:2] == "//" else rest))
    if separator:
        raise BadProfileError(
            f"an index behind {scheme}:// is not supported",
            hint="Give postgresql://USER@HOST/DATABASE, or the path of an SQLite file.",
        )
    if chosen and chosen != "memory":
        return Database.open_sqlite(Path(chosen))
    local = backend.find_local_path(INDEX_PATH)
    if chosen == "memory" or backend.url == "memory://":
        return Database.open_memory()
    if local is None:
        return Database.open_sqlite(_find_cached_path(backend.url))
    # A folder that is no store yet stays as it is.
    is_store = backend.find_versioned(FORMAT_MARKER, limit=_MARKER_LIMIT) is not None
    return Database.open_sqlite(Path(local)) if is_store else Database.open_memory()


def _find_cached_path(store_url: str) -> Path:
    """Return the place of the index of a store that is no folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "filmcan" / "indexes"
    # Without it the database cannot be opened, which is foreseen.
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(store_url.encode()).hexdigest()[:32]}.sqlite"
