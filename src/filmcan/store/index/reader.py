"""Answers for who asks often and from many threads, such as a server.

`StoreIndex` brings its database up to date before each answer. Here that is a step of its own,
`refresh`: who asks decides how often, and answers in between are as of the last one. Nothing is
shown unless its row has its checksum; on a local disk it is also held to its manifest as it lies
there now, which costs next to nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from filmcan.store.index import queries
from filmcan.store.index.index import StoreIndex, open_index
from filmcan.store.index.questions import (
    Counts,
    Outcome,
    Overview,
    Paging,
    RunFilter,
    RunSummary,
    Standing,
)
from filmcan.store.index.reading import DELETED
from filmcan.store.index.rows import parse_run
from filmcan.store.index.scan import UNKNOWN, open_scanner
from filmcan.store.index.state import find_state
from filmcan.store.index.verify import check_rows, look_again, summarise

if TYPE_CHECKING:
    from filmcan.store.base import Backend
    from filmcan.store.index.database import Database
    from filmcan.store.index.queries import Head
    from filmcan.store.index.reading import Seen

_MOST_KEPT = 5_000
"""Runs whose line is kept, about a kilobyte each, as long as its checksum is the same."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A run in one line, and what tells whether it still holds."""

    checksum: str
    stamp: str
    summary: RunSummary


class IndexReader:
    """Reads the index of one store as it stands."""

    def __init__(self, backend: Backend, index: StoreIndex) -> None:
        """Take both; see `open_reader`."""
        self._backend = backend
        self._index = index
        self._is_local = backend.find_local_path("") is not None
        self._keeping = threading.Lock()
        self._kept: dict[str, _Line] = {}
        self._news: set[str] = set()

    def refresh(self) -> Standing:
        """Bring the database up to date, and return how far it is.

        Raises:
            StoreUnavailableError: The store refused.
        """
        marks = open_scanner(self._backend).read_marks()  # before anything is looked at
        with self._keeping:
            news, self._news = self._news, set()
        self._index.refresh(news)
        version = self._index.answer(self._find_version)
        is_quiet = marks is not None and not any(mark % 2 for mark in marks[1:])
        return Standing(version, marks if is_quiet else None)

    def has_news(self, standing: Standing) -> bool:
        """Tell whether something may have changed since, by one small read.

        What a writer does on a local disk is known by its mark, other changes only if a page showed
        them. On object stores nothing tells.
        """
        if self._news or not self._is_local:
            return bool(self._news)
        return standing.marks is None or standing.marks != open_scanner(self._backend).read_marks()

    def find_heads(self, wanted: RunFilter, paging: Paging) -> list[Head]:
        """Return which runs are on a page; it is the same page as long as the version is.

        Raises:
            StoreUnavailableError: The store refused.
        """

        def work(database: Database) -> list[Head]:
            with database.read() as connection:
                return queries.find_heads(connection, wanted, paging)

        return self._index.answer(work)

    def read_runs(self, heads: Sequence[Head]) -> list[RunSummary]:
        """Return the runs of a page as they are; those that are gone are left out.

        What is seen to have changed is looked at by the next refreshment.

        Raises:
            StoreUnavailableError: The store refused.
        """
        lines = self._recall(heads)
        missing = [head for head in heads if head.path not in lines]
        if missing:
            lines |= self._index.answer(lambda database: _read_lines(database, missing))
        doubtful = [
            replace(head, stamp=lines[head.path].stamp if head.path in lines else UNKNOWN)
            for head in heads
            if self._is_local or head.path not in lines
        ]
        shown = {path: line.summary for path, line in lines.items()}
        news = set()
        for head, seen in self._look_again(doubtful):
            if head.is_of(seen.rows) and head.path in lines:
                lines[head.path] = replace(lines[head.path], stamp=seen.stamp)
                continue
            news.add(head.path.rpartition("/")[0])
            shown.pop(head.path, None)
            if seen.rows is not None:
                shown[head.path] = summarise(parse_run(seen.rows.facts))
        self._keep(lines, news)
        return [shown[head.path] for head in heads if head.path in shown]

    def find_paths(self, wanted: RunFilter, paging: Paging) -> list[str]:
        """Return the paths of a page of runs. Who opens one finds out whether it is still there.

        Raises:
            StoreUnavailableError: The store refused.
        """

        def work(database: Database) -> list[str]:
            with database.read() as connection:
                return queries.find_paths(connection, wanted, paging)

        return self._index.answer(work)

    def count(self, wanted: RunFilter, whole: Counts | None = None) -> Counts:
        """Return how the runs that a filter finds ended, and all their components.

        Args:
            wanted: Which runs.
            whole: The same of all runs, where that is known: then only those are counted that are
                fewer, the runs found or the others.

        Raises:
            StoreUnavailableError: The store refused.
        """

        def work(database: Database) -> Counts:
            with database.read() as connection:
                set_aside = sum(queries.count_set_aside(connection).values())
                runs = queries.count_by_status(connection, wanted)
                if whole is None or 2 * sum(runs.values()) < whole.total:
                    outcomes = queries.count_all_outcomes(connection, wanted)
                else:
                    others = queries.count_all_outcomes(connection, wanted, without=True)
                    outcomes = _subtract(whole.outcomes, others)
                return Counts(runs, tuple(outcomes), set_aside)

        return self._index.answer(work)

    def survey(self) -> Overview:
        """Return what the store holds, whatever is asked for.

        Raises:
            StoreUnavailableError: The store refused.
        """

        def work(database: Database) -> Overview:
            with database.read() as connection:
                set_aside = queries.count_set_aside(connection)
                platforms = queries.count_by_platform(connection)
                components = tuple(queries.list_components(connection))
            set_aside.pop(DELETED, None)
            return Overview(sum(platforms.values()), platforms, components, sum(set_aside.values()))

        return self._index.answer(work)

    def close(self) -> None:
        """Let go of the database."""
        self._index.close()

    def _recall(self, heads: Sequence[Head]) -> dict[str, _Line]:
        kept = ((head, self._kept.get(head.path)) for head in heads)
        return {head.path: line for head, line in kept if line and line.checksum == head.checksum}

    def _look_again(self, heads: Sequence[Head]) -> list[tuple[Head, Seen]]:
        by_path = {head.path: head for head in heads}
        return [(by_path[seen.path], seen) for seen in look_again(self._backend, heads)]

    def _keep(self, lines: Mapping[str, _Line], news: set[str]) -> None:
        with self._keeping:
            if len(self._kept) > _MOST_KEPT:
                self._kept.clear()
            self._kept.update(lines)
            self._news |= news

    def _find_version(self, database: Database) -> str:
        with database.read() as connection:
            state = find_state(connection, self._backend.url)
        return "" if state is None else state.sync_id


def _read_lines(database: Database, heads: Sequence[Head]) -> dict[str, _Line]:
    """Return by path the runs whose rows are still what they were when their heads were read."""
    with database.read() as connection:
        found = queries.find_whole(connection, [head.key for head in heads])
    checksums = {head.path: head.checksum for head in heads}
    lines = {}
    for item in found:
        head = item.head
        run = check_rows(item, database.place)
        if checksums.get(head.path) == head.checksum:
            lines[head.path] = _Line(head.checksum, head.stamp, summarise(run))
    return lines


def _subtract(whole: Iterable[Outcome], others: Iterable[Outcome]) -> list[Outcome]:
    counts = {replace(item, count=0): item.count for item in others}
    left = (
        replace(item, count=item.count - counts.get(replace(item, count=0), 0)) for item in whole
    )
    return [item for item in left if item.count > 0]


def open_reader(backend: Backend) -> IndexReader:
    """Return a reader of the store's index, which lies in the usual place and need not exist.

    Raises:
        BadProfileError: `FILMCAN_INDEX_URL` means nothing.
        MissingExtraError: PostgreSQL's driver is not installed.
    """
    return IndexReader(backend, open_index(backend))
