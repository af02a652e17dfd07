"""Process many videos: what is done is passed over, what fails is recorded, nothing ends the batch.

The verb behind `filmcan batch` and `filmcan retry`. The driver opens no source: all that can crash,
hang or eat memory happens in workers. A video whose worker dies gets a second try, component by
component, so that the one that is to blame is found and the others still get their results.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from filmcan.errors import ComponentFailedError, FilmcanError, InternalError
from filmcan.operations.batch_job import BatchJob, Fetched, FetchJob
from filmcan.operations.batch_videos import BatchRules, Ready, Settled, Unseen, Video, VideoBook
from filmcan.pipeline.endings import record_endings
from filmcan.pipeline.events import log_event
from filmcan.pipeline.executors.base import Died, Ended, Event, Executor
from filmcan.processes import has_ended, name_process
from filmcan.store.leases import DEFAULT_TERM_SEC, Leases

if TYPE_CHECKING:
    from filmcan.operations.batch_sources import BatchItem
    from filmcan.operations.batch_videos import VideoResult
    from filmcan.pipeline.plan import Plan
    from filmcan.store.store import Store

_LOG = logging.getLogger(__name__)

_WAIT_SEC = 0.5
_GLANCE_SEC = 0.02
"""How long workers are listened to while a free one waits for a video to be looked up."""
_ELSEWHERE_SEC = 1.0
"""How long a video that another batch works on is left alone before it is looked at again."""

_FETCH_TRIES = 2

_AHEAD = 4
"""Videos that are looked at before there is a free worker for them."""


class BatchObserver(Protocol):
    """Is told how a batch goes on; called from the driver's own thread."""

    def on_video(self, result: VideoResult, done: int, total: int) -> None:
        """Take what came of a video."""
        ...


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What came of a batch.

    Attributes:
        results: One for each video, as they ended.
        seconds: How long it took.
    """

    results: tuple[VideoResult, ...]
    seconds: float

    @property
    def failed(self) -> tuple[VideoResult, ...]:
        """The videos whose source or a component of which failed, now or in an earlier batch."""
        return tuple(result for result in self.results if result.has_failed)


@dataclass(slots=True)
class _Work:
    """A video that workers are busy with.

    Attributes:
        ready: The video and its inputs.
        run_id: The run that takes the results.
        only: What is to be computed, None: all.
        alone: Components that are still to be tried one by one.
        trying: The component that is being tried alone.
        deaths: Component -> the error that its own try ended in.
        seconds: Of all tries together.
    """

    ready: Ready
    run_id: str
    only: tuple[str, ...] | None
    alone: deque[str] = field(default_factory=deque)
    trying: str | None = None
    deaths: dict[str, FilmcanError] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Fetch:
    """A video whose object a worker fetches.

    Attributes:
        video: The video.
        tries: How often it was tried, this time included.
    """

    video: Video
    tries: int = 1


_Look = Future[Ready | Settled | Unseen]


def run_batch(
    items: Sequence[BatchItem],
    plan: Plan,
    store: Store,
    executor: Executor,
    *,
    observer: BatchObserver,
    rules: BatchRules | None = None,
) -> BatchReport:
    """Process videos until each is done, or known to fail.

    Args:
        items: The videos.
        plan: What to do with each; `auto` is settled.
        store: Where runs go; workers open it by its URL.
        executor: Where the work is done.
        observer: Told each video's result.
        rules: What counts as done.

    Raises:
        StoreUnavailableError: The store refused.
        InternalError: Workers cannot be started.
    """
    started = time.monotonic()
    driver = _Driver(plan, store, executor, observer, rules or BatchRules())
    return BatchReport(tuple(driver.run(items)), time.monotonic() - started)


class _Driver:
    """Hands videos to workers and deals with how they end."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        executor: Executor,
        observer: BatchObserver,
        rules: BatchRules,
    ) -> None:
        self._plan = plan
        self._store = store
        self._executor = executor
        self._observer = observer
        self._book = VideoBook(plan, store, rules)
        self._leases = Leases(store.backend, name_process(), has_ended)
        self._renewed = time.monotonic()
        self._working: dict[int, _Work] = {}
        self._fetching: dict[int, _Fetch] = {}
        self._fetched: list[Video] = []
        self._waiting: list[tuple[float, Video]] = []
        self._numbers = iter(range(1 << 62))
        self._results: list[VideoResult] = []
        self._total = 0

    def run(self, items: Sequence[BatchItem]) -> list[VideoResult]:
        """Go through all videos."""
        self._total = len(items)
        videos = deque(Video(number, item) for number, item in enumerate(items))
        with self._closing() as scout:
            ahead: deque[_Look] = deque()
            while True:
                self._look_ahead(videos, ahead, scout)
                self._begin_what_is_ready(ahead)
                self._renew_leases()
                is_at_work = bool(self._working or self._fetching)
                if not videos and not ahead and not self._waiting and not is_at_work:
                    return self._results
                if is_at_work or (self._waiting and not ahead):
                    is_looking = bool(ahead) and self._executor.free_slots > 0
                    for event in self._executor.wait(_GLANCE_SEC if is_looking else _WAIT_SEC):
                        self._take(event)

    @contextmanager
    def _closing(self) -> Iterator[ThreadPoolExecutor]:
        scout = ThreadPoolExecutor(1)
        try:
            yield scout
        finally:
            scout.shutdown(wait=False, cancel_futures=True)
            self._executor.close()
            for work in self._working.values():
                self._leases.release(work.ready.path)

    def _look_ahead(
        self,
        videos: deque[Video],
        ahead: deque[_Look],
        scout: ThreadPoolExecutor,
    ) -> None:
        """Have the next videos identified and looked up while workers are busy."""
        while self._fetched:  # first of all: a worker has their bytes
            ahead.appendleft(scout.submit(self._book.look_up, self._fetched.pop()))
        now = time.monotonic()
        due = [video for moment, video in self._waiting if moment <= now]
        self._waiting = [(moment, video) for moment, video in self._waiting if moment > now]
        for video in due:
            ahead.append(scout.submit(self._book.look_up, video))
        while videos and len(ahead) < _AHEAD:
            ahead.append(scout.submit(self._book.look_up, videos.popleft()))

    def _begin_what_is_ready(self, ahead: deque[_Look]) -> None:
        while ahead:
            is_busy = bool(self._working or self._fetching or self._waiting)
            if is_busy and not ahead[0].done():
                return
            found = ahead[0].result()
            if isinstance(found, Settled):
                ahead.popleft()
                self._end(found.result)
            elif self._executor.free_slots > 0:
                ahead.popleft()
                if isinstance(found, Unseen):
                    self._fetch(_Fetch(found.video))
                else:
                    self._begin(found)
            else:
                return

    def _fetch(self, fetch: _Fetch) -> None:
        """Have a worker find out which video is behind a URL."""
        source = fetch.video.item.source
        if isinstance(source, Path):
            raise InternalError("a file is not fetched", where=source.name)
        number = next(self._numbers)
        self._fetching[number] = fetch
        self._executor.submit(number, FetchJob(source, self._plan.max_fetch_bytes))

    def _take_fetched(self, fetch: _Fetch, event: Event) -> None:
        if isinstance(event, Died):
            if fetch.tries < _FETCH_TRIES:
                self._fetch(replace(fetch, tries=fetch.tries + 1))
                return
            error: FilmcanError = ComponentFailedError(event.message, code=event.kind)
            self._end(self._book.fail_unseen(fetch.video, error, 0.0))
        elif isinstance(event.result, Fetched):
            self._fetched.append(self._book.take_fetched(fetch.video, event.result, event.task))
        else:
            self._end(self._book.fail_unseen(fetch.video, _get_error(event), event.seconds))

    def _begin(self, ready: Ready) -> None:
        """Take the lease of a video and start on it; leave it for later where it is taken."""
        is_ours = any(work.ready.path == ready.path for work in self._working.values())
        if is_ours or not self._leases.take(ready.path):
            self._waiting.append((time.monotonic() + _ELSEWHERE_SEC, ready.video))
            return
        # Another batch may have done it between our look and our lease.
        again = self._book.look_up(ready.video)
        if isinstance(again, Unseen):
            raise InternalError("a video whose digest was known has none", where=ready.path)
        if isinstance(again, Settled):
            self._leases.release(ready.path)
            self._end(again.result)
            return
        begun = self._book.begin(again)
        if isinstance(begun, Settled):
            self._leases.release(ready.path)
            self._end(begun.result)
            return
        self._submit(_Work(again, begun.run_id, begun.only))

    def _submit(self, work: _Work) -> None:
        number = next(self._numbers)
        self._working[number] = work
        only = work.only if work.trying is None else (work.trying,)
        order = self._book.build_order(work.ready, work.run_id)
        job = BatchJob(order, self._store.url, self._plan.profile, only or self._book.names)
        self._executor.submit(number, job, after=work.ready.video.after)

    def _take(self, event: Event) -> None:
        fetch = self._fetching.pop(event.task, None)
        if fetch is not None:
            self._take_fetched(fetch, event)
            return
        work = self._working.pop(event.task)
        if isinstance(event, Ended):
            work.seconds += event.seconds
            self._take_end(work, event)
        else:
            self._take_death(work, event)

    def _take_end(self, work: _Work, event: Ended) -> None:
        if event.error is None:
            self._go_on(work)
            return
        error = _get_error(event)
        if error.code == "store_full":
            raise error  # no other video could be written either
        self._finish(work, self._book.fail(work.ready, error, work.seconds))

    def _take_death(self, work: _Work, death: Died) -> None:
        error = ComponentFailedError(death.message, code=death.kind)
        recorded = self._book.find_recorded(work.ready, work.run_id)
        if work.trying is None:
            names = work.only or self._book.names
            work.alone = deque(name for name in names if name not in recorded)
        elif work.trying not in recorded:
            work.deaths[work.trying] = error
        self._go_on(work, error)

    def _go_on(self, work: _Work, last: FilmcanError | None = None) -> None:
        """Try the next component alone, or close the video."""
        if work.alone:
            work.trying = work.alone.popleft()
            self._submit(work)
            return
        run = self._book.find_run(work.ready, work.run_id)
        if run is None:
            error = next(iter(work.deaths.values()), last)
            error = error or InternalError("the worker left no run behind")
            self._finish(work, self._book.fail(work.ready, error, work.seconds))
            return
        if work.deaths or not run.manifest.is_finished:
            run = record_endings(self._store, run, self._plan, work.ready.keys, work.deaths)
        self._finish(work, self._book.close(work.ready, run, work.seconds))

    def _finish(self, work: _Work, result: VideoResult) -> None:
        self._leases.release(work.ready.path)
        self._end(result)

    def _end(self, result: VideoResult) -> None:
        self._results.append(result)
        _log(result)
        self._observer.on_video(result, len(self._results), self._total)

    def _renew_leases(self) -> None:
        now = time.monotonic()
        if now - self._renewed > DEFAULT_TERM_SEC / 4:
            self._renewed = now
            self._leases.renew()


def _get_error(event: Ended) -> FilmcanError:
    if isinstance(event.error, FilmcanError):
        return event.error
    return InternalError(f"{type(event.error).__name__}: {event.error}")


def _log(result: VideoResult) -> None:
    place = {
        "platform_id": result.platform_id,
        "video_id": result.video_id,
        "run_id": result.run_id,
    }
    for item in result.components if result.how == "done" else ():
        log_event(
            _LOG,
            "component_ended",
            **place,
            component=item.name,
            status=item.status,
            reason=item.reason or None,
            seconds=item.seconds,
        )
    code = None if result.error is None else result.error.partition(":")[0]
    log_event(_LOG, "video_ended", **place, how=result.how, status=result.status, code=code)
