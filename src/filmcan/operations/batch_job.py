"""What a worker of a batch does with one video, in whatever process it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.errors import InternalError
from filmcan.operations.process import Order, process_order
from filmcan.pipeline.executors.base import Report
from filmcan.pipeline.plan import plan_run
from filmcan.pipeline.profile import Profile
from filmcan.pipeline.remote_source import RemoteSource
from filmcan.pipeline.source_copy import SourceCopy
from filmcan.store.store import Store, open_store

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord


@dataclass(frozen=True, slots=True)
class BatchJob:
    """One order of a batch.

    Attributes:
        order: What to run on which video.
        store_url: Where the run goes.
        profile: Resolved; `auto` is settled, so that all workers of a batch do the same.
        only: The components to run; None: all that are enabled.
    """

    order: Order
    store_url: str
    profile: Profile
    only: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class FetchJob:
    """An object to be fetched, so that it is known which video it is.

    The worker keeps the copy for its next task, which is meant to be the order for that video.

    Attributes:
        source: The object.
        limit_bytes: Of a larger one nothing is fetched.
    """

    source: RemoteSource
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetched object is.

    Attributes:
        source: The object in the state in which it was fetched.
        sha256: The digest of its bytes.
    """

    source: RemoteSource
    sha256: str


@dataclass(frozen=True, slots=True)
class _Beat:
    """Passes every sign of progress on."""

    report: Report

    def on_progress(self, fraction: float) -> None:
        """Pass it on."""
        del fraction
        self.report()

    def on_component(self, record: ComponentRecord) -> None:
        """Pass it on."""
        del record
        self.report()


def run_batch_job(payload: object, report: Report) -> str | Fetched:
    """Do one task of a batch.

    Returns:
        For an order the id of the run that holds what came of it; for an object what it is.

    Raises:
        FilmcanError: As `process_order`.
    """
    if isinstance(payload, FetchJob):
        return _fetch(payload, report)
    if not isinstance(payload, BatchJob):
        raise InternalError(f"expected a BatchJob, got a {type(payload).__name__}")
    store = _open(payload.store_url)
    plan = plan_run(payload.profile, payload.only)
    with _take_copy(payload.order) as copy:
        return process_order(payload.order, plan, store, _Beat(report), copy).run.run_id


def _fetch(job: FetchJob, report: Report) -> Fetched:
    _drop_copies()
    copy = SourceCopy(job.source, limit_bytes=job.limit_bytes, on_bytes=lambda _: report())
    with contextlib.ExitStack() as failing:
        failing.enter_context(copy)
        copy.get_path()
        failing.pop_all()
    _COPIES[job.source] = copy
    return Fetched(copy.get_source(), copy.get_digest())


@contextlib.contextmanager
def _take_copy(order: Order) -> Iterator[SourceCopy | None]:
    """Give the copy of an order's source that the task before left; remove it afterwards."""
    copy = _COPIES.pop(order.source, None)
    _drop_copies()
    if copy is None:
        yield None
        return
    with copy:
        is_meant = order.sha256 in (None, copy.get_digest())
        yield copy if is_meant else None


def _drop_copies() -> None:
    while _COPIES:
        _COPIES.popitem()[1].close()


_COPIES: dict[Path | RemoteSource, SourceCopy] = {}
"""What this worker has fetched and not yet worked on: at most one, for its next task."""

_STORES: dict[str, Store] = {}
"""Opened once per process."""


def _open(url: str) -> Store:
    if url not in _STORES:
        _STORES[url] = open_store(url)
    return _STORES[url]
