"""Find results that the present profile, versions and models would make anew.

The verb behind `filmcan status --stale`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.pipeline.reuse import sort_latest_first
from filmcan.pipeline.staleness import Difference, find_stale
from filmcan.store.store import open_store

if TYPE_CHECKING:
    from filmcan.pipeline.plan import Plan
    from filmcan.store.run import Run

__all__ = ["Difference", "StaleReport", "StaleResult", "find_stale_results"]


@dataclass(frozen=True, slots=True)
class StaleResult:
    """A result of a video's latest run that the present plan would make anew."""

    platform_id: str
    video_id: str
    run_id: str
    component: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class StaleReport:
    """What a store holds that the present plan would make anew.

    Attributes:
        videos: How many videos were looked at.
        results: By platform, video and component.
        missing: Component -> videos whose latest run does not have it though the plan does.
    """

    videos: int
    results: tuple[StaleResult, ...]
    missing: dict[str, int]


def find_stale_results(store: str, plan: Plan) -> StaleReport:
    """Hold the latest run of each video against a plan; sources count as unchanged.

    Args:
        store: Path or URL.
        plan: Profile, versions and models as they are now.

    Raises:
        StoreUnavailableError: There is no such store, or it refused.
    """
    videos: dict[tuple[str, str], list[Run]] = {}
    for run in open_store(store, must_exist=True).runs():
        videos.setdefault((run.platform_id, run.video_id), []).append(run)
    latest = [sort_latest_first(runs)[0] for runs in videos.values()]
    planned = [item.component.name for item in plan.components]
    results = tuple(
        StaleResult(run.platform_id, run.video_id, run.run_id, component, differences)
        for run in latest
        for component, differences in find_stale(run.manifest, plan).items()
        if differences
    )
    missing = Counter(name for run in latest for name in planned if name not in run.components)
    return StaleReport(len(latest), results, dict(missing))
