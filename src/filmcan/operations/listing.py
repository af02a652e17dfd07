"""List the runs of a store. The verb behind `filmcan list`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.store.store import open_store

if TYPE_CHECKING:
    from filmcan.store.run import Run


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of a listing. `components` counts statuses; `pending` are planned and not done."""

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


def list_runs(
    store: str, *, platform_id: str | None = None, video_id: str | None = None
) -> list[RunSummary]:
    """Return all readable runs, by platform, video and run id.

    Raises:
        InvalidIdError: An id is refused.
        StoreUnavailableError: There is no such store, or it refused.
    """
    opened = open_store(store, must_exist=True)
    return [_summarise(run) for run in opened.runs(platform_id, video_id)]


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
