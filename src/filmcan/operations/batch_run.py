"""Set a batch up: sources, plan, store, engine; then run it. Both faces call this."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from filmcan.errors import MissingExtraError, StoreUnavailableError
from filmcan.models.cache import open_cache
from filmcan.operations.batch import BatchObserver, BatchReport, run_batch
from filmcan.operations.batch_job import run_batch_job
from filmcan.operations.batch_sources import find_items
from filmcan.operations.batch_videos import BatchRules, VideoResult
from filmcan.operations.metrics import MeteredObserver
from filmcan.operations.process import plan_settings
from filmcan.pipeline.executors.local import LocalExecutor, WorkerLimits
from filmcan.processes import read_memory_bytes
from filmcan.store.store import open_store

if TYPE_CHECKING:
    from filmcan.pipeline.executors.base import Executor
    from filmcan.pipeline.plan import Plan

_MEMORY_SHARE = 0.9
"""Of the machine's memory, for all workers of a batch together."""

_CORES_PER_WORKER = 2


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a batch is run.

    Attributes:
        store: Where runs go; a folder or URL that workers can open too.
        profile: A YAML file with the settings that differ.
        settings: `dotted.key=value` texts, or dotted key -> value.
        only: Names of the components to run.
        workers: Videos at a time; None: one for each two cores, or what a cluster has room for.
        limit: Only the first so many videos.
        engine: `local`: processes of this machine; `ray`: tasks of a Ray cluster.
        ray_address: Of the cluster; None: a cluster of this machine's own.
        metrics_file: Where Prometheus metrics are kept; None: nowhere.
    """

    store: str
    profile: str | Path | None = None
    settings: Iterable[str] | Mapping[str, object] | None = None
    only: Sequence[str] | None = None
    workers: int | None = None
    limit: int | None = None
    engine: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    metrics_file: Path | None = None


class _Silent:
    """Observes nothing."""

    def on_video(self, result: VideoResult, done: int, total: int) -> None:
        """Ignore."""


def process_batch(
    sources: Iterable[str],
    options: BatchOptions,
    rules: BatchRules | None = None,
    observer: BatchObserver | None = None,
) -> BatchReport:
    """Run a profile on many videos; what is done is passed over.

    Args:
        sources: Files, folders, globs, URLs and lists; see `find_items`.
        options: How.
        rules: What counts as done.
        observer: Told each video's result.

    Raises:
        BadProfileError: A setting or a list is wrong.
        NotFoundError: A name means nothing.
        StoreUnavailableError: The store refused, or cannot be shared with workers.
        InternalError: Workers cannot be started.
    """
    plan = plan_settings(options.profile, options.settings, options.only)
    items = find_items(sources)[: options.limit]
    store = open_store(options.store)
    if options.store.startswith("memory:"):
        raise StoreUnavailableError(
            "a store in memory cannot be shared with workers",
            code="not_shared",
            where=options.store,
            hint="Give a folder, or run the videos one by one.",
        )
    told = observer or _Silent()
    if options.metrics_file is not None:
        told = MeteredObserver(options.metrics_file, told)
        told.write()
    executor = _open_executor(plan, options, len(items))
    try:
        return run_batch(items, plan, store, executor, observer=told, rules=rules)
    finally:
        open_cache().sweep()  # copies of sources whose workers are gone


def _open_executor(plan: Plan, options: BatchOptions, videos: int) -> Executor:
    if options.engine == "ray":
        return _open_ray(plan, options)
    workers = options.workers or max(1, (os.cpu_count() or 1) // _CORES_PER_WORKER)
    workers = max(1, min(workers, videos))
    memory_bytes = plan.worker_memory_bytes
    if memory_bytes is None:
        available = read_memory_bytes()
        memory_bytes = None if available is None else int(available * _MEMORY_SHARE) // workers
    limits = WorkerLimits(plan.stall_timeout_sec, memory_bytes)
    return LocalExecutor(run_batch_job, workers, limits)


def _open_ray(plan: Plan, options: BatchOptions) -> Executor:
    if importlib.util.find_spec("ray") is None:
        raise MissingExtraError(
            "Ray is not installed", where="--engine ray", hint='Run: pip install "filmcan[ray]"'
        )
    from filmcan.pipeline.executors.ray_tasks import (  # noqa: PLC0415 - an extra, and heavy
        RayExecutor,
        measure_demand,
    )

    return RayExecutor(
        run_batch_job,
        measure_demand(plan),
        WorkerLimits(plan.stall_timeout_sec, plan.worker_memory_bytes),
        address=options.ray_address,
        workers=options.workers,
    )
