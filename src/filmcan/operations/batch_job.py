"""What a worker of a batch does with one video, in whatever process it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.errors import InternalError
from filmcan.operations.process import Order, process_order
from filmcan.pipeline.executors.base import Report
from filmcan.pipeline.plan import plan_run
from filmcan.pipeline.profile import Profile
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


def run_batch_job(payload: object, report: Report) -> str:
    """Run one order and return the id of the run that holds what came of it.

    Raises:
        FilmcanError: As `process_order`.
    """
    if not isinstance(payload, BatchJob):
        raise InternalError(f"expected a BatchJob, got a {type(payload).__name__}")
    store = _open(payload.store_url)
    plan = plan_run(payload.profile, payload.only)
    return process_order(payload.order, plan, store, _Beat(report)).run.run_id


_STORES: dict[str, Store] = {}
"""Opened once per process."""


def _open(url: str) -> Store:
    if url not in _STORES:
        _STORES[url] = open_store(url)
    return _STORES[url]
