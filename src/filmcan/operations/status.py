"""Sum up a store: how the latest run of each video ended, and what is stale.

The verb behind `filmcan status`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from filmcan.pipeline.faults import tell_reason
from filmcan.pipeline.reuse import sort_latest_first
from filmcan.pipeline.staleness import Difference, find_stale
from filmcan.store.store import open_store

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord
    from filmcan.pipeline.plan import Plan
    from filmcan.store.run import Run


@dataclass(frozen=True, slots=True)
class ComponentCount:
    """How many videos ended alike in one component.

    Attributes:
        component: The component.
        status: `ok`, `empty`, `error`, or `pending` while its run is unfinished.
        reason: Why it is empty, or what kind of error it was; empty when it is ok.
        videos: How many.
        size_bytes: Of their artifacts together.
    """

    component: str
    status: str
    reason: str
    videos: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class StaleResult:
    """A result of a video's latest run that the present plan would make anew."""

    platform_id: str
    video_id: str
    run_id: str
    component: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What a store holds.

    Attributes:
        videos: How many videos.
        runs: Of them all together.
        unfinished: Videos whose latest run is unfinished.
        size_bytes: Of all artifacts of all runs.
        counts: By component, status and reason, over the latest run of each video.
        stale: Results to be made anew; filled only when asked for.
        missing: Component -> videos whose latest run does not have it though the plan does.
    """

    videos: int
    runs: int
    unfinished: int
    size_bytes: int
    counts: tuple[ComponentCount, ...]
    stale: tuple[StaleResult, ...] = ()
    missing: dict[str, int] = field(default_factory=dict)


def survey_store(store: str, plan: Plan | None = None) -> StoreStatus:
    """Read all manifests of a store and count.

    Args:
        store: Path or URL.
        plan: Profile, versions and models that results are held against; None: against nothing.

    Raises:
        StoreUnavailableError: There is no such store, or it refused.
    """
    videos: dict[tuple[str, str], list[Run]] = {}
    for run in open_store(store, must_exist=True).runs():
        videos.setdefault((run.platform_id, run.video_id), []).append(run)
    latest = [sort_latest_first(runs)[0] for runs in videos.values()]
    planned = [] if plan is None else [item.component.name for item in plan.components]
    return StoreStatus(
        videos=len(videos),
        runs=sum(map(len, videos.values())),
        unfinished=sum(not run.manifest.is_finished for run in latest),
        size_bytes=sum(_measure(run) for runs in videos.values() for run in runs),
        counts=_count(latest),
        stale=() if plan is None else _find_stale_results(latest, plan),
        missing=dict(
            Counter(name for run in latest for name in planned if name not in run.components)
        ),
    )


def _measure(run: Run) -> int:
    return sum(map(_measure_component, run.manifest.components))


def _measure_component(record: ComponentRecord) -> int:
    return sum(artifact.size_bytes for artifact in record.artifacts)


def _count(runs: list[Run]) -> tuple[ComponentCount, ...]:
    videos: Counter[tuple[str, str, str]] = Counter()
    sizes: Counter[tuple[str, str, str]] = Counter()
    for run in runs:
        for record in run.manifest.components:
            group = (record.name, str(record.status), tell_reason(record))
            videos[group] += 1
            sizes[group] += _measure_component(record)
        for name in run.manifest.pending_components:
            videos[name, "pending", ""] += 1
    return tuple(
        ComponentCount(*group, videos=count, size_bytes=sizes[group])
        for group, count in sorted(videos.items())
    )


def _find_stale_results(runs: list[Run], plan: Plan) -> tuple[StaleResult, ...]:
    return tuple(
        StaleResult(run.platform_id, run.video_id, run.run_id, component, differences)
        for run in runs
        for component, differences in find_stale(run.manifest, plan).items()
        if differences
    )
