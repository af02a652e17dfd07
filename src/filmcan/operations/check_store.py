"""Judge a store and repair what can be proved. The verb behind `filmcan fsck`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from filmcan.contract.issues import Report
from filmcan.contract.times import format_time
from filmcan.store.inspect import inspect_store
from filmcan.store.repair import Repair, repair_store
from filmcan.store.store import open_store

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """What was looked at, what was found, and what was done about it.

    Attributes:
        report: Every finding as it stood before repairs.
        runs: Runs there are, after repairs.
        artifacts: Artifacts that are listed, after repairs.
        read_bytes: Bytes rehashed by the first look; 0 without data.
        quarantined: Files that lie in quarantine, after repairs.
        repairs: What was done; empty when no repair was asked for.
        remaining: Findings once the repairs were done; the same as `report` without them.
    """

    report: Report
    runs: int
    artifacts: int
    read_bytes: int
    quarantined: int
    repairs: tuple[Repair, ...]
    remaining: Report


def check_store(
    url: str,
    *,
    with_data: bool = False,
    repair: bool = False,
    workers: int = 1,
    on_progress: Progress | None = None,
) -> StoreCheck:
    """Judge a store; with `repair` quarantine or rebuild what can be proved, then judge again.

    Args:
        url: Path or URL of the store.
        with_data: Rehash every byte of every listed file.
        repair: Act on what is found. Nothing is ever deleted.
        workers: Processes to look with. More than one only from a program that may be imported
            anew, as the command line may.
        on_progress: Told the share of runs done and the present one.

    Raises:
        StoreUnavailableError: There is no such store, it refused, or `repair` is asked for and the
            root has no format marker.
    """
    backend = open_store(url, must_exist=True).backend
    tell = on_progress if on_progress is not None else _ignore
    look = partial(inspect_store, backend, with_data=with_data, workers=workers, on_progress=tell)
    found = look()
    repairs: list[Repair] = []
    after = found
    if repair:
        repairs = repair_store(backend, found.findings, _now)
        if any(item.is_done for item in repairs):
            after = look()
    return StoreCheck(
        Report(tuple(finding.issue for finding in found.findings)),
        after.runs,
        after.artifacts,
        found.read_bytes,
        after.quarantined,
        tuple(repairs),
        Report(tuple(finding.issue for finding in after.findings)),
    )


def _now() -> str:
    return format_time(datetime.now(UTC))


def _ignore(fraction: float, note: str) -> None:
    """Take progress when nobody watches."""
