"""Record what a component or source cannot record itself, because its process ended (threats B7).

Called by whoever ran that process, which is the driver of a batch; nothing of a source is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from filmcan.contract.manifest import ComponentRecord
from filmcan.contract.times import format_time
from filmcan.pipeline.faults import describe_error
from filmcan.store.transaction import RunTransaction

if TYPE_CHECKING:
    from filmcan.errors import FilmcanError
    from filmcan.pipeline.keys import Keys
    from filmcan.pipeline.plan import Plan
    from filmcan.store.run import Run
    from filmcan.store.store import Store


def record_endings(
    store: Store, run: Run, plan: Plan, keys: Keys, errors: Mapping[str, FilmcanError]
) -> Run:
    """Record components of a run as failed, close the run if nothing is pending, and return it.

    Raises:
        NotFoundError: The run was deleted meanwhile.
        StoreUnavailableError: The store refused.
    """
    transaction = RunTransaction.join(store.backend, run.manifest.run, _now)
    for item in plan.components:
        name = item.component.name
        if name in errors:
            key = keys[name]
            transaction.record_error(
                ComponentRecord(
                    name=name,
                    kind=item.component.kind,
                    status="error",
                    producer_version=item.component.producer_version,
                    schema_version=item.component.schema_version,
                    started_at=_now(),
                    finished_at=_now(),
                    error=describe_error(errors[name]),
                    required=item.required,
                    reuse_key={"digest": key.digest, "parts": dict(key.parts)},
                )
            )
    transaction.finish(source={}, peak_rss_bytes=run.manifest.run.peak_rss_bytes)
    return store.run(run.platform_id, run.video_id, run.run_id)


def _now() -> str:
    return format_time(datetime.now(UTC))
