"""Much to read of one store: side by side where that is faster, and in order all the same.

Threads for a store on a server, which leaves them waiting; processes for a local one, where the
interpreter is what takes the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filmcan.errors import StoreUnavailableError
from filmcan.processes import belong_to_parent
from filmcan.store.base import FORMAT_MARKER
from filmcan.store.local import LocalBackend

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_T = TypeVar("_T")
_R = TypeVar("_R")
_REQUESTS_AT_ONCE = 16
_WORTH_THREADS = 2
_WORTH_PROCESSES_SEC = 4.0
"""Less work than this is done sooner than processes start, which takes one of each core's time."""
_JUDGED_AFTER_SEC = 0.2
"""How long work is watched before it is known what the rest will take."""


def read_each(backend: Backend, read: Callable[[_T], _R], items: Sequence[_T]) -> list[_R]:
    """Call a function that reads the store for each item and return its results in order.

    Raises:
        What `read` raises, for the first item for which it does.
    """
    if backend.find_local_path(FORMAT_MARKER) is not None or len(items) < _WORTH_THREADS:
        return [read(item) for item in items]
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
        return list(pool.map(read, items))


def read_in_chunks(
    backend: Backend,
    read: Callable[[Backend, _T], _R],
    items: Sequence[_T],
    *,
    chunk_size: int,
    workers: int,
) -> Iterator[list[_R]]:
    """Yield what a function reads of the store for each item, a chunk at a time and in order.

    Processes are started only once the first chunks show that much is left.

    Args:
        backend: The store.
        read: A function of a module, or a partial of one, so that it can be sent to a process;
            so can the items and its results.
        items: What to call it for.
        chunk_size: How many items at a time.
        workers: Processes to read a local store with. More than one only from a program that may be
            imported anew, as the command line may.

    Raises:
        What `read` raises, for the first chunk in which it does.
        StoreUnavailableError: A process was killed.
    """
    chunks = [items[start : start + chunk_size] for start in range(0, len(items), chunk_size)]
    local = backend.find_local_path("")
    watch = _Watch(len(chunks))
    while watch.left:
        if workers > 1 and local is not None and watch.is_worth_processes:
            yield from _read_in_processes(local, read, chunks[-watch.left :], workers)
            return
        with watch:
            found = read_each(backend, partial(read, backend), chunks[-watch.left])
        yield found


class _Watch:
    """Foretells from what is done how long the rest takes."""

    def __init__(self, count: int) -> None:
        self.left = count
        self._done = 0
        self._spent_sec = 0.0
        self._started = 0.0

    @property
    def is_worth_processes(self) -> bool:
        is_known = self._done > 0 and self._spent_sec >= _JUDGED_AFTER_SEC
        return is_known and self._spent_sec / self._done * self.left >= _WORTH_PROCESSES_SEC

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_error: object) -> None:
        self._spent_sec += time.perf_counter() - self._started
        self._done += 1
        self.left -= 1


def _read_in_processes(
    root: str,
    read: Callable[[Backend, _T], _R],
    chunks: Sequence[Sequence[_T]],
    workers: int,
) -> Iterator[list[_R]]:
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=belong_to_parent
    ) as pool:
        try:
            yield from pool.map(partial(_read_locally, root, read), chunks)
        except BrokenProcessPool as error:
            raise StoreUnavailableError(
                "a process that was reading the store was killed",
                code="process_killed",
                where=root,
                hint="Too little memory is the usual reason; try again with --workers 1.",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _read_locally(root: str, read: Callable[[Backend, _T], _R], items: Sequence[_T]) -> list[_R]:
    backend = LocalBackend(Path(root))
    return [read(backend, item) for item in items]
