"""Run a plan: one pass over the media feeds all components, one thread commits what they make.

The main flow is `run_plan`, top to bottom. Each component runs in a thread of its own; the
calling thread is the only one that touches the store (C3.5).
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from filmcan.components.base import Inputs, Result
from filmcan.contract.manifest import ComponentRecord
from filmcan.contract.meta import Identity, build_meta
from filmcan.contract.missing import (
    AUDIO_MISSING,
    DEPENDENCY_MISSING,
    VIDEO_MISSING,
    VIDEO_TOO_LONG,
    build_empty_arrays,
)
from filmcan.contract.registry import get_schema
from filmcan.contract.signature import sign_models
from filmcan.contract.times import format_time
from filmcan.errors import FilmcanError, InvalidContentError
from filmcan.media.decode import MediaPass
from filmcan.media.limits import exceeds_duration
from filmcan.pipeline.plan import Plan, PlannedComponent, build_reuse_key
from filmcan.pipeline.provenance import build_source_record, find_peak_rss_bytes, read_runtime_env
from filmcan.store.transaction import Product, RunTransaction

if TYPE_CHECKING:
    from filmcan.contract.manifest import Manifest, RunRecord
    from filmcan.media.decode import MediaSummary
    from filmcan.media.document import TextSources
    from filmcan.media.probe import Probe
    from filmcan.store.base import Backend

_MAX_ERROR_CHARS = 2_000

_LAST_WAIT_SEC = 3.0
"""How long an interrupted run waits for its components before it gives up on them."""


class Observer(Protocol):
    """Is told how a run goes on; called from any thread, must return quickly."""

    def on_progress(self, fraction: float) -> None:
        """Take the share of the source that has been read, 0 to 1."""
        ...

    def on_component(self, record: ComponentRecord) -> None:
        """Take the record of a component that was just committed."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One run to be done.

    Attributes:
        plan: What to do.
        source: The file to read.
        probe: What it is.
        text: The text that comes with it.
        text_digest: Digest of that text; None when there is none.
        run: The run's record as planned.
        joins: True to join the run when it exists.
    """

    plan: Plan
    source: Path
    probe: Probe
    text: TextSources
    text_digest: str | None
    run: RunRecord
    joins: bool


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How one component ended: with a result or with an error."""

    planned: PlannedComponent
    result: Result | None
    error: BaseException | None
    started_at: datetime
    finished_at: datetime


def run_plan(job: Job, backend: Backend, observer: Observer) -> Manifest:
    """Run a plan on one video and return the manifest as it stands at the end.

    The run is created only once something has decoded, so that a source that cannot be read
    leaves no run behind (C6.6). Interrupted at any moment, the run stays readable and holds
    what was committed.

    Raises:
        BadMediaError: Nothing of the source decodes; no run was created.
        ConflictError: The run exists with another configuration.
        StoreUnavailableError: The store refused.
    """
    if exceeds_duration(job.probe, job.plan.limits):
        return _record_too_long(job, backend, observer)
    runnable = [item for item in job.plan.components if item.missing_dependency is None]
    blocked = [item for item in job.plan.components if item.missing_dependency is not None]
    threads: list[threading.Thread] = []
    with _ended(threads), _open_media(job, runnable, observer) as media:
        outcomes = _start_components(job, runnable, media, threads)
        media.wait_until_decoded()
        transaction = _open_transaction(job, backend)
        committer = _Committer(job, transaction, observer)
        for item in blocked:
            committer.commit_blocked(item)
        for _ in runnable:
            committer.commit(outcomes.get())
        summary = media.finish()
    return _finish(job, transaction, summary)


def _record_too_long(job: Job, backend: Backend, observer: Observer) -> Manifest:
    transaction = _open_transaction(job, backend)
    committer = _Committer(job, transaction, observer)
    for item in job.plan.components:
        now = datetime.now(UTC)
        result = Result("empty", empty_reason=VIDEO_TOO_LONG)
        committer.commit(_Outcome(item, result, None, now, now))
    return _finish(job, transaction, None)


@contextmanager
def _open_media(
    job: Job, runnable: list[PlannedComponent], observer: Observer
) -> Iterator[MediaPass]:
    frames = {item.component.name: item.component.frame_request() for item in runnable}
    sounds = {item.component.name: item.component.sound_request() for item in runnable}
    media = MediaPass(
        job.source,
        job.probe,
        sampling=job.plan.sampling,
        limits=job.plan.limits,
        frame_requests={name: request for name, request in frames.items() if request},
        sound_requests={name: request for name, request in sounds.items() if request},
        decode_threads=job.plan.decode_threads,
        queue_size=job.plan.queue_size,
        on_progress=observer.on_progress,
    )
    media.start()
    try:
        yield media
    except BaseException:
        media.cancel()
        raise


@contextmanager
def _ended(threads: list[threading.Thread]) -> Iterator[None]:
    """Wait for the components' threads, on failure for a moment: they stop at their next frame."""
    try:
        yield
    finally:
        deadline = time.monotonic() + _LAST_WAIT_SEC
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))


def _start_components(
    job: Job,
    runnable: list[PlannedComponent],
    media: MediaPass,
    threads: list[threading.Thread],
) -> queue.SimpleQueue[_Outcome]:
    outcomes: queue.SimpleQueue[_Outcome] = queue.SimpleQueue()
    for item in runnable:
        thread = threading.Thread(
            target=_run_component,
            args=(item, job, media, outcomes),
            name=item.component.name,
            daemon=True,
        )
        threads.append(thread)
        thread.start()
    return outcomes


def _run_component(
    item: PlannedComponent, job: Job, media: MediaPass, outcomes: queue.SimpleQueue[_Outcome]
) -> None:
    started_at = datetime.now(UTC)
    result: Result | None = None
    failure: BaseException | None = None
    try:
        result = _measure(item, job, media)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is filed in the manifest
        failure = error
    finally:
        media.release(item.component.name)
        outcomes.put(_Outcome(item, result, failure, started_at, datetime.now(UTC)))


def _measure(item: PlannedComponent, job: Job, media: MediaPass) -> Result:
    """Give a component its media, or say which part is missing."""
    component = item.component
    frames = sound = None
    if component.frame_request() is not None:
        frames = media.frames(component.name)
        if frames is None or frames.is_empty():
            frames = None
            if component.needs_media:
                return Result("empty", empty_reason=VIDEO_MISSING)
    if component.sound_request() is not None:
        sound = media.sound(component.name)
        if sound is None or sound.is_empty():
            sound = None
            if component.needs_media:
                return Result("empty", empty_reason=AUDIO_MISSING)
    text = job.text if component.kind == "text" else None
    return component.run(Inputs(job.probe, frames, sound, text, job.plan.seed, job.plan.execution))


def _open_transaction(job: Job, backend: Backend) -> RunTransaction:
    start = RunTransaction.create_or_join if job.joins else RunTransaction.create
    return start(backend, job.run, _now, job.plan.sub_artifact_bytes)


def _finish(job: Job, transaction: RunTransaction, summary: MediaSummary | None) -> Manifest:
    return transaction.finish(
        source=build_source_record(job.probe, summary), peak_rss_bytes=find_peak_rss_bytes()
    )


class _Committer:
    """Turns outcomes into artifacts and records; used by one thread."""

    def __init__(self, job: Job, transaction: RunTransaction, observer: Observer) -> None:
        self._job = job
        self._transaction = transaction
        self._observer = observer
        self._runtime_env = read_runtime_env()

    def commit_blocked(self, item: PlannedComponent) -> None:
        """Record a component whose dependency is missing: empty, or an error when required."""
        now = datetime.now(UTC)
        note = item.missing_dependency or ""
        if item.required:
            error = FilmcanError(note, code=DEPENDENCY_MISSING)
            self.commit(_Outcome(item, None, error, now, now))
        else:
            result = Result("empty", empty_reason=DEPENDENCY_MISSING, notes=(note,))
            self.commit(_Outcome(item, result, None, now, now))

    def commit(self, outcome: _Outcome) -> None:
        """Commit a result, or record the error; a result that breaks its schema is an error."""
        if outcome.result is None:
            record = self._record_error(outcome, outcome.error)
        else:
            try:
                record = self._transaction.commit(self._build_product(outcome, outcome.result))
            except InvalidContentError as error:
                record = self._record_error(outcome, error)
        self._observer.on_component(record)

    def _record_error(self, outcome: _Outcome, error: BaseException | None) -> ComponentRecord:
        record = replace(
            self._build_record(outcome),
            status="error",
            error=_describe(error),
            device_used=None,
        )
        return self._transaction.record_error(record)

    def _build_product(self, outcome: _Outcome, result: Result) -> Product:
        component = outcome.planned.component
        plan, run = self._job.plan, self._job.run
        arrays = result.arrays
        if result.status == "empty":
            schema = get_schema(component.schema_version, component.name)
            arrays = build_empty_arrays(schema, result.arrays)
        models = [asdict(row) for row in result.models_used]
        signature = sign_models(models)
        key = build_reuse_key(
            outcome.planned,
            plan,
            platform_id=run.platform_id,
            video_id=run.video_id,
            probe=self._job.probe,
            text_digest=self._job.text_digest,
            model_signature=signature,
        )
        record = replace(
            self._build_record(outcome),
            device_used=result.device_used,
            notes="\n".join((*result.notes, *_count_failed_samples(result))) or None,
            model_signature=signature,
            models_used=tuple(models),
            reuse_key={"digest": key.digest, "parts": dict(key.parts)},
        )
        meta = build_meta(
            Identity(run.platform_id, run.video_id, run.run_id, component.name),
            producer_version=component.producer_version,
            schema_version=component.schema_version,
            created_at=format_time(datetime.now(UTC)),
            config_hash=run.config_hash,
            sampling_policy_version=run.sampling_policy_version,
            dataprocessor_version=run.dataprocessor_version,
            status=result.status,
            empty_reason=result.empty_reason,
            models_used=models,
            optional={"seed": plan.seed, "runtime_env": self._runtime_env, **result.extra_meta},
        )
        return Product(record, arrays, meta)

    def _build_record(self, outcome: _Outcome) -> ComponentRecord:
        component = outcome.planned.component
        elapsed = outcome.finished_at - outcome.started_at
        return ComponentRecord(
            name=component.name,
            kind=component.kind,
            status="ok",
            producer_version=component.producer_version,
            schema_version=component.schema_version,
            started_at=format_time(outcome.started_at),
            finished_at=format_time(outcome.finished_at),
            duration_ms=round(elapsed.total_seconds() * 1000),
            required=outcome.planned.required,
        )


def _count_failed_samples(result: Result) -> tuple[str, ...]:
    present = result.arrays.get("frame_present")
    if present is None or present.all():
        return ()
    lost = int((~present).sum())
    return (f"{lost} of {present.size} sampled frames did not decode.",)


def _describe(error: BaseException | None) -> str:
    """Return what the manifest says of an error: its kind and message, never a path or a trace."""
    if isinstance(error, FilmcanError):
        text = f"{error.code}: {error}"
    else:
        text = f"{type(error).__name__}: {error}"
    return text[:_MAX_ERROR_CHARS]


def _now() -> str:
    return format_time(datetime.now(UTC))
