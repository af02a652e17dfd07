"""Tasks on a Ray cluster: the one file that knows Ray.

Each slot is an actor, placed by what the plan's components take, and lives for many tasks, so
models load once. The driver asks busy actors how they are; one that makes no progress, uses too
much memory or does not answer is killed, and another takes its place. All end with the driver.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError

from filmcan.components.catalog import COMPONENT_NAMES
from filmcan.errors import FilmcanError, InternalError
from filmcan.pipeline.executors.base import DeathKind, Died, Ended, Event, Work
from filmcan.pipeline.executors.local import WorkerLimits
from filmcan.processes import read_rss_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from filmcan.pipeline.plan import Plan

_LOOK_SEC = 2.0
"""How often busy actors are asked how they are."""

_MIB = 1 << 20
_PASSED_ON = ("FILMCAN_", "OPENBLAS_NUM_THREADS")
"""Variables of the driver's environment that workers get."""

_NO_ACCELERATOR = ("auto", "cpu")


@dataclass(frozen=True, slots=True)
class Demand:
    """What one worker takes of a cluster.

    Attributes:
        cpus: Cores.
        gpus: Accelerators, or a share of one.
        memory_bytes: Memory that is set aside for it.
    """

    cpus: float
    gpus: float
    memory_bytes: int


def measure_demand(plan: Plan) -> Demand:
    """Return what a worker takes that runs a plan: its components run side by side."""
    wanted = [item.component.resources for item in plan.components]
    uses_gpu = plan.execution.device not in _NO_ACCELERATOR
    return Demand(
        cpus=max(item.cpus for item in wanted),
        gpus=max(item.gpus for item in wanted) if uses_gpu else 0.0,
        memory_bytes=sum(item.memory_mib for item in wanted) * _MIB,
    )


@dataclass(slots=True)
class _Slot:
    """One worker; Ray's handles of actors and results have no types of their own."""

    actor: Any
    task: int | None = None
    last: int | None = None
    result: Any = None
    look: Any = None
    started: float = 0.0
    asked: float = 0.0
    is_up: bool = False


class _Worker:
    """The actor: does one task at a time, and says meanwhile how it is."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._heard = time.monotonic()

    def run(self, payload: object) -> tuple[object, FilmcanError | None, bool]:
        """Return the result or the error, and whether threads were left behind."""
        self._beat()
        try:
            ended: tuple[object, FilmcanError | None] = (self._work(payload, self._beat), None)
        except FilmcanError as error:
            ended = (None, error)
        except Exception as error:  # noqa: BLE001 - told to the batch, which records it
            ended = (None, InternalError(f"{type(error).__name__}: {error}"))
        return *ended, any(thread.name in COMPONENT_NAMES for thread in threading.enumerate())

    def look(self) -> tuple[float, int | None]:
        """Return for how long there was no progress, and the resident memory."""
        return time.monotonic() - self._heard, read_rss_bytes(os.getpid())

    def _beat(self) -> None:
        self._heard = time.monotonic()


class RayExecutor:
    """Runs tasks in actors of a cluster; see `Executor`."""

    def __init__(
        self,
        work: Work,
        demand: Demand,
        limits: WorkerLimits,
        *,
        address: str | None,
        workers: int | None,
        cpus: int | None = None,
    ) -> None:
        """Join a cluster, or start one on this machine.

        Args:
            work: What is done with a task.
            demand: What a worker takes.
            limits: When a worker is killed.
            address: Of the cluster; None: one on this machine, gone with this process.
            workers: How many; None: as many as there is room for now.
            cpus: Cores of a cluster on this machine; None: all.
        """
        ray.init(
            address=address or "local",  # never one that happens to run here
            num_cpus=cpus if address is None else None,
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env={"env_vars": _choose_variables()},
        )
        self._limits = limits
        self._demand = demand
        self._work = work
        self._size = workers or _count_room(demand)
        self._slots: list[_Slot] = []

    @property
    def free_slots(self) -> int:
        """How many more tasks may be submitted now."""
        return self._size - sum(slot.task is not None for slot in self._slots)

    def submit(self, task: int, payload: object, *, after: int | None = None) -> None:
        """Begin a task; there must be a free slot. See `Executor.submit`."""
        idle = [item for item in self._slots if item.task is None]
        slot = min(idle, key=lambda item: item.last != after, default=None)
        if slot is None:
            slot = _Slot(self._start())
            # The first answer says that it has been placed; until then it may wait for room.
            slot.look = slot.actor.look.remote()
            self._slots.append(slot)
        slot.task = task
        slot.result = slot.actor.run.remote(payload)
        slot.started = slot.asked = time.monotonic()

    def wait(self, timeout_sec: float) -> list[Event]:
        """Return what has ended, waiting for at most so long."""
        busy = {slot.result: slot for slot in self._slots if slot.task is not None}
        if not busy:
            time.sleep(timeout_sec)
            return []
        ready, _ = ray.wait(list(busy), num_returns=1, timeout=timeout_sec)
        events: list[Event] = [self._take(busy[result]) for result in ready]
        for slot in tuple(self._slots):
            death = self._look_after(slot) if slot.task is not None else None
            if death is not None:
                events.append(death)
        return events

    def close(self) -> None:
        """End all workers, and a cluster that was started here."""
        for slot in self._slots:
            ray.kill(slot.actor)
        self._slots.clear()
        ray.shutdown()

    def _start(self) -> Any:  # noqa: ANN401 - Ray's handle
        kind: Any = ray.remote(_Worker)
        return kind.options(
            num_cpus=self._demand.cpus,
            num_gpus=self._demand.gpus,
            memory=self._demand.memory_bytes,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=2,  # `look` answers while `run` works
        ).remote(self._work)

    def _take(self, slot: _Slot) -> Event:
        task = slot.task
        if task is None:
            raise InternalError("a worker without a task has ended one")
        try:
            result, error, is_tainted = ray.get(slot.result)
        except OutOfMemoryError:
            return self._drop(slot, "worker_out_of_memory", "the node ran out of memory")
        except RayActorError as died:
            first = str(died).strip().partition("\n")[0]
            return self._drop(slot, "worker_crashed", f"its worker on the cluster died: {first}")
        except RayError as failure:
            return self._drop(slot, "worker_crashed", f"{type(failure).__name__} on the cluster")
        slot.task, slot.last = None, task
        if is_tainted:
            ray.kill(slot.actor)
            self._slots.remove(slot)
        return Ended(task, result, error, time.monotonic() - slot.started)

    def _look_after(self, slot: _Slot) -> Died | None:
        """Ask a busy worker how it is, and end it when that is bad."""
        now = time.monotonic()
        if slot.look is None:
            if now - slot.asked >= _LOOK_SEC:
                slot.look, slot.asked = slot.actor.look.remote(), now
            return None
        ready, _ = ray.wait([slot.look], timeout=0)
        if not ready:
            if not slot.is_up or now - slot.asked <= self._limits.stall_sec:
                return None
            return self._kill(slot, "worker_hung", "it does not answer; it was ended")
        try:
            quiet_sec, used = ray.get(slot.look)
        except RayError:
            return None  # it has died: its task says so
        slot.look, slot.is_up = None, True
        limit = self._limits.memory_bytes
        if quiet_sec > self._limits.stall_sec:
            message = f"no progress for {self._limits.stall_sec:g} s; it was ended"
            return self._kill(slot, "worker_hung", message)
        if limit is not None and used is not None and used > limit:
            message = f"{used // _MIB} MiB of memory were in use; it was ended"
            return self._kill(slot, "worker_out_of_memory", message)
        return None

    def _kill(self, slot: _Slot, kind: DeathKind, message: str) -> Died:
        ray.kill(slot.actor)
        return self._drop(slot, kind, message)

    def _drop(self, slot: _Slot, kind: DeathKind, message: str) -> Died:
        task = slot.task
        if task is None:
            raise InternalError("a worker without a task has died of one")
        self._slots.remove(slot)
        return Died(task, kind, message)


def _choose_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}


def _count_room(demand: Demand) -> int:
    """Return how many workers the cluster has room for now, at least one."""
    found: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
    room = [
        int(found.get(name, 0.0) // wanted) for name, wanted in _list_demands(demand) if wanted > 0
    ]
    return max(1, min(room, default=1))


def _list_demands(demand: Demand) -> Iterable[tuple[str, float]]:
    return (("CPU", demand.cpus), ("GPU", demand.gpus), ("memory", float(demand.memory_bytes)))
