"""Look after the index of a store. The verbs behind `filmcan index`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from filmcan.operations.querying import using_index
from filmcan.store.index.sync import SyncReport

__all__ = ["IndexReport", "SyncReport", "drop_index", "survey_index", "update_index"]


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What was done to an index, or found of it.

    Attributes:
        place: The database: a file, or an address without its password.
        size_bytes: Of the file; None where there is none.
        sync: What it took to bring it up to date; None when it was dropped.
    """

    place: str
    size_bytes: int | None
    sync: SyncReport | None


def update_index(
    store: str,
    *,
    how: Literal["sync", "rebuild"],
    index: str | None = None,
    workers: int | None = None,
    on_progress: Callable[[float, str], None] | None = None,
) -> IndexReport:
    """Bring an index up to date by every manifest's stamp, or make it anew.

    Args:
        store: Path or URL.
        how: Which of both.
        index: URL or path of the database; None: the usual place.
        workers: Processes that read manifests; None: as many as there are cores.
        on_progress: Told the share that is done and the present place.

    Raises:
        BadProfileError: The index's URL makes no sense.
        StoreUnavailableError: There is no such store, it refused, or the database did.
    """
    with using_index(store, index, workers=workers or os.cpu_count() or 1) as opened:
        work = opened.sync if how == "sync" else opened.rebuild
        report = work(on_progress=on_progress)
        return IndexReport(opened.place, opened.find_size_bytes(), report)


def survey_index(store: str, *, index: str | None = None) -> IndexReport:
    """Return what a synchronisation would do, without writing to the index.

    Raises:
        As `update_index`.
    """
    with using_index(store, index) as opened:
        return IndexReport(opened.place, opened.find_size_bytes(), opened.survey())


def drop_index(store: str, *, index: str | None = None) -> IndexReport:
    """Remove an index; manifests and artifacts are not concerned.

    Raises:
        As `update_index`.
    """
    with using_index(store, index) as opened:
        size_bytes = opened.find_size_bytes()
        opened.drop()
        return IndexReport(opened.place, size_bytes, None)
