"""Many small reads of one store: at the same time where each waits for a server, else in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from filmcan.store.base import FORMAT_MARKER

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
