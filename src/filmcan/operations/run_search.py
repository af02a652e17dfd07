"""Find runs among many: filters, text, sorting, pages, and how many there are of each kind.

The store's index answers (docs/index.md). Which runs are on a page and how many match is kept
until something has changed; what a run says is held to its manifest each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from filmcan.operations.index_watch import IndexWatch
from filmcan.store.index.questions import (
    Counts,
    Outcome,
    Overview,
    Paging,
    RunFilter,
    RunSummary,
)
from filmcan.store.index.reader import IndexReader, open_reader

if TYPE_CHECKING:
    from filmcan.store.index.queries import Head
    from filmcan.store.store import Store

__all__ = [
    "MOST_ROWS",
    "Matching",
    "Outcome",
    "RunPage",
    "RunQuery",
    "RunSearch",
    "RunSummary",
    "SortName",
    "StatusName",
    "open_run_search",
]

SortName = Literal["created_at", "platform_id", "video_id", "run_id", "status", "duration_sec"]
StatusName = Literal["ok", "error", "unfinished"]
MOST_ROWS = 500
_KEPT_PAGES = 128
_KEPT_COUNTS = 64
_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class RunQuery:
    """What is looked for; a field that is None asks for nothing.

    Attributes:
        text: Words that must all stand in `platform/video/run`, letter case ignored.
        platform_id: The platform.
        video_id: The video.
        status: Of the run.
        component: Runs that have a record of this component.
        component_status: Of that component, or of any when none is named.
        reason: Empty reason of that component, or of any when none is named.
        sort: By what; ties by path.
        descending: Greatest first.
        offset: How many rows to pass over.
        limit: How many rows to return.
    """

    text: str | None = None
    platform_id: str | None = None
    video_id: str | None = None
    status: StatusName | None = None
    component: str | None = None
    component_status: Literal["ok", "empty", "error"] | None = None
    reason: str | None = None
    sort: SortName = "created_at"
    descending: bool = True
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class RunPage:
    """One page of an answer.

    Attributes:
        rows: The runs of this page.
        total: How many runs match.
        total_runs: How many runs the store has.
        unreadable: How many more have a damaged manifest; `filmcan fsck` names them.
        statuses: Status -> matching runs.
        reasons: (component, status, reason) -> matching runs, the most frequent first.
        platforms: Platform -> runs of the whole store.
        components: Every component that any run of the store has.
    """

    rows: tuple[RunSummary, ...]
    total: int
    total_runs: int
    unreadable: int
    statuses: dict[str, int]
    reasons: tuple[tuple[str, str, str, int], ...]
    platforms: dict[str, int]
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matching:
    """All runs that match.

    Attributes:
        total: How many they are.
        outcomes: How their components ended, and how often.
        paths: The first of them, in the order asked for.
    """

    total: int
    outcomes: tuple[Outcome, ...]
    paths: tuple[str, ...]


class _Memo(Generic[_K, _V]):
    """The answers to the last few questions. Who asks what is being found out waits for it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[_K, Future[_V]] = {}
        self._lock = threading.Lock()

    def get(self, question: _K, make: Callable[[], _V]) -> _V:
        """Return the answer that is kept, or make it."""
        with self._lock:
            answer = self._kept.get(question)
            is_mine = answer is None
            if answer is None:
                if len(self._kept) >= self._most:
                    del self._kept[next(iter(self._kept))]
                answer = self._kept[question] = Future()
        if is_mine:
            try:
                answer.set_result(make())
            except BaseException as error:  # noqa: BLE001 - it is raised for all who wait
                with self._lock:
                    self._kept.pop(question, None)
                answer.set_exception(error)
        return answer.result()


@dataclass(frozen=True, slots=True)
class _Answers:
    """What was found while the index stood as it stands."""

    version: str
    pages: _Memo[tuple[RunFilter, Paging], list[Head]] = field(
        default_factory=lambda: _Memo(_KEPT_PAGES)
    )
    counts: _Memo[RunFilter, Counts] = field(default_factory=lambda: _Memo(_KEPT_COUNTS))
    whole: _Memo[None, Counts] = field(default_factory=lambda: _Memo(1))
    overview: _Memo[None, Overview] = field(default_factory=lambda: _Memo(1))


class RunSearch:
    """Answers many callers at once about the runs of one store."""

    def __init__(self, reader: IndexReader, watch: IndexWatch) -> None:
        """Take both; see `open_run_search`."""
        self._reader = reader
        self._watch = watch
        self._answers: _Answers | None = None

    def find(self, query: RunQuery) -> RunPage:
        """Return a page of runs.

        Raises:
            StoreUnavailableError: The store refused.
        """
        answers = self._look()
        wanted = _build_filter(query)
        counts = self._count(answers, wanted)
        overview = answers.overview.get(None, self._reader.survey)
        paging = _build_paging(query, query.offset, query.limit)
        page = wanted, paging
        heads = answers.pages.get(page, lambda: self._reader.find_heads(*page))
        return RunPage(
            rows=tuple(self._reader.read_runs(heads)),
            total=counts.total,
            total_runs=overview.runs,
            unreadable=overview.damaged,
            statuses={status or "unfinished": count for status, count in counts.runs.items()},
            reasons=tuple(
                (item.component, item.status, item.reason or "", item.count)
                for item in sorted(counts.outcomes, key=_by_count)
                if item.status != "ok"
            ),
            platforms=dict(overview.platforms),
            components=overview.components,
        )

    def find_all(self, query: RunQuery, most: int = 0) -> Matching:
        """Return what all runs that match have in common, and the first of them.

        Args:
            query: What is looked for; its `offset` and `limit` say nothing here.
            most: How many runs to name.

        Raises:
            StoreUnavailableError: The store refused.
        """
        answers = self._look()
        wanted = _build_filter(query)
        counts = self._count(answers, wanted)
        paging = _build_paging(query, 0, most)
        paths = self._reader.find_paths(wanted, paging) if most else []
        return Matching(counts.total, counts.outcomes, tuple(paths))

    def close(self) -> None:
        """Let go of the index."""
        self._reader.close()

    def _count(self, answers: _Answers, wanted: RunFilter) -> Counts:
        whole = answers.whole.get(None, lambda: self._reader.count(RunFilter()))
        if wanted == RunFilter():
            return whole
        return answers.counts.get(wanted, lambda: self._reader.count(wanted, whole))

    def _look(self) -> _Answers:
        version = self._watch.look().version
        answers = self._answers
        if answers is None or answers.version != version:
            answers = self._answers = _Answers(version)
        return answers


def open_run_search(store: Store) -> RunSearch:
    """Return what finds the runs of a store; its index need not exist.

    Raises:
        BadProfileError: `FILMCAN_INDEX_URL` means nothing.
        MissingExtraError: The database that it names needs a driver which is not installed.
    """
    reader = open_reader(store.backend)
    return RunSearch(reader, IndexWatch(reader))


def _build_filter(query: RunQuery) -> RunFilter:
    return RunFilter(
        platform_id=query.platform_id,
        video_id=query.video_id,
        status=query.status,
        component=query.component,
        component_status=query.component_status,
        reason=query.reason,
        words=tuple(query.text.split()) if query.text is not None else (),
    )


def _build_paging(query: RunQuery, offset: int, limit: int) -> Paging:
    """Return a part of the runs; of unknown length counts as the shortest."""
    return Paging(query.sort, query.descending, limit, offset, unknown_last=query.descending)


def _by_count(item: Outcome) -> tuple[int, str, str, str]:
    return -item.count, item.component, item.status, item.reason or ""
