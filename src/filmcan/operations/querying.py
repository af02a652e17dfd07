"""Find runs and count how components ended. The verbs behind `list`, `search` and `status`.

The index only makes this fast: each answer is that of the manifests (threats P13).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from filmcan.contract.times import find_time_fault, format_time
from filmcan.errors import BadProfileError
from filmcan.store.index.index import StoreIndex, open_index
from filmcan.store.index.questions import (
    Counts,
    IndexedComponent,
    IndexedRun,
    Outcome,
    Page,
    Paging,
    RunFilter,
)
from filmcan.store.store import open_store

__all__ = [
    "Counts",
    "IndexedComponent",
    "IndexedRun",
    "Outcome",
    "Page",
    "Paging",
    "RunFilter",
    "count_outcomes",
    "find_runs",
    "parse_moment",
    "parse_moment_after",
    "using_index",
]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY_FORM = "%Y-%m-%d"

Progress = Callable[[float, str], None]


def find_runs(
    store: str,
    wanted: RunFilter | None = None,
    paging: Paging | None = None,
    *,
    index: str | None = None,
    on_progress: Progress | None = None,
) -> Page:
    """Return a page of the runs of a store that a filter finds.

    Args:
        store: Path or URL.
        wanted: Which runs; None: all.
        paging: Order and part; None: all of them, by path.
        index: URL or path of the index's database; None: the usual place.
        on_progress: Told the share that is done and the present place, where it takes long.

    Raises:
        BadProfileError: The limit, the offset or the index's URL makes no sense.
        StoreUnavailableError: There is no such store, or it refused.
    """
    chosen = paging or Paging()
    if chosen.offset < 0 or (chosen.limit is not None and chosen.limit < 1):
        raise BadProfileError(
            f"limit {chosen.limit} and offset {chosen.offset} make no page",
            hint="A limit is at least 1, an offset at least 0.",
        )
    with using_index(store, index) as opened:
        return opened.find_runs(wanted or RunFilter(), chosen, on_progress=on_progress)


def count_outcomes(
    store: str,
    wanted: RunFilter | None = None,
    *,
    index: str | None = None,
    on_progress: Progress | None = None,
) -> Counts:
    """Return how the runs that a filter finds ended, and their components.

    Raises:
        BadProfileError: The index's URL makes no sense.
        StoreUnavailableError: There is no such store, or it refused.
    """
    with using_index(store, index) as opened:
        return opened.count(wanted or RunFilter(), on_progress=on_progress)


@contextlib.contextmanager
def using_index(store: str, index: str | None, *, workers: int = 1) -> Iterator[StoreIndex]:
    """Open the index of a store that exists, and close it after the block.

    Raises:
        BadProfileError: The index's URL makes no sense.
        StoreUnavailableError: There is no such store.
    """
    opened = open_index(open_store(store, must_exist=True).backend, index, workers=workers)
    try:
        yield opened
    finally:
        opened.close()


def parse_moment(text: str) -> str:
    """Return the time that a day (its first moment, UTC) or a full time names.

    Raises:
        BadProfileError: It is neither.
    """
    if _DAY.fullmatch(text):
        return format_time(_parse_day(text))
    if find_time_fault(text):
        raise _build_time_error(text)
    return text


def parse_moment_after(text: str) -> str:
    """Return the first moment after a day, or after a full time, for a range that includes it.

    Raises:
        BadProfileError: It is neither.
    """
    if _DAY.fullmatch(text):
        return format_time(_parse_day(text) + timedelta(days=1))
    moment = datetime.fromisoformat(parse_moment(text))
    return format_time(moment + timedelta(milliseconds=1))


def _parse_day(text: str) -> datetime:
    try:
        return datetime.strptime(text, _DAY_FORM).replace(tzinfo=UTC)
    except ValueError as error:
        raise _build_time_error(text) from error


def _build_time_error(text: str) -> BadProfileError:
    return BadProfileError(
        f"{text[:40]!r} is no time",
        hint="Write a day such as 2026-01-31, or a time such as 2026-01-31T12:00:00.000Z.",
    )
