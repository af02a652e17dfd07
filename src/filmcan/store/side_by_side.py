"""Much to read of one store: side by side where that is faster, and in order all the same.

Threads for a store on a server, which leaves them waiting; processes for a local one, where the
interpreter is what takes the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filmcan.errors import StoreUnavailableError
from filmcan.store.base import FORMAT_MARKER
from filmcan.store.local import LocalBackend

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_T = TypeVar("_T")
_R = TypeVar("_R")
_REQUESTS_AT_ONCE = 16
_WORTH_THREADS = 2


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
    worth_processes: int,
) -> Iterator[list[_R]]:
    """Yield what a function reads of the store for each item, a chunk at a time and in order.

    Args:
        backend: The store.
        read: A function of a module, or a partial of one, so that it can be sent to a process;
            so can the items and its results.
        items: What to call it for.
        chunk_size: How many items at a time.
        workers: Processes to read a local store with. More than one only from a program that may be
            imported anew, as the command line may.
        worth_processes: Fewer items are read faster than processes start.

    Raises:
        What `read` raises, for the first chunk in which it does.
        StoreUnavailableError: A process was killed.
    """
    chunks = [items[start : start + chunk_size] for start in range(0, len(items), chunk_size)]
    local = backend.find_local_path("")
    if workers < 2 or local is None or len(items) < worth_processes:  # noqa: PLR2004 - it says so
        for chunk in chunks:
            yield read_each(backend, partial(read, backend), chunk)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(partial(_read_locally, local, read), chunks)
        except BrokenProcessPool as error:
            raise StoreUnavailableError(
                "a process that was reading the store was killed",
                code="process_killed",
                where=local,
                hint="Too little memory is the usual reason; try again with --workers 1.",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _read_locally(root: str, read: Callable[[Backend, _T], _R], items: Sequence[_T]) -> list[_R]:
    backend = LocalBackend(Path(root))
    return [read(backend, item) for item in items]
