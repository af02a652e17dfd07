"""What a batch knows of each of its videos: whether it is done, what is left, what came of it.

Used by the driver of a batch. Reads digests and manifests, never media.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filmcan.contract.signature import hash_canonical
from filmcan.errors import BadMediaError, ConflictError, FilmcanError, NotFoundError
from filmcan.operations.process import Order, build_fresh_run_id, check_ids, identify_video
from filmcan.pipeline.endings import record_endings
from filmcan.pipeline.faults import describe_error, tell_reason
from filmcan.pipeline.keys import Keys, VideoInputs, plan_keys
from filmcan.pipeline.provenance import find_version
from filmcan.pipeline.remote_source import RemoteSource
from filmcan.pipeline.reuse import find_settled, find_unfinished, is_settled, sort_latest_first
from filmcan.pipeline.source_copy import (
    FETCH_CODES,
    SourceCopy,
    find_known_digest,
    look_at,
    remember,
)
from filmcan.store.failures import Failure, find_failure, record_failure

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord
    from filmcan.operations.batch_job import Fetched
    from filmcan.operations.batch_sources import BatchItem
    from filmcan.pipeline.plan import Plan
    from filmcan.store.run import Run
    from filmcan.store.store import Store

_LASTING = ("worker_crashed", "worker_hung", "worker_out_of_memory")
"""Codes of failures of a source that are remembered, besides those of unreadable media."""


@dataclass(frozen=True, slots=True)
class BatchRules:
    """What counts as done.

    Attributes:
        force: Nothing does: everything is computed anew.
        retry: Statuses of components that do not: `error`, or also `empty`. Empty: whatever is
            recorded for the present settings is done.
        components: Where only some components are tried again, their names.
        platform_id: Where videos are from that do not say it themselves.
    """

    force: bool = False
    retry: frozenset[str] = frozenset()
    components: frozenset[str] = frozenset()
    platform_id: str | None = None

    def wants_again(self, record: ComponentRecord) -> bool:
        """Tell whether a recorded result is to be computed again."""
        is_meant = not self.components or record.name in self.components
        return is_meant and record.status in self.retry


@dataclass(frozen=True, slots=True)
class Video:
    """One video of a batch.

    Attributes:
        number: Its place in the batch.
        item: What the batch was told of it.
        sha256: The digest of its object's bytes, where they were fetched in this batch.
        after: The task that fetched them, whose worker may have them still.
    """

    number: int
    item: BatchItem
    sha256: str | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class ComponentEnd:
    """How one component of a video ended.

    Attributes:
        name: The component.
        status: `ok`, `empty` or `error`.
        reason: Why it is empty, or the code of its error.
        error: What the error said.
        seconds: How long it ran; None when it was carried.
        size_bytes: Of its artifacts.
    """

    name: str
    status: str
    reason: str
    error: str | None
    seconds: float | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class VideoResult:
    """What came of a video.

    Attributes:
        source_name: Base name of its file.
        platform_id: Where it is from; None when the failure came before that was known.
        video_id: Which video; None likewise.
        run_id: The run that holds the results; None when there is none.
        how: `done` in this batch, `earlier` when it was done before, `failed`.
        status: Of the run; None without one.
        components: How each ended.
        error: Why there is no run.
        seconds: Spent by workers.
    """

    source_name: str
    platform_id: str | None
    video_id: str | None
    run_id: str | None
    how: Literal["done", "earlier", "failed"]
    status: str | None
    components: tuple[ComponentEnd, ...]
    error: str | None
    seconds: float

    @property
    def has_failed(self) -> bool:
        """True when there is no run, or a component of it ended in error."""
        return self.how == "failed" or any(item.status == "error" for item in self.components)


@dataclass(frozen=True, slots=True)
class Ready:
    """A video that is not done."""

    video: Video
    order: Order
    inputs: VideoInputs
    keys: Keys
    runs: tuple[Run, ...]

    @property
    def path(self) -> str:
        """Its place in the store."""
        return f"{self.inputs.platform_id}/{self.inputs.video_id}"


@dataclass(frozen=True, slots=True)
class Unseen:
    """A video behind a URL of which nothing can be known before its bytes were fetched."""

    video: Video


@dataclass(frozen=True, slots=True)
class Settled:
    """A video of which nothing is left to do."""

    result: VideoResult


@dataclass(frozen=True, slots=True)
class Begun:
    """How a video is begun: the run that takes the results, and what of the plan is left."""

    run_id: str
    only: tuple[str, ...] | None


class VideoBook:
    """Looks videos up and writes down how they end. `look_up` may run in another thread."""

    def __init__(self, plan: Plan, store: Store, rules: BatchRules) -> None:
        """Take what decides whether a video is done."""
        self._plan = plan
        self._store = store
        self._rules = rules
        self._planned = {item.component.name: item for item in plan.components}
        self._done: set[str] = set()
        self.names = tuple(self._planned)

    def look_up(self, video: Video) -> Ready | Settled | Unseen:
        """Return what is known of a video. No bytes of an object are fetched for it."""
        order = self._build_plain_order(video)
        try:
            check_ids(order)
            if isinstance(order.source, RemoteSource) and video.sha256 is None:
                source = look_at(order.source)
                video = replace(
                    video,
                    item=replace(video.item, source=source),
                    sha256=find_known_digest(source),
                )
                if video.sha256 is None:
                    return Unseen(video)
            with SourceCopy(order.source, limit_bytes=0, sha256=video.sha256) as copy:
                inputs = identify_video(order, copy)
        except FilmcanError as error:
            return Settled(self._tell_failure(order, None, describe_error(error)))
        keys = plan_keys(self._plan, inputs)
        ready = Ready(
            video,
            order,
            inputs,
            keys,
            tuple(self._store.runs(inputs.platform_id, inputs.video_id)),
        )
        if self._rules.force and ready.path not in self._done:
            return ready
        settled = find_settled(ready.runs, self._plan, keys)
        if settled is not None and not self._wants_again(ready, settled):
            return Settled(self._tell(order, settled, "earlier", 0.0))
        failure = self._find_failure(ready)
        if failure is not None:
            told = f"{failure.code}: {failure.message}"
            return Settled(self._tell_failure(order, inputs, told))
        return ready

    def take_fetched(self, video: Video, fetched: Fetched, task: int) -> Video:
        """Return a video of which now is known what it is, and remember that for later batches."""
        remember(fetched.source, fetched.sha256)
        source = video.item.source
        if isinstance(source, RemoteSource) and fetched.source.is_same_as(source):
            remember(source, fetched.sha256)  # a listing may state its time otherwise
        return replace(video, sha256=fetched.sha256, after=task)

    def fail_unseen(self, video: Video, error: FilmcanError, seconds: float) -> VideoResult:
        """Return the result of a video that could not be fetched; another batch tries again."""
        order = self._build_plain_order(video)
        return self._tell_failure(order, None, describe_error(error), seconds)

    def begin(self, ready: Ready) -> Begun | Settled:
        """Choose the run that takes a video's results, for the holder of its lease."""
        self._done.add(ready.path)
        if self._rules.force:
            return Begun(build_fresh_run_id(), None)
        broken_off = find_unfinished(ready.runs, self._plan, ready.inputs.sha256)
        if broken_off is None:
            return Begun(build_fresh_run_id(), None)
        left = tuple(
            name
            for name, item in self._planned.items()
            if not is_settled(broken_off, item, ready.keys[name].digest)
            or self._rules.wants_again(broken_off.components[name])
        )
        if not left:
            run = record_endings(self._store, broken_off, self._plan, ready.keys, {})
            return Settled(self.close(ready, run, 0.0))
        return Begun(broken_off.run_id, left)

    def build_order(self, ready: Ready, run_id: str) -> Order:
        """Return the order for a worker."""
        order = ready.order
        source, document = order.source, order.document
        return Order(
            # A worker may have another working folder.
            source=source.absolute() if isinstance(source, Path) else source,
            platform_id=ready.inputs.platform_id,
            video_id=ready.inputs.video_id,
            run_id=run_id,
            document=document.absolute() if isinstance(document, Path) else document,
            force=self._rules.force,
            anew=self._find_anew(ready),
            planned=self.names,
            sha256=ready.inputs.sha256 if isinstance(source, RemoteSource) else None,
        )

    def find_run(self, ready: Ready, run_id: str) -> Run | None:
        """Return a run of a video, None when no worker has created it."""
        try:
            return self._store.run(ready.inputs.platform_id, ready.inputs.video_id, run_id)
        except NotFoundError:
            return None

    def find_recorded(self, ready: Ready, run_id: str) -> frozenset[str]:
        """Return the components whose end a run has recorded for the present keys."""
        run = self.find_run(ready, run_id)
        if run is None:
            return frozenset()
        return frozenset(
            name
            for name, item in self._planned.items()
            if is_settled(run, item, ready.keys[name].digest)
        )

    def close(self, ready: Ready, run: Run, seconds: float) -> VideoResult:
        """Return the result of a video that has a run."""
        return self._tell(ready.order, run, "done", seconds)

    def fail(self, ready: Ready, error: FilmcanError, seconds: float) -> VideoResult:
        """Return the result of a video without a run, and remember what would fail again."""
        is_of_its_bytes = isinstance(error, BadMediaError) and error.code not in FETCH_CODES
        if is_of_its_bytes or error.code in _LASTING:
            failure = Failure(error.code, str(error))
            key = self._build_failure_key(ready)
            with contextlib.suppress(ConflictError):  # somebody remembers it already
                record_failure(self._store.backend, ready.path, key, failure)
        return self._tell_failure(ready.order, ready.inputs, describe_error(error), seconds)

    def _build_plain_order(self, video: Video) -> Order:
        return Order(
            source=video.item.source,
            platform_id=video.item.platform_id or self._rules.platform_id,
            video_id=video.item.video_id,
            document=video.item.document,
        )

    def _wants_again(self, ready: Ready, run: Run) -> bool:
        if ready.path in self._done:
            return False
        return any(
            self._rules.wants_again(record)
            for name, record in run.components.items()
            if name in self._planned
        )

    def _find_anew(self, ready: Ready) -> frozenset[str]:
        latest = next(iter(sort_latest_first(ready.runs)), None)
        if latest is None:
            return frozenset()
        return frozenset(
            name
            for name, record in latest.components.items()
            if name in self._planned and self._rules.wants_again(record)
        )

    def _find_failure(self, ready: Ready) -> Failure | None:
        if "error" in self._rules.retry and ready.path not in self._done:
            return None
        key = self._build_failure_key(ready)
        return find_failure(self._store.backend, ready.path, key)

    def _build_failure_key(self, ready: Ready) -> str:
        digests = {name: key.digest for name, key in ready.keys.items()}
        return hash_canonical({"filmcan_version": find_version(), "keys": digests})

    def _tell(
        self, order: Order, run: Run, how: Literal["done", "earlier"], seconds: float
    ) -> VideoResult:
        return VideoResult(
            source_name=order.source_name,
            platform_id=run.platform_id,
            video_id=run.video_id,
            run_id=run.run_id,
            how=how,
            status=run.status,
            components=tuple(
                _tell_component(record)
                for record in run.manifest.components
                if record.name in self._planned
            ),
            error=None,
            seconds=seconds,
        )

    def _tell_failure(
        self, order: Order, inputs: VideoInputs | None, error: str, seconds: float = 0.0
    ) -> VideoResult:
        return VideoResult(
            source_name=order.source_name,
            platform_id=order.platform_id if inputs is None else inputs.platform_id,
            video_id=order.video_id if inputs is None else inputs.video_id,
            run_id=None,
            how="failed",
            status=None,
            components=(),
            error=error,
            seconds=seconds,
        )


def _tell_component(record: ComponentRecord) -> ComponentEnd:
    is_carried = record.reused_from_run_id is not None or record.duration_ms is None
    return ComponentEnd(
        name=record.name,
        status=record.status,
        reason=tell_reason(record),
        error=record.error,
        seconds=None if is_carried or record.duration_ms is None else record.duration_ms / 1000,
        size_bytes=sum(artifact.size_bytes for artifact in record.artifacts),
    )
