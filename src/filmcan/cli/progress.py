"""Progress on stderr: a bar on a terminal, nothing anywhere else."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from filmcan.cli.screen import show_line

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord


class _Bar:
    """One bar that appears with its first step; silent when stderr is no terminal."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._progress.add_task(label, total=1.0, visible=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def _move(self, fraction: float, note: str) -> None:
        self._progress.update(
            self._task,
            completed=fraction,
            visible=True,
            description=show_line(f"{self._label} {note}"),
        )


class RunProgress(_Bar):
    """Shows how far a run has read its source and which component was done last."""

    def __init__(self, label: str) -> None:
        """Name the source."""
        super().__init__(label)
        self._note = ""
        self._fraction = 0.0

    def on_progress(self, fraction: float) -> None:
        """Take the share of the source that has been read."""
        self._fraction = fraction
        self._move(fraction, self._note)

    def on_component(self, record: ComponentRecord) -> None:
        """Take the record of a component that was just committed."""
        self._note = f"{record.name}: {record.status}"
        self._move(self._fraction, self._note)


class StoreProgress(_Bar):
    """Shows how far a command has gone through a store and where it is."""

    def on_step(self, fraction: float, place: str) -> None:
        """Take the share that is done and the present place."""
        self._move(fraction, place)


def tell(sentence: str) -> None:
    """Say something on stderr when somebody watches."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{show_line(sentence)}\n")
