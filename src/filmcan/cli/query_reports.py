"""How runs found, counts and the state of an index look: tables and sentences, or JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from filmcan.cli.screen import print_table, print_text

if TYPE_CHECKING:
    from filmcan.operations.indexing import IndexReport
    from filmcan.operations.querying import Counts, IndexedRun, Page, Paging

_STATUSES = ("ok", "empty", "error")
_COLUMNS = {
    "platform": "left",
    "video": "left",
    "run": "left",
    "status": "left",
    "created": "left",
    "seconds": "right",
    "ok": "right",
    "empty": "right",
    "error": "right",
}


def print_page(store: str, page: Page, paging: Paging) -> None:
    """Print a page of runs, and how many there are beyond it."""
    if page.runs:
        print_table(_COLUMNS, [_build_row(run) for run in page.runs])
    elif not page.total:
        print_text(f"No runs in {store} that were asked for.")
    if len(page.runs) < page.total:
        first = paging.offset + 1 if page.runs else paging.offset
        print_text(
            f"{first} to {paging.offset + len(page.runs)} of {page.total}; "
            "for others see --limit and --offset."
        )
    _print_set_aside(page.set_aside)


def build_page_json(store: str, page: Page, paging: Paging) -> dict[str, object]:
    """Return a page of runs as JSON."""
    return {
        "store": store,
        "total": page.total,
        "offset": paging.offset,
        "limit": paging.limit,
        "set_aside": page.set_aside,
        "runs": [_build_run_json(run) for run in page.runs],
    }


def print_counts(store: str, counts: Counts) -> None:
    """Print how runs ended, then how components did."""
    if not counts.total:
        print_text(f"No runs in {store} that were asked for.")
        return
    told = ", ".join(f"{count} {status or 'unfinished'}" for status, count in _sorted_runs(counts))
    print_table(
        {"component": "left", "status": "left", "reason": "left", "runs": "right"},
        [
            (item.component, item.status, item.reason or "", str(item.count))
            for item in counts.outcomes
        ],
    )
    print_text(f"{counts.total} runs: {told}")
    _print_set_aside(counts.set_aside)


def build_counts_json(store: str, counts: Counts, *, latest_only: bool) -> dict[str, object]:
    """Return counts as JSON."""
    return {
        "store": store,
        "latest_only": latest_only,
        "total": counts.total,
        "runs": {status or "unfinished": count for status, count in _sorted_runs(counts)},
        "components": [asdict(item) for item in counts.outcomes],
        "set_aside": counts.set_aside,
    }


def print_index(what: str, report: IndexReport) -> None:
    """Print what was done to an index."""
    size = "" if report.size_bytes is None else f", {report.size_bytes / 1e6:.1f} MB"
    sync = report.sync
    if sync is None:
        print_text(f"{'dropped' if what == 'drop' else 'not there'}: {report.place}{size}")
        return
    verb = "to read" if what == "status" else "read"
    done = "made anew: " if sync.is_rebuilt else ""
    print_text(f"{report.place}{size}")
    print_text(
        f"{done}{sync.runs} runs; {sync.checked} manifests looked at, {sync.read} {verb}, "
        f"{sync.removed} runs gone"
    )
    _print_set_aside(sync.set_aside)


def build_index_json(what: str, report: IndexReport) -> dict[str, object]:
    """Return what was done to an index as JSON."""
    sync = None if report.sync is None else asdict(report.sync)
    return {"did": what, "index": report.place, "size_bytes": report.size_bytes, "sync": sync}


def _sorted_runs(counts: Counts) -> list[tuple[str | None, int]]:
    return sorted(counts.runs.items(), key=lambda item: (item[0] is None, item[0] != "ok"))


def _build_row(run: IndexedRun) -> tuple[str, ...]:
    statuses = Counter(component.status for component in run.components)
    return (
        run.platform_id,
        run.video_id,
        run.run_id,
        run.status or "unfinished",
        run.created_at,
        "" if run.duration_sec is None else f"{run.duration_sec:.1f}",
        *(str(statuses[status]) for status in _STATUSES),
    )


def _build_run_json(run: IndexedRun) -> dict[str, object]:
    return {
        "platform_id": run.platform_id,
        "video_id": run.video_id,
        "run_id": run.run_id,
        "run_path": run.path,
        "created_at": run.created_at,
        "updated_at": run.updated_at,
        "finished_at": run.finished_at,
        "status": run.status,
        "config_hash": run.config_hash,
        "duration_sec": run.duration_sec,
        "components": dict(Counter(component.status for component in run.components)),
        "pending": run.pending_components,
        "size_bytes": sum(component.total_bytes for component in run.components),
    }


def _print_set_aside(count: int) -> None:
    if count:
        print_text(f"{count} manifests give no run; `filmcan fsck` says why.")
