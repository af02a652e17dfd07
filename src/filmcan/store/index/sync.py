"""Make the database say what the manifests say."""

from __future__ import annotations

import contextlib
import itertools
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import delete, func, select, tuple_, update

from filmcan.store.index.compare import Comparison, Differences, Progress
from filmcan.store.index.database import IndexFaultError
from filmcan.store.index.known import NO_SLOT, Knowledge
from filmcan.store.index.outcomes import OutcomeKeys, forget_unused
from filmcan.store.index.queries import count_set_aside
from filmcan.store.index.reading import Seen, read_runs
from filmcan.store.index.rows import RUN_COLUMNS, Values
from filmcan.store.index.scan import UNKNOWN, open_scanner
from filmcan.store.index.state import (
    State,
    count_all_runs,
    find_state,
    read_boot_id,
    write_state,
)
from filmcan.store.index.tables import COMPONENTS, FACTS, FOLDERS, NO_MANIFEST, RUNS, SET_ASIDE
from filmcan.store.marks import find_slot

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from filmcan.store.base import Backend
    from filmcan.store.index.database import Database
    from filmcan.store.marks import Marks

_RUN_COLUMNS = ("id", "slot", "stamp", "checksum", "is_latest", *RUN_COLUMNS)
_COMPONENT_COLUMNS = ("run_key", "outcome", "model_signature")
_CHUNK = 200
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a synchronisation did.

    Attributes:
        checked: Manifests whose stamp was looked at.
        read: Manifests that were read.
        removed: Runs that were forgotten.
        runs: Runs there are now.
        set_aside: Manifests that give no run: damaged ones, and those of deleted videos.
        is_rebuilt: Whether the index was made anew.
    """

    checked: int
    read: int
    removed: int
    runs: int
    set_aside: int
    is_rebuilt: bool = False


def _say_nothing(_fraction: float, _note: str) -> None:
    pass


class Synchroniser:
    """Brings one database up to date with one store."""

    def __init__(self, backend: Backend, database: Database, *, workers: int = 1) -> None:
        """Take both; see `reading.read_runs` for `workers`."""
        self._backend = backend
        self._database = database
        self._workers = workers

    def sync(
        self,
        *,
        full: bool = False,
        videos: Iterable[str] = (),
        on_progress: Progress = _say_nothing,
    ) -> SyncReport:
        """Take over what changed since the last time.

        Args:
            full: Look at every stamp, whatever the change marks say.
            videos: Videos to look at in any case.
            on_progress: Told the share that is done and the present place.

        Raises:
            IndexFaultError: The database cannot be used.
            StoreUnavailableError: The store refused.
        """
        # Before anything is looked at: what changes meanwhile is found to differ next time.
        scanner = open_scanner(self._backend)
        marks = scanner.read_marks()
        with self._database.read() as connection:
            state = find_state(connection, self._backend.url)
            is_sound = state is not None and state.runs == count_all_runs(connection)
            if state is not None and is_sound:
                slots = None if full else state.find_dirty_slots(marks)
                knowledge = Knowledge(connection)
                if slots is None:
                    knowledge.load_all()
                else:
                    found = Comparison(scanner, knowledge).compare(slots, set(videos), on_progress)
                set_aside = sum(count_set_aside(connection).values())
        if state is None or not is_sound:
            return self.rebuild(on_progress=on_progress)
        if slots is None:
            # This may take minutes, for which nobody is kept from the database.
            found = Comparison(scanner, knowledge).compare(None, set(videos), on_progress)
        if not found:
            self._remember(state, marks, is_swept=slots is None, is_asked=full)
            return SyncReport(found.checked, 0, 0, state.runs, set_aside)
        with self._database.write() as connection:
            present = find_state(connection, self._backend.url)
            if present is None or present.sync_id != state.sync_id:
                # Somebody else was faster: compare with what is known now.
                if present is None or present.runs != count_all_runs(connection):
                    return self._rebuild(connection, on_progress)
                state, knowledge = present, Knowledge(connection)
                slots = None if slots is None else state.find_dirty_slots(marks)
                found = Comparison(open_scanner(self._backend), knowledge).compare(
                    slots, set(videos), on_progress
                )
            removed = self._apply(connection, found, knowledge.loaded.keys, on_progress)
            runs = count_all_runs(connection)
            write_state(connection, state.advance(marks, is_swept=slots is None, runs=runs))
            return self._report(connection, found, removed)

    def survey(self) -> SyncReport:
        """Return what a full synchronisation would find, without writing.

        Raises:
            IndexFaultError: The database cannot be read, or is not this store's.
            StoreUnavailableError: The store refused.
        """
        with self._database.read() as connection:
            if find_state(connection, self._backend.url) is None:
                raise IndexFaultError(
                    "the index was made by another version, or for another store",
                    code="index_damaged",
                    where=self._database.place,
                    hint="The next question makes it anew, as `filmcan index rebuild` does.",
                )
            knowledge = Knowledge(connection)
            scanner = open_scanner(self._backend)
            found = Comparison(scanner, knowledge).compare(None, set(), _say_nothing)
            removed = sum(path in knowledge.loaded.keys for path in (*found.gone, *found.bare))
            return self._report(connection, found, removed)

    def rebuild(self, *, on_progress: Progress = _say_nothing) -> SyncReport:
        """Make the index anew from all manifests.

        Raises:
            IndexFaultError: The database cannot be used.
            StoreUnavailableError: The store refused.
        """
        with self._database.write() as connection:
            report = self._rebuild(connection, on_progress)
        # The index stands without it.
        with contextlib.suppress(IndexFaultError):
            self._database.settle()
        return report

    def _rebuild(self, connection: Connection, on_progress: Progress) -> SyncReport:
        scanner = open_scanner(self._backend)
        marks = scanner.read_marks()
        self._database.create(connection)
        found = Comparison(scanner, Knowledge(connection)).compare(
            None, set(), lambda fraction, note: on_progress(fraction * 0.1, note)
        )
        self._apply(
            connection, found, None, lambda fraction, note: on_progress(0.1 + 0.9 * fraction, note)
        )
        self._database.finish_creation(connection)
        _mark_latest(connection, None)
        runs = count_all_runs(connection)
        begun = State("", self._backend.url, read_boot_id(), 0.0, None, 0)
        write_state(connection, begun.advance(marks, is_swept=True, runs=runs))
        return self._report(connection, found, 0, is_rebuilt=True)

    def _remember(
        self, state: State, marks: Marks | None, *, is_swept: bool, is_asked: bool
    ) -> None:
        """Note that nothing has changed, where that spares a look next time."""
        if not is_asked and (state.is_small or (marks == state.marks and not is_swept)):
            return
        # The answer stands without it.
        with contextlib.suppress(IndexFaultError), self._database.write() as connection:
            present = find_state(connection, self._backend.url)
            if present is not None and present.sync_id == state.sync_id:
                write_state(connection, state.advance(marks, is_swept=is_swept, runs=state.runs))

    def forget(self, video_path: str, *, is_whole: bool) -> None:
        """Remove all rows of a video that was deleted, whole or in part.

        What is left of it comes back with the next synchronisation.

        Raises:
            IndexFaultError: The database cannot be used.
        """
        with self._database.write() as connection:
            state = find_state(connection, self._backend.url)
            knowledge = Knowledge(connection)
            knowledge.load_videos([video_path])
            run_ids = knowledge.loaded.runs.get(video_path, {})
            paths = [f"{video_path}/{run_id}" for run_id in run_ids]
            _forget(connection, paths, knowledge.loaded.keys)
            forget_unused(connection)
            folder = FOLDERS.c.path == video_path
            if is_whole:
                connection.execute(delete(FOLDERS).where(folder))
            else:
                connection.execute(update(FOLDERS).where(folder).values(stamp=UNKNOWN))
            if state is not None:
                runs = count_all_runs(connection)
                write_state(connection, replace(state, sync_id=secrets.token_hex(8), runs=runs))

    def _report(
        self,
        connection: Connection,
        found: Differences,
        removed: int,
        *,
        is_rebuilt: bool = False,
    ) -> SyncReport:
        runs = count_all_runs(connection)
        set_aside = sum(count_set_aside(connection).values())
        return SyncReport(found.checked, len(found.looks), removed, runs, set_aside, is_rebuilt)

    def _apply(
        self,
        connection: Connection,
        found: Differences,
        known: dict[str, int] | None,
        on_progress: Progress,
    ) -> int:
        """Write differences into the tables; return how many runs went.

        Args:
            connection: To the database.
            found: The differences.
            known: Path of a run -> its key, of those there are rows of; None: the tables are empty.
            on_progress: Told the share that is done and the present run.
        """
        keys = known or {}
        self._write_folders(connection, found)
        _forget(connection, [*found.gone, *found.bare], keys)
        self._set_aside(connection, ((path, UNKNOWN, NO_MANIFEST) for path in found.bare))
        next_key = connection.execute(select(func.max(RUNS.c.id))).scalar_one() or 0
        counter = itertools.count(next_key + 1)
        outcomes = OutcomeKeys(connection)
        vanished = 0
        done = 0
        for chunk in read_runs(self._backend, found.looks, self._workers):
            if known is not None:
                _forget(connection, [seen.path for seen in chunk], keys)
            self._insert(connection, chunk, counter, outcomes)
            vanished += sum(seen.rows is None and seen.path in keys for seen in chunk)
            done += len(chunk)
            on_progress(done / len(found.looks), chunk[-1].path)
        if known is not None:
            forget_unused(connection)
            touched = [*found.gone, *found.bare, *(look.path for look in found.looks)]
            _mark_latest(connection, {path.rpartition("/")[0] for path in touched})
        return vanished + sum(path in keys for path in (*found.gone, *found.bare))

    def _insert(
        self,
        connection: Connection,
        chunk: Sequence[Seen],
        counter: Iterator[int],
        outcomes: OutcomeKeys,
    ) -> None:
        runs: list[Values] = []
        components: list[Values] = []
        facts: list[Values] = []
        for seen in chunk:
            if seen.rows is not None:
                key = next(counter)
                slot = find_slot(seen.path.rpartition("/")[0])
                runs.append((key, slot, seen.stamp, seen.rows.checksum, False, *seen.rows.run))
                components += [outcomes.build_row(key, item) for item in seen.rows.components]
                facts.append((key, seen.rows.facts))
        self._database.insert(connection, RUNS, _RUN_COLUMNS, runs)
        outcomes.write(connection, self._database)
        self._database.insert(connection, COMPONENTS, _COMPONENT_COLUMNS, components)
        self._database.insert(connection, FACTS, ("run_key", "facts"), facts)
        # A manifest that vanished between look and reading may come back in the same folder.
        aside = [seen for seen in chunk if seen.rows is None]
        self._set_aside(
            connection,
            (
                (seen.path, seen.stamp if seen.reason else UNKNOWN, seen.reason or NO_MANIFEST)
                for seen in aside
            ),
        )

    def _set_aside(self, connection: Connection, rows: Iterable[tuple[str, str, str]]) -> None:
        columns = ("path", "slot", "stamp", "reason")
        values = [
            (path, find_slot(path.rpartition("/")[0]), stamp, reason)
            for path, stamp, reason in rows
        ]
        self._database.insert(connection, SET_ASIDE, columns, values)

    def _write_folders(self, connection: Connection, found: Differences) -> None:
        changed = {**found.places, **found.videos}
        for paths in _chunks(list(changed)):
            connection.execute(delete(FOLDERS).where(FOLDERS.c.path.in_(paths)))
        rows = [
            (path, NO_SLOT if path in found.places else find_slot(path), stamp)
            for path, stamp in changed.items()
            if stamp is not None
        ]
        self._database.insert(connection, FOLDERS, ("path", "slot", "stamp"), rows)


def _forget(connection: Connection, paths: Sequence[str], keys: dict[str, int]) -> None:
    """Remove what the tables hold of some runs."""
    for some in _chunks(paths):
        known = [keys[path] for path in some if path in keys]
        if known:
            for table in (COMPONENTS, FACTS):
                connection.execute(delete(table).where(table.c.run_key.in_(known)))
            connection.execute(delete(RUNS).where(RUNS.c.id.in_(known)))
        connection.execute(delete(SET_ASIDE).where(SET_ASIDE.c.path.in_(some)))


def _mark_latest(connection: Connection, videos: Iterable[str] | None) -> None:
    """Mark the finished run with the greatest (created_at, run_id) of each video (C2.2)."""
    ids = (RUNS.c.platform_id, RUNS.c.video_id)
    place = (
        func.row_number()
        .over(partition_by=ids, order_by=(RUNS.c.created_at.desc(), RUNS.c.run_id.desc()))
        .label("place")
    )
    finished = select(RUNS.c.id, place).where(RUNS.c.finished_at.is_not(None))
    for some in [None] if videos is None else _chunks([tuple(item.split("/")) for item in videos]):
        of_videos = () if some is None else (tuple_(*ids).in_(some),)
        ranked = finished.where(*of_videos).subquery()
        first = select(ranked.c.id).where(ranked.c.place == 1)
        if some is not None:
            connection.execute(update(RUNS).where(*of_videos).values(is_latest=False))
        connection.execute(update(RUNS).where(RUNS.c.id.in_(first)).values(is_latest=True))


def _chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]
