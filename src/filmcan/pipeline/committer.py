"""Turn how components ended into artifacts and records, in the thread that commits (C3.5)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from filmcan.components.base import Needed, Result
from filmcan.contract.manifest import ComponentRecord
from filmcan.contract.meta import Identity, build_meta
from filmcan.contract.missing import DEPENDENCY_MISSING, build_empty_arrays
from filmcan.contract.registry import get_schema
from filmcan.contract.signature import ReuseKey, sign_models
from filmcan.contract.times import format_time
from filmcan.errors import ComponentFailedError, FilmcanError, InvalidContentError
from filmcan.pipeline.events import log_event
from filmcan.pipeline.faults import describe_error, tell_reason
from filmcan.pipeline.job import Attempt, Job, Observer, Outcome
from filmcan.pipeline.keys import build_key, choose_models
from filmcan.pipeline.provenance import build_counts, read_runtime_env
from filmcan.pipeline.reuse import build_carried_product
from filmcan.store.transaction import Product, RunTransaction

if TYPE_CHECKING:
    import numpy as np

    from filmcan.media.decode import MediaSummary
    from filmcan.pipeline.plan import PlannedComponent
    from filmcan.pipeline.reuse import Carried


_LOG = logging.getLogger(__name__)


class Committer:
    """Commits to one run.

    Attributes:
        records: Component -> its record, of all that have ended.
    """

    def __init__(self, job: Job, transaction: RunTransaction, observer: Observer) -> None:
        """Start with nothing ended."""
        self._job = job
        self._transaction = transaction
        self._observer = observer
        self._runtime_env = read_runtime_env()
        self._keys: dict[str, ReuseKey] = dict(job.keys)
        wanted = (need for item in job.plan.components for need in item.component.needs)
        self._is_needed = {need.component for need in wanted}
        self._measured: dict[str, Needed] = {}
        self.records: dict[str, ComponentRecord] = {}

    def carry(self, item: PlannedComponent, carried: Carried) -> None:
        """Bring in a result of an earlier run; one that lies in this run already stays as it is."""
        record = carried.record
        if carried.run.run_id != self._job.run.run_id:
            now = datetime.now(UTC)
            product = build_carried_product(
                carried,
                self._job.run,
                required=item.required,
                started_at=format_time(now),
                now=format_time(now),
            )
            record = self._transaction.commit(product)
        self._end(record, carried.arrays)

    def commit_missing(self, item: PlannedComponent) -> None:
        """Record a component whose dependency is missing: empty, or an error when required."""
        note = item.missing_dependency or ""
        if item.required:
            error = FilmcanError(note, code=DEPENDENCY_MISSING)
            self.commit(self._settle(item, None, error))
        else:
            result = Result("empty", empty_reason=DEPENDENCY_MISSING, notes=(note,))
            self.commit(self._settle(item, result, None))

    def commit_blocked(
        self, item: PlannedComponent, root: str, needed: ComponentRecord | None
    ) -> None:
        """Record a component that cannot run because another one did not end ok (C6.6)."""
        if needed is not None and needed.status == "error":
            error = ComponentFailedError(f"it needs {needed.name}, which failed", code="blocked")
            outcome = self._settle(item, None, error)
        else:
            name = root if needed is None else needed.name
            how = "is not part of this run" if needed is None else f"is {needed.empty_reason}"
            result = Result(
                "empty", empty_reason=DEPENDENCY_MISSING, notes=(f"It needs {name}, which {how}.",)
            )
            outcome = self._settle(item, result, None)
        self.commit(replace(outcome, blocked_by=root))

    def commit_empty(self, item: PlannedComponent, reason: str) -> None:
        """Record a component as empty without running it."""
        self.commit(self._settle(item, Result("empty", empty_reason=reason), None))

    def commit(self, outcome: Outcome, summary: MediaSummary | None = None) -> None:
        """Commit a result, or record the error; a result that breaks its schema is an error.

        Args:
            outcome: How it ended.
            summary: What is known of the media by now; kept in the same update.
        """
        name = outcome.attempt.name
        if outcome.result is None:
            self._end(self._record_error(outcome, outcome.error), {})
            return
        try:
            product = self._build_product(outcome, outcome.result)
            record = self._transaction.commit(product, source=build_counts(summary))
        except InvalidContentError as error:
            self._end(self._record_error(outcome, error), {})
        else:
            self._end(record, product.arrays if name in self._is_needed else {})

    def find_needed(self, item: PlannedComponent) -> dict[str, Needed]:
        """Return what others measured for a component, those that ended ok."""
        names = [need.component for need in item.component.needs]
        return {name: self._measured[name] for name in names if name in self._measured}

    def _end(self, record: ComponentRecord, arrays: Mapping[str, np.ndarray]) -> None:
        self.records[record.name] = record
        if record.name in self._is_needed and record.status == "ok":
            self._measured[record.name] = Needed(arrays, str(record.schema_version))
        log_event(
            _LOG,
            "component_ended",
            platform_id=self._job.run.platform_id,
            video_id=self._job.run.video_id,
            run_id=self._job.run.run_id,
            component=record.name,
            status=record.status,
            reason=tell_reason(record) or None,
            duration_ms=record.duration_ms,
            reused_from_run_id=record.reused_from_run_id,
        )
        self._observer.on_component(record)

    def _settle(
        self, item: PlannedComponent, result: Result | None, error: FilmcanError | None
    ) -> Outcome:
        now = datetime.now(UTC)
        return Outcome(Attempt(item, self._job.plan.execution), result, error, now, now)

    def _record_error(self, outcome: Outcome, error: BaseException | None) -> ComponentRecord:
        key = self._keys[outcome.attempt.name]
        record = replace(
            self._build_record(outcome),
            status="error",
            error=describe_error(error),
            notes="\n".join(outcome.attempt.notes) or None,
            reuse_key={"digest": key.digest, "parts": dict(key.parts)},
        )
        return self._transaction.record_error(record)

    def _build_product(self, outcome: Outcome, result: Result) -> Product:
        planned = outcome.attempt.planned
        component = planned.component
        plan, run = self._job.plan, self._job.run
        arrays = result.arrays
        if result.status == "empty":
            schema = get_schema(component.schema_version, component.name)
            arrays = build_empty_arrays(schema, result.arrays)
        models = tuple(asdict(row) for row in result.models_used)
        known_by = choose_models(planned, models)
        key = build_key(planned, plan, self._job.inputs, self._keys, known_by)
        self._keys[component.name] = key
        notes = (*outcome.attempt.notes, *result.notes, *_count_failed_samples(result))
        record = replace(
            self._build_record(outcome),
            device_used=result.device_used,
            notes="\n".join(notes) or None,
            model_signature=sign_models(models),
            models_used=models,
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

    def _build_record(self, outcome: Outcome) -> ComponentRecord:
        component = outcome.attempt.planned.component
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
            required=outcome.attempt.planned.required,
            blocked_by=outcome.blocked_by,
        )


def _count_failed_samples(result: Result) -> tuple[str, ...]:
    present = result.arrays.get("frame_present")
    if present is None or present.all():
        return ()
    lost = int((~present).sum())
    return (f"{lost} of {present.size} sampled frames did not decode.",)
