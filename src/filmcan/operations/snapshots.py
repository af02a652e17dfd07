"""Frames of strangers' videos as JPEG: decoded in a process that may crash or be ended (B7)."""

from __future__ import annotations

import multiprocessing
import threading
from collections import OrderedDict
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.errors import BadMediaError
from filmcan.media.snapshot import take_snapshot
from filmcan.pipeline.plan import plan_run
from filmcan.pipeline.profile import resolve_profile
from filmcan.processes import belong_to_parent

if TYPE_CHECKING:
    from filmcan.media.limits import Limits
    from filmcan.operations.sources import FoundSource

_KEPT_BYTES = 16 << 20
_TIMEOUT_SEC = 20.0
WIDTHS = (160, 320, 640, 1280)
"""Widths a picture is made in; few, so that neighbours share one."""


class SnapshotTaker:
    """Takes snapshots one after another in one worker process, and keeps the latest ones."""

    def __init__(self, timeout_sec: float = _TIMEOUT_SEC) -> None:
        """Start nothing yet."""
        self._timeout_sec = timeout_sec
        self._limits: Limits | None = None
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._kept_bytes = 0

    def take(self, source: FoundSource, at_sec: float, width: int) -> bytes:
        """Return the frame shown at a moment, to the millisecond, as JPEG.

        Raises:
            BadMediaError: It cannot be decoded, or not in time.
        """
        key = (source.sha256, round(at_sec * 1000), width)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            picture = self._run(source.path, at_sec, width)
            self._keep(key, picture)
            return picture

    def close(self) -> None:
        """End the worker."""
        with self._lock:
            self._end_worker()

    def _run(self, path: Path, at_sec: float, width: int) -> bytes:
        if self._limits is None:
            self._limits = plan_run(resolve_profile(None, None), None).limits
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=belong_to_parent)
        job = partial(take_snapshot, path, self._limits, at_sec, width)
        try:
            return self._pool.submit(job).result(self._timeout_sec)
        except (BrokenProcessPool, FutureTimeoutError) as error:
            self._end_worker()
            raise BadMediaError(
                "decoding this frame crashed or took too long",
                code="snapshot_failed",
                where=f"{at_sec:.3f} s",
            ) from error

    def _keep(self, key: tuple[str, int, int], picture: bytes) -> None:
        self._kept[key] = picture
        self._kept_bytes += len(picture)
        while self._kept_bytes > _KEPT_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= len(dropped)

    def _end_worker(self) -> None:
        if self._pool is None:
            return
        for process in list((self._pool._processes or {}).values()):  # noqa: SLF001 - no public way
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None
