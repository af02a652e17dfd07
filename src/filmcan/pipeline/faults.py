"""What a failure calls for: another try, a smaller batch, or its record (C6.4).

A fault of the moment (a network share that hiccups, a table of open files that is full) is tried
again with a growing pause; what would fail in the same way every time never is.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from filmcan.errors import FilmcanError, StoreUnavailableError

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord

TRIES = 3
"""How often a component that fails for the moment is run in all."""

_FIRST_WAIT_SEC = 0.5
_LONGEST_WAIT_SEC = 30.0
_MAX_ERROR_CHARS = 2_000

_OF_THE_MOMENT = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EMFILE,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
_OUT_OF_MEMORY = re.compile(
    r"failed to allocate|bad[ _]alloc|out of memory|insufficient memory", re.IGNORECASE
)
"""How native libraries say it: onnxruntime, the C++ library, CUDA, OpenCV."""


def is_of_the_moment(error: BaseException) -> bool:
    """Tell whether the same work may well succeed when it is done again."""
    if isinstance(error, StoreUnavailableError):
        return error.code != "store_full"
    if isinstance(error, FilmcanError):
        return False
    return isinstance(error, OSError) and error.errno in _OF_THE_MOMENT


def is_memory_shortage(error: BaseException) -> bool:
    """Tell whether memory ran out, in Python or in a library below."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, FilmcanError) or not isinstance(error, Exception):
        return False
    return _OUT_OF_MEMORY.search(str(error)) is not None


def build_retrying(is_transient: Callable[[BaseException], bool]) -> Retrying:
    """Return how faults of the moment are tried again: `TRIES` in all, the pauses growing."""
    return Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(TRIES - 1),  # the first try came before
        wait=wait_random_exponential(multiplier=_FIRST_WAIT_SEC, max=_LONGEST_WAIT_SEC),
        reraise=True,
    )


def describe_error(error: BaseException | None) -> str:
    """Return what the manifest says of an error: its kind and message, never a path or a trace."""
    if isinstance(error, FilmcanError):
        text = f"{error.code}: {error}"
    else:
        text = f"{type(error).__name__}: {error}"
    return text[:_MAX_ERROR_CHARS]


def tell_reason(record: ComponentRecord) -> str:
    """Return why a result is empty, or the code of its error; empty when it is ok."""
    if record.status == "error":
        return str(record.error).partition(":")[0]
    return record.empty_reason or ""
