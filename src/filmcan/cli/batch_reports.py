"""How a batch looks: a bar with rate and time left, a line for each failure, a closing table."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from filmcan.cli.screen import print_table, print_text, show_line

if TYPE_CHECKING:
    from filmcan.operations.batch import BatchReport
    from filmcan.operations.batch_videos import VideoResult

_MEGABYTE = 1_000_000
_SECONDS_PER_HOUR = 3600


class BatchProgress:
    """Shows how far a batch is; without a terminal only the failures are told."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._progress = Progress(
            TextColumn("batch"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("batch", total=None, rate="")

    def __enter__(self) -> Self:
        """Begin."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self._progress.stop()

    def on_video(self, result: VideoResult, done: int, total: int) -> None:
        """Take what came of a video."""
        for line in tell_failures(result):
            self._progress.console.print(
                show_line(line), markup=False, highlight=False, soft_wrap=True
            )
        elapsed = self._progress.tasks[0].elapsed or 0.0
        rate = f"{done / elapsed * _SECONDS_PER_HOUR:.0f}/h" if elapsed else ""
        self._progress.update(self._task, completed=done, total=total, rate=rate)


def tell_failures(result: VideoResult) -> list[str]:
    """Return a line for the failure of a source, or for each component that failed."""
    name = result.source_name
    place = f"{result.platform_id}/{result.video_id}" if result.video_id else name
    if result.error is not None:
        return [f"failed: {place} ({name}): {result.error}"]
    failed = [item for item in result.components if item.status == "error"]
    return [f"failed: {place} ({name}) {item.name}: {item.error}" for item in failed]


def print_batch(report: BatchReport) -> None:
    """Print the closing table."""
    counts: Counter[tuple[str, str, str]] = Counter()
    seconds: Counter[tuple[str, str, str]] = Counter()
    sizes: Counter[tuple[str, str, str]] = Counter()
    for result in report.results:
        if result.error is not None:
            counts["(source)", "error", result.error.partition(":")[0]] += 1
        for item in result.components:
            group = (item.name, item.status, item.reason)
            counts[group] += 1
            seconds[group] += item.seconds or 0.0  # type: ignore[assignment] # a Counter of floats
            sizes[group] += item.size_bytes
    print_table(
        {
            "component": "left",
            "status": "left",
            "reason": "left",
            "videos": "right",
            "seconds": "right",
            "MB": "right",
        },
        [
            (
                *group,
                str(count),
                f"{seconds[group]:.1f}" if seconds[group] else "",
                f"{sizes[group] / _MEGABYTE:.1f}" if sizes[group] else "",
            )
            for group, count in sorted(counts.items())
        ],
    )
    hows = Counter(result.how for result in report.results)
    print_text("")
    print_text(
        f"{len(report.results)} videos in {report.seconds:.1f} s: {hows['done']} done, "
        f"{hows['earlier']} done earlier, {hows['failed']} without a run; "
        f"{len(report.failed)} with a failure."
    )


def build_batch_json(report: BatchReport, store: str) -> dict[str, object]:
    """Return what `filmcan batch --json` prints."""
    hows = Counter(result.how for result in report.results)
    return {
        "store": store,
        "seconds": round(report.seconds, 3),
        "videos": len(report.results),
        "done": hows["done"],
        "earlier": hows["earlier"],
        "without_run": hows["failed"],
        "failed": len(report.failed),
        "results": [asdict(result) for result in report.results],
    }
