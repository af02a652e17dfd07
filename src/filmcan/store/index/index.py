"""Answers about the runs of a store, through a database that never decides what is true (P13).

Before an answer the database is brought up to date; every run shown is compared with its manifest
as it lies there now, and rows that were damaged are known by their checksum. A database that
cannot be used is made anew, or left aside for one in memory: slower, and the same answer.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from filmcan.errors import BadProfileError
from filmcan.store.base import FORMAT_MARKER
from filmcan.store.index import queries
from filmcan.store.index.database import Database, IndexFaultError
from filmcan.store.index.place import INDEX_PATH, INDEX_VARIABLE
from filmcan.store.index.questions import (
    Counts,
    IndexedRun,
    Page,
    Paging,
    RunFilter,
    build_component,
    build_run,
)
from filmcan.store.index.reading import Look, read_runs
from filmcan.store.index.rows import sum_rows
from filmcan.store.index.scan import UNKNOWN, open_scanner
from filmcan.store.index.sync import Synchroniser, SyncReport

if TYPE_CHECKING:
    from filmcan.store.base import Backend
    from filmcan.store.index.compare import Progress

_T = TypeVar("_T")
_TRIES = 4
"""How often an answer is begun anew because runs changed while it was made; then what changed
is shown as it is now, though the filter saw it as it was."""
_MARKER_LIMIT = 4096
_log = logging.getLogger(__name__)


class StoreIndex:
    """The index of one store."""

    def __init__(self, backend: Backend, database: Database, *, workers: int = 1) -> None:
        """Use `open_index`."""
        self._backend = backend
        self._database = database
        self._workers = workers
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
        return self._answer(lambda database: self._find_page(database, wanted, paging, on_progress))

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

        return self._answer(work)

    def sync(self, *, on_progress: Progress | None = None) -> SyncReport:
        """Look at every manifest's stamp and take over what changed.

        Raises:
            IndexFaultError: The database cannot be used; a damaged one is made anew.
            StoreUnavailableError: The store refused.
        """
        return self._mend(lambda: self._sync(self._database, on_progress, full=True))

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
        synchroniser = Synchroniser(self._backend, self._database, workers=self._workers)
        if on_progress is None:
            return self._mend(synchroniser.rebuild)
        return self._mend(lambda: synchroniser.rebuild(on_progress=on_progress))

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
        return [(row.id in latest, *row[2:], *components) for row, components in found]

    def find_size_bytes(self) -> int | None:
        """Return the size of the database's file; None where there is none."""
        return self._database.find_size_bytes()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def _answer(self, work: Callable[[Database], _T]) -> _T:
        """Do some work with the database, or else with one in memory."""
        try:
            return self._mend(lambda: work(self._database))
        except IndexFaultError as fault:
            _log.warning("answering without the index: %s", fault)
            self.fallback = str(fault)
            self._database = self._open_substitute()
            return work(self._database)

    def _mend(self, work: Callable[[], _T]) -> _T:
        """Do some work; where the database turns out to be damaged, once more with a new one."""
        try:
            return work()
        except IndexFaultError as fault:
            if not fault.is_damage:
                raise
            self._database.remove_files()
            Synchroniser(self._backend, self._database, workers=self._workers).rebuild()
            return work()

    def _open_substitute(self) -> Database:
        """Return a database in memory: a copy where the real one can at least be read."""
        try:
            copy = self._database.copy_into_memory()
            Synchroniser(self._backend, copy).sync()
        except IndexFaultError:
            copy = Database.open_memory()
            Synchroniser(self._backend, copy, workers=self._workers).rebuild()
        return copy

    def _sync(
        self, database: Database, on_progress: Progress | None, *, full: bool = False
    ) -> SyncReport:
        synchroniser = Synchroniser(self._backend, database, workers=self._workers)
        if on_progress is None:
            return synchroniser.sync(full=full)
        return synchroniser.sync(full=full, on_progress=on_progress)

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
            runs, outdated = self._verify(found)
            if not outdated or not left:
                break
            synchroniser = Synchroniser(self._backend, database)
            report = synchroniser.sync(videos={path.rpartition("/")[0] for path in outdated})
        return Page(tuple(runs), total, report.set_aside)

    def _verify(self, found: Sequence[queries.FoundRun]) -> tuple[list[IndexedRun], list[str]]:
        """Return the runs as their manifests are now, and the paths of those that had changed."""
        scanner = open_scanner(self._backend)
        looks = []
        runs = {}
        checksums = {}
        for row, components in found:
            stamp, checksum, *facts = cast("tuple[str, ...]", tuple(row)[1:])
            if checksum != sum_rows(facts, components):
                raise IndexFaultError(
                    "a row does not have its checksum", code="index_damaged", where=self.place
                )
            run = _build_run(facts, components)
            runs[run.path] = run
            checksums[run.path] = checksum
            present = scanner.find_manifest_stamp(run.path)
            if present is None or UNKNOWN in (present, stamp) or present != stamp:
                looks.append(Look(run.path, UNKNOWN))
        outdated = []
        for seen in itertools.chain.from_iterable(read_runs(self._backend, looks)):
            if seen.rows is None:
                del runs[seen.path]
                outdated.append(seen.path)
            elif seen.rows.checksum != checksums[seen.path]:
                runs[seen.path] = _build_run(seen.rows.run, seen.rows.components)
                outdated.append(seen.path)
        return list(runs.values()), outdated


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
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(store_url.encode()).hexdigest()[:32]}.sqlite"


def _build_run(facts: Sequence[object], components: Sequence[Sequence[object]]) -> IndexedRun:
    """Return a run from values in the order of `RUN_FACTS` and `COMPONENT_FACTS`."""
    *plain, planned = facts
    parts = (build_component(tuple(values)) for values in components)
    names = tuple(str(planned).split("\n")) if planned else ()
    return build_run((*plain, names, tuple(parts)))
