"""Progress of a fetch on stderr: bytes and rate on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

if TYPE_CHECKING:
    from rich.progress import TaskID

    from filmcan.operations.assets import FetchProgress


class FetchBar:
    """One bar for the file that is on its way, and a line for each that has arrived."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on stderr, or on the given console."""
        console = console or Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._moves = False

    def __enter__(self) -> Self:
        """Start drawing."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the bar."""
        self._progress.stop()

    def on_progress(self, step: FetchProgress) -> None:
        """Take a step of a fetch."""
        if step.step == "cached" or self._progress.disable:
            return
        if step.step == "receiving" and self._task is not None:
            if not self._moves:
                # What an earlier attempt left did not arrive just now: no rate comes of it.
                self._progress.reset(
                    self._task, total=step.size_bytes, completed=step.received_bytes
                )
                self._moves = True
            self._progress.update(self._task, completed=step.received_bytes)
            return
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None
        told = f"{step.asset}/{step.file}"
        if step.step == "fetching":
            self._task = self._progress.add_task(f"{told} from {step.source}", total=None)
            self._moves = False
        else:
            size = f"{step.received_bytes / 1e6:.1f} MB"
            self._progress.console.print(f"{told}: {size} from {step.source}", markup=False)

    def refresh(self) -> None:
        """Draw now."""
        self._progress.refresh()


def say(sentence: str) -> None:
    """Say something on stderr that stdout's reader must not get."""
    sys.stderr.write(f"{sentence}\n")
