"""Find runs among many: filters, text, sorting, pages, and how many there are of each kind.

`RunSearch` is the promise; `ScannedRuns` keeps it for any backend by reading manifests itself and
looking again in the background for what changed. It answers from memory, so it may be seconds
behind the store; a run that is opened is always read afresh.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

from filmcan.contract.manifest import MANIFEST_NAME
from filmcan.errors import InvalidContentError, NotFoundError, StoreUnavailableError
from filmcan.store.side_by_side import read_each

if TYPE_CHECKING:
    from filmcan.store.base import Listing
    from filmcan.store.run import Run
    from filmcan.store.store import Store

SortName = Literal["created_at", "platform_id", "video_id", "run_id", "status", "duration_sec"]
StatusName = Literal["ok", "error", "unfinished"]
MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of a list. `components` counts statuses; `pending` are planned and not done."""

    platform_id: str
    video_id: str
    run_id: str
    run_path: str
    created_at: str
    finished_at: str | None
    status: str | None
    duration_sec: float | None
    components: dict[str, int]
    pending: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundRun:
    """One run of an answer.

    Attributes:
        summary: The run in one line.
        components: Name, status and reason of each component, in planned order.
    """

    summary: RunSummary
    components: tuple[tuple[str, str, str | None], ...]

    @property
    def status(self) -> StatusName:
        """The run's status in words a filter uses."""
        found = self.summary.status
        return "ok" if found == "ok" else "error" if found == "error" else "unfinished"


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

    rows: tuple[FoundRun, ...]
    total: int
    total_runs: int
    unreadable: int
    statuses: dict[str, int]
    reasons: tuple[tuple[str, str, str, int], ...]
    platforms: dict[str, int]
    components: tuple[str, ...]


class RunSearch(Protocol):
    """Whatever can find runs: this module's scan, or an index."""

    def find(self, query: RunQuery) -> RunPage:
        """Return a page of runs.

        Raises:
            StoreUnavailableError: The store refused.
        """
        ...

    def find_all(self, query: RunQuery) -> list[FoundRun]:
        """Return all runs that match, sorted as asked; `offset` and `limit` say nothing here.

        Raises:
            StoreUnavailableError: The store refused.
        """
        ...


_Known = dict[str, tuple[object, FoundRun | None]]
"""Run path -> what tells its manifest from a later one, and the run; None: it is damaged."""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The store as it was when it was looked through.

    Attributes:
        known: What was read.
        runs: Every run, by path, with its path in lower case.
        platforms: Platform -> runs.
        components: Every component of any run.
    """

    known: _Known
    runs: tuple[tuple[str, FoundRun], ...]
    platforms: dict[str, int]
    components: tuple[str, ...]


class ScannedRuns:
    """Answers from manifests it has read."""

    def __init__(
        self, store: Store, *, max_age_sec: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read nothing yet.

        Args:
            store: The runs.
            max_age_sec: An answer older than this starts a new scan, in the background.
            clock: Gives seconds.
        """
        self._store = store
        self._max_age_sec = max_age_sec
        self._clock = clock
        self._scanning = threading.Lock()
        self._snapshot: _Snapshot | None = None
        self._answers: dict[RunQuery, tuple[list[FoundRun], RunPage]] = {}
        self._next_scan = 0.0

    def find(self, query: RunQuery) -> RunPage:
        """Return a page of runs.

        Raises:
            StoreUnavailableError: The store refused the first scan.
        """
        found, page = self._find(query)
        return replace(page, rows=tuple(found[query.offset : query.offset + query.limit]))

    def find_all(self, query: RunQuery) -> list[FoundRun]:
        """Return all runs that match, sorted as asked.

        Raises:
            StoreUnavailableError: The store refused the first scan.
        """
        return list(self._find(query)[0])

    def refresh(self) -> None:
        """Look again at every manifest that changed.

        Raises:
            StoreUnavailableError: The store refused.
        """
        with self._scanning:
            self._scan()

    def _find(self, query: RunQuery) -> tuple[list[FoundRun], RunPage]:
        answers = self._answers  # before the look: a new snapshot brings new ones
        snapshot = self._look()
        asked = replace(query, offset=0, limit=0)
        answer = answers.get(asked) if answers is self._answers else None
        if answer is None:
            answer = _answer(snapshot, asked)
            if len(answers) >= _KEPT_ANSWERS:
                answers.clear()
            answers[asked] = answer
        return answer

    def _look(self) -> _Snapshot:
        snapshot = self._snapshot
        if snapshot is None:
            with self._scanning:
                return self._snapshot or self._scan()
        if self._clock() >= self._next_scan and self._scanning.acquire(blocking=False):
            threading.Thread(target=self._scan_behind, name="run scan", daemon=True).start()
        return snapshot

    def _scan_behind(self) -> None:
        try:
            self._scan()
        except StoreUnavailableError:
            self._next_scan = self._clock() + self._max_age_sec
        finally:
            self._scanning.release()

    def _scan(self) -> _Snapshot:
        begun = self._clock()
        former: _Known = self._snapshot.known if self._snapshot is not None else {}
        found: _Known = {}
        for path, mark in _walk(self._store):
            known = former.get(path)
            if known is not None and mark is not None and known[0] == mark:
                found[path] = known
                continue
            try:
                found[path] = (mark, self._read(path))
            except NotFoundError:
                continue  # deleted
        snapshot = self._snapshot
        if snapshot is None or found != former:
            snapshot = _build_snapshot(found)
            self._snapshot, self._answers = snapshot, {}
        ended = self._clock()
        # A store that takes long to look through is looked through less often.
        self._next_scan = ended + max(self._max_age_sec, 10 * (ended - begun))
        return snapshot

    def _read(self, path: str) -> FoundRun | None:
        try:
            run = self._store.run(*path.split("/"))
        except InvalidContentError:
            return None
        records = run.manifest.components
        return FoundRun(
            _summarise(run),
            tuple((item.name, item.status, item.empty_reason) for item in records),
        )


_KEPT_ANSWERS = 64
_TICK_SEC = 2.0
"""Coarsest clock of a file system that we know: FAT."""


def _walk(store: Store) -> Iterable[tuple[str, object]]:
    """Yield every run's path and what changes when its manifest does; None where nothing tells."""
    paths = store.run_paths()
    listings = read_each(store.backend, store.backend.list_folder, paths)
    for path, listing in zip(paths, listings, strict=True):
        if MANIFEST_NAME in listing.files:
            yield path, _mark(listing)


def _mark(listing: Listing) -> object:
    """Return what another manifest would change; None where it might not, so that it is read."""
    modified = listing.modified.get(MANIFEST_NAME)
    if modified is None or time.time() - modified < _TICK_SEC:
        return None  # a second change within one tick of the disk's clock would look like this one
    return modified, listing.files[MANIFEST_NAME]


def _build_snapshot(known: _Known) -> _Snapshot:
    runs = [run for _, (_, run) in sorted(known.items()) if run is not None]
    return _Snapshot(
        known,
        tuple((run.summary.run_path.lower(), run) for run in runs),
        dict(sorted(Counter(run.summary.platform_id for run in runs).items())),
        tuple(sorted({name for run in runs for name, _, _ in run.components})),
    )


def _answer(snapshot: _Snapshot, query: RunQuery) -> tuple[list[FoundRun], RunPage]:
    words = query.text.lower().split() if query.text is not None else []
    found = [
        run
        for path, run in snapshot.runs
        if all(word in path for word in words) and _matches(run, query)
    ]
    found.sort(key=lambda run: _sort_key(run, query.sort), reverse=query.descending)
    reasons = Counter(
        (name, status, reason or "")
        for run in found
        for name, status, reason in run.components
        if status != "ok"
    )
    return found, RunPage(
        rows=(),
        total=len(found),
        total_runs=len(snapshot.runs),
        unreadable=len(snapshot.known) - len(snapshot.runs),
        statuses=dict(Counter(run.status for run in found)),
        reasons=tuple((*key, count) for key, count in sorted(reasons.items(), key=_by_count)),
        platforms=snapshot.platforms,
        components=snapshot.components,
    )


def _by_count(item: tuple[tuple[str, str, str], int]) -> tuple[int, tuple[str, str, str]]:
    return -item[1], item[0]


def _sort_key(run: FoundRun, sort: SortName) -> tuple[bool, str | float]:
    value = run.status if sort == "status" else getattr(run.summary, sort)
    return value is not None, "" if value is None and sort != "duration_sec" else value or 0


def _matches(run: FoundRun, query: RunQuery) -> bool:
    summary = run.summary
    wanted = (
        (query.platform_id, summary.platform_id),
        (query.video_id, summary.video_id),
        (query.status, run.status),
    )
    if any(asked is not None and asked != found for asked, found in wanted):
        return False
    if query.component is None and query.component_status is None and query.reason is None:
        return True
    return any(
        query.component in (None, name)
        and query.component_status in (None, status)
        and query.reason in (None, reason)
        for name, status, reason in run.components
    )


def _summarise(run: Run) -> RunSummary:
    record = run.manifest.run
    duration = record.source.get("duration_sec")
    return RunSummary(
        platform_id=record.platform_id,
        video_id=record.video_id,
        run_id=record.run_id,
        run_path=run.path,
        created_at=record.created_at,
        finished_at=record.finished_at,
        status=record.status,
        duration_sec=float(duration) if isinstance(duration, int | float) else None,
        components=dict(Counter(item.status for item in run.manifest.components)),
        pending=run.manifest.pending_components,
    )
