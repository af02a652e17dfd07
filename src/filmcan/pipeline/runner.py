"""Run a plan: one pass over the media feeds all components, one thread commits what they make.

The main flow is `run_plan`, top to bottom. Each component runs in a thread of its own; the
calling thread is the only one that touches the store (C3.5). What an earlier run measured is
carried, not computed; components that need others' results run in a later pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from filmcan.contract.missing import VIDEO_TOO_LONG
from filmcan.contract.times import format_time
from filmcan.media.limits import exceeds_duration
from filmcan.pipeline.attempts import open_pass
from filmcan.pipeline.committer import Committer
from filmcan.pipeline.faults import build_retrying, is_memory_shortage, is_of_the_moment
from filmcan.pipeline.job import Attempt, Job, Observer, Outcome
from filmcan.pipeline.provenance import build_counts, find_peak_rss_bytes
from filmcan.pipeline.schedule import Schedule, find_blocker
from filmcan.store.transaction import RunTransaction

if TYPE_CHECKING:
    from filmcan.contract.manifest import Manifest
    from filmcan.media.decode import MediaSummary
    from filmcan.pipeline.plan import PlannedComponent
    from filmcan.store.base import Backend


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
    session = _Session(job, backend, observer)
    schedule = Schedule(job.plan.components)
    while wave := schedule.take_wave():
        session.run_wave(wave)
        for item in wave:
            schedule.end(item.component.name)
    return session.finish()


class _Session:
    """One run while it is written; the store is touched by whoever calls this."""

    def __init__(self, job: Job, backend: Backend, observer: Observer) -> None:
        self._job = job
        self._backend = backend
        self._observer = observer
        self._open: tuple[RunTransaction, Committer] | None = None
        self._is_too_long = job.probe is not None and exceeds_duration(job.probe, job.plan.limits)
        self._summary: MediaSummary | None = None

    def run_wave(self, wave: Sequence[PlannedComponent]) -> None:
        """Run the components that wait for nothing any more, and commit how they ended."""
        rest = [item for item in wave if item.component.name not in self._job.carried]
        if self._is_too_long or not rest:
            self._settle(wave)
            return
        # Nothing says that the source can be read at all until it was, now or in an earlier run.
        is_known = self._open is not None or bool(self._job.carried)
        attempts = self._plan_attempts(rest)
        if is_known and not attempts:
            self._settle(wave)
            return
        again: list[Outcome] = []
        with open_pass(self._job, attempts, self._observer, must_decode=not is_known) as running:
            running.wait_until_decoded()
            committer = self._settle(wave)
            for outcome in running.outcomes():
                if _find_second_try(outcome) is None:
                    committer.commit(outcome, running.summarise_ended())
                else:
                    again.append(outcome)
            self._summary = running.finish() or self._summary
        for outcome in again:
            committer.commit(self._try_again(outcome), self._summary)

    def finish(self) -> Manifest:
        """Close the run."""
        transaction, _ = self._begin()
        return transaction.finish(
            source=build_counts(self._summary), peak_rss_bytes=find_peak_rss_bytes()
        )

    def _plan_attempts(self, items: Sequence[PlannedComponent]) -> list[Attempt]:
        records = {} if self._open is None else self._open[1].records
        runnable = [
            item
            for item in items
            if item.missing_dependency is None and find_blocker(item, records) is None
        ]
        execution = self._job.plan.execution
        if self._open is None:
            return [Attempt(item, execution) for item in runnable]
        _, committer = self._open
        return [Attempt(item, execution, committer.find_needed(item)) for item in runnable]

    def _settle(self, wave: Sequence[PlannedComponent]) -> Committer:
        """Commit all that needs no running: what is carried, missing, blocked or too long."""
        _, committer = self._begin()
        for item in wave:
            carried = self._job.carried.get(item.component.name)
            blocker = find_blocker(item, committer.records)
            if carried is not None:
                committer.carry(item, carried)
            elif self._is_too_long:
                committer.commit_empty(item, VIDEO_TOO_LONG)
            elif item.missing_dependency is not None:
                committer.commit_missing(item)
            elif blocker is not None:
                committer.commit_blocked(item, *blocker)
        return committer

    def _begin(self) -> tuple[RunTransaction, Committer]:
        if self._open is None:
            start = RunTransaction.create_or_join if self._job.joins else RunTransaction.create
            sub_artifact_bytes = self._job.plan.sub_artifact_bytes
            transaction = start(self._backend, self._job.run, _now, sub_artifact_bytes)
            self._open = transaction, Committer(self._job, transaction, self._observer)
        return self._open

    def _try_again(self, first: Outcome) -> Outcome:
        """Run a component alone until it succeeds, fails for good, or has had its tries."""
        latest = first

        def run_once() -> Outcome:
            nonlocal latest
            attempt = _find_second_try(latest)
            if attempt is None:
                return latest
            with open_pass(self._job, [attempt], self._observer, must_decode=False) as running:
                (latest,) = running.outcomes()
                running.finish()
            if latest.error is not None and is_of_the_moment(latest.error):
                raise latest.error
            return latest

        while (error := latest.error) is not None and is_memory_shortage(error):
            if _find_second_try(latest) is None:
                return latest
            run_once()
        retrying = build_retrying(is_of_the_moment)
        try:
            return retrying(run_once)
        except Exception:  # noqa: BLE001 - it is the error of the last try, and filed as such
            return latest


def _find_second_try(outcome: Outcome) -> Attempt | None:
    """Return how a component that failed is to be run again; None: it ended, or failed for good."""
    attempt, error = outcome.attempt, outcome.error
    if error is None:
        return None
    size = attempt.execution.batch_size
    if is_memory_shortage(error) and size > 1:
        note = f"Memory ran out with batch_size {size}; {size // 2} was tried."
        execution = replace(attempt.execution, batch_size=size // 2)
        return replace(attempt, execution=execution, notes=(*attempt.notes, note))
    if is_of_the_moment(error):
        note = f"It was tried again after {type(error).__name__}."
        notes = attempt.notes if note in attempt.notes else (*attempt.notes, note)
        return replace(attempt, notes=notes)
    return None


def _now() -> str:
    return format_time(datetime.now(UTC))
