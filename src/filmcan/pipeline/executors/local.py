"""Tasks in worker processes of this machine, each of which can be killed.

A worker lives for many tasks, so models load once. It is replaced when it dies, when it makes no
progress for too long, when its memory exceeds the limit, and after a task that left threads behind.
Workers end with the process that started them, however that dies.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

from filmcan.components.catalog import COMPONENT_NAMES
from filmcan.errors import FilmcanError, InternalError
from filmcan.pipeline.executors.base import DeathKind, Died, Ended, Event, Work
from filmcan.processes import belong_to_parent, prefer_to_be_killed, read_rss_bytes

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

_LOOK_SEC = 0.25
"""How often the memory of workers is looked at."""

_REPORT_SEC = 0.5
"""Progress is reported no more often."""

_END_SEC = 5.0
_STARTS = 5
"""So many workers in a row that do not even start are no accident."""

_MIB = 1 << 20

_READY, _ALIVE, _DONE, _FAILED, _TAINTED = "ready", "alive", "done", "failed", "tainted"


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """When a worker is killed.

    Attributes:
        stall_sec: So long without progress.
        memory_bytes: More resident memory than this; None: never.
    """

    stall_sec: float
    memory_bytes: int | None


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    task: int | None = None
    last: int | None = None
    payload: object = None
    started: float = 0.0
    heard: float = 0.0
    is_ready: bool = False
    is_tainted: bool = False
    killed: tuple[DeathKind, str] | None = field(default=None)


class LocalExecutor:
    """Runs tasks in processes; see `Executor`."""

    def __init__(self, work: Work, workers: int, limits: WorkerLimits) -> None:
        """Start nothing yet: a worker starts with the first task it is needed for."""
        self._work = work
        self._limits = limits
        self._size = workers
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._context = multiprocessing.get_context("spawn")

    @property
    def free_slots(self) -> int:
        """How many more tasks may be submitted now."""
        return self._size - sum(worker.task is not None for worker in self._workers)

    @property
    def pids(self) -> list[int]:
        """The processes that are there now."""
        return [worker.process.pid for worker in self._workers if worker.process.pid is not None]

    def submit(self, task: int, payload: object, *, after: int | None = None) -> None:
        """Begin a task; there must be a free slot. See `Executor.submit`."""
        idle = [item for item in self._workers if item.task is None]
        worker = min(idle, key=lambda item: item.last != after) if idle else self._start()
        worker.task, worker.payload = task, payload
        worker.started = worker.heard = time.monotonic()
        # A worker that died while it was idle is found dead by `wait`.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            worker.pipe.send(payload)

    def wait(self, timeout_sec: float) -> list[Event]:
        """Return what has ended, waiting for at most so long."""
        deadline = time.monotonic() + timeout_sec
        while True:
            events = self._take(max(0.0, min(_LOOK_SEC, deadline - time.monotonic())))
            self._kill_offenders()
            if events or time.monotonic() >= deadline:
                return events

    def close(self) -> None:
        """End all workers, also those that are busy."""
        for worker in self._workers:
            if worker.task is None:
                worker.pipe.close()  # an idle worker leaves when its pipe ends
            else:
                worker.process.kill()
        deadline = time.monotonic() + _END_SEC
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.process.close()
        self._workers.clear()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve, args=(theirs, self._work), name="filmcan worker", daemon=True
        )
        process.start()
        theirs.close()
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _take(self, timeout_sec: float) -> list[Event]:
        pipes: dict[object, _Worker] = {worker.pipe: worker for worker in self._workers}
        if not pipes:
            time.sleep(timeout_sec)
            return []
        events: list[Event] = []
        for pipe in connection.wait(list(pipes), timeout_sec):  # type: ignore[arg-type]
            event = self._hear(pipes[pipe])
            if event is not None:
                events.append(event)
        return events

    def _hear(self, worker: _Worker) -> Event | None:
        try:
            word, content = worker.pipe.recv()
        except (EOFError, OSError):
            return self._bury(worker)
        worker.heard = time.monotonic()
        if word == _READY:
            worker.is_ready = True
            self._failed_starts = 0
        elif word == _TAINTED:
            worker.is_tainted = True
        if word not in (_DONE, _FAILED) or worker.task is None:
            return None
        task, worker.task, worker.payload = worker.task, None, None
        worker.last = task
        seconds = worker.heard - worker.started
        if worker.is_tainted:
            self._drop(worker)
        if word == _DONE:
            return Ended(task, content, None, seconds)
        return Ended(task, None, content, seconds)

    def _bury(self, worker: _Worker) -> Event | None:
        """Take a dead worker out and say what became of its task."""
        worker.process.join()
        code = worker.process.exitcode or 0
        kind, message = worker.killed or ("worker_crashed", _tell_exit(code))
        task, payload = worker.task, worker.payload
        self._drop(worker)
        if not worker.is_ready and worker.killed is None:
            self._start_again(task, payload, message)
            return None
        return None if task is None else Died(task, kind, message)

    def _start_again(self, task: int | None, payload: object, message: str) -> None:
        """Replace a worker that ended before it had seen its task, which is not to blame."""
        self._failed_starts += 1
        if self._failed_starts >= _STARTS:
            raise InternalError(
                f"workers cannot start: {message}",
                hint="Look above for their own message; a script that calls this needs "
                "`if __name__ == '__main__':`.",
            )
        if task is not None:
            self.submit(task, payload)

    def _drop(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.pipe.close()
        if worker.process.is_alive():
            worker.process.kill()
        worker.process.join()
        worker.process.close()

    def _kill_offenders(self) -> None:
        now = time.monotonic()
        for worker in self._workers:
            if worker.task is None or worker.killed is not None or worker.process.pid is None:
                continue
            quiet_sec = now - worker.heard
            if quiet_sec > self._limits.stall_sec:
                message = f"no progress for {self._limits.stall_sec:g} s; it was ended"
                worker.killed = ("worker_hung", message)
            elif (used := self._find_excess(worker.process.pid)) is not None:
                message = f"{used // _MIB} MiB of memory were in use; it was ended"
                worker.killed = ("worker_out_of_memory", message)
            if worker.killed is not None:
                worker.process.kill()

    def _find_excess(self, pid: int) -> int | None:
        limit = self._limits.memory_bytes
        used = read_rss_bytes(pid) if limit is not None else None
        return used if used is not None and limit is not None and used > limit else None


def _tell_exit(code: int) -> str:
    if code >= 0:
        return f"its process ended with code {code}"
    with contextlib.suppress(ValueError):
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"its process was ended by signal {-code}"


def _serve(pipe: Connection, work: Work) -> None:
    """Do tasks until the pipe ends: the body of a worker process."""
    belong_to_parent()
    prefer_to_be_killed()
    voice = _Voice(pipe)
    voice.say(_READY)
    while True:
        try:
            payload = pipe.recv()
        except (EOFError, OSError):
            os._exit(0)
        word, content = _do(work, payload, voice)
        if any(thread.name in COMPONENT_NAMES for thread in threading.enumerate()):
            voice.say(_TAINTED)
        voice.say(word, content)


def _do(work: Work, payload: object, voice: _Voice) -> tuple[str, object]:
    try:
        return _DONE, work(payload, voice.show_progress)
    except FilmcanError as error:
        return _FAILED, error
    except Exception as error:  # noqa: BLE001 - told to the batch, which records it
        return _FAILED, InternalError(f"{type(error).__name__}: {error}")


class _Voice:
    """A worker's side of the pipe, used by several threads."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()
        self._reported = 0.0

    def say(self, word: str, content: Any = None) -> None:  # noqa: ANN401 - any result
        with self._lock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._pipe.send((word, content))

    def show_progress(self) -> None:
        now = time.monotonic()
        if now - self._reported >= _REPORT_SEC:
            self._reported = now
            self.say(_ALIVE)
