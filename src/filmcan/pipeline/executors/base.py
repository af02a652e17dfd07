"""What a batch needs of whatever runs its tasks: a function, applied in processes that may die.

An executor knows nothing of videos. It tells how each task ended: by a result, by an error, or by
the death of its process, which is its own kind of ending and never the batch's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

Report = Callable[[], None]
"""What a task calls to show that it makes progress; from any thread."""

Work = Callable[[object, Report], object]
"""What is done with a task; a function of a module, found by its name in another process."""

DeathKind = Literal["worker_crashed", "worker_hung", "worker_out_of_memory"]


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that ended by itself.

    Attributes:
        task: Its number.
        result: What the function returned, None with an error.
        error: What it raised.
        seconds: How long it took.
    """

    task: int
    result: object
    error: Exception | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Died:
    """A task whose process ended or had to be ended.

    Attributes:
        task: Its number.
        kind: How; the code of the error that is recorded.
        message: What happened, in words.
    """

    task: int
    kind: DeathKind
    message: str


Event = Ended | Died


class Executor(Protocol):
    """Runs tasks. For use by one thread."""

    @property
    def free_slots(self) -> int:
        """How many more tasks may be submitted now."""
        ...

    def submit(self, task: int, payload: object, *, after: int | None = None) -> None:
        """Begin a task; there must be a free slot.

        Args:
            task: Its number.
            payload: What the function is given.
            after: A task whose process keeps something for this one; that process is preferred.
        """
        ...

    def wait(self, timeout_sec: float) -> list[Event]:
        """Return what has ended, waiting for at most so long.

        Raises:
            InternalError: Workers cannot be started at all.
        """
        ...

    def close(self) -> None:
        """End all workers, also those that are busy."""
        ...
