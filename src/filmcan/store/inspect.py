"""Judge a store: is all there that it lists, as it lists it, and what lies there besides?

Changes nothing. `store.repair` acts on what is found here; content against schemas is for
`filmcan validate`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from filmcan.contract.ids import find_id_fault
from filmcan.errors import InvalidContentError, StoreUnavailableError
from filmcan.store.base import FORMAT_MARKER, FORMAT_TEXT, HOUSEKEEPING
from filmcan.store.findings import (
    Inspection,
    judge_loose,
    judge_strange,
    list_readable,
    report_deletion,
    report_unreadable,
)
from filmcan.store.inspect_run import inspect_run
from filmcan.store.quarantine import QUARANTINE
from filmcan.store.side_by_side import read_in_chunks
from filmcan.store.tombstones import Tombstone, find_tombstone

if TYPE_CHECKING:
    from filmcan.store.base import Backend

_CHUNK, _CHUNK_WITH_DATA = 64, 4

_RUN_DEPTH = 3


def inspect_store(
    backend: Backend,
    *,
    with_data: bool,
    workers: int = 1,
    on_progress: Callable[[float, str], None] = lambda _fraction, _note: None,
) -> Inspection:
    """Look at everything below the root.

    Args:
        backend: The store.
        with_data: Rehash every byte of every listed file; without it only existence, size and meta
            are judged.
        workers: Processes to look with; see `read_in_chunks`.
        on_progress: Told the share of runs done and the present one.

    Raises:
        StoreUnavailableError: The store refused.
    """
    inspection = Inspection()
    _inspect_housekeeping(backend, inspection)
    runs = list(_walk(backend, "", 0, inspection))
    chunks = read_in_chunks(
        backend,
        partial(inspect_run, with_data=with_data),
        runs,
        chunk_size=_CHUNK_WITH_DATA if with_data else _CHUNK,
        workers=workers,
    )
    for number, found in enumerate(itertools.chain.from_iterable(chunks)):
        on_progress(number / len(runs), runs[number][0])
        inspection.merge(found)
    return inspection


def _inspect_housekeeping(backend: Backend, inspection: Inspection) -> None:
    try:
        marker = backend.find_versioned(FORMAT_MARKER, limit=4096)
        if marker is None:
            message = "the root has no format marker: gc, delete and repair refuse it"
            inspection.add("error", "no_marker", FORMAT_MARKER, message)
        elif marker.data != FORMAT_TEXT:
            inspection.add("error", "unknown_format", FORMAT_MARKER, "another format of store")
    except InvalidContentError as error:
        inspection.add("error", error.code, FORMAT_MARKER, error.message)
    pending = [HOUSEKEEPING]
    while pending:
        folder = pending.pop()
        listing = list_readable(backend, folder, inspection)
        pending += [f"{folder}/{name}" for name in reversed(listing.folders)]
        for name in listing.files:
            if folder.startswith(QUARANTINE):
                inspection.quarantined += name.endswith(".kept")
            else:
                judge_loose(inspection, folder, name, tolerated=True)
        judge_strange(inspection, folder, () if folder.startswith(QUARANTINE) else listing.strange)


def _walk(
    backend: Backend, folder: str, depth: int, inspection: Inspection
) -> Iterator[tuple[str, Tombstone]]:
    """Yield every run's folder with the tombstone of its video; judge what lies above runs."""
    listing = list_readable(backend, folder, inspection) if folder else backend.list_folder("")
    for name in listing.files:
        judge_loose(inspection, folder, name, tolerated=True)
    judge_strange(inspection, folder, listing.strange)
    tombstone = Tombstone()
    if depth == _RUN_DEPTH - 1:
        try:
            tombstone = find_tombstone(backend, folder)
        except InvalidContentError as error:
            inspection.add("error", error.code, error.where or folder, error.message)
        except StoreUnavailableError as error:
            report_unreadable(backend, inspection, error.where or folder, error)
        if tombstone.has_pending:
            report_deletion(inspection, folder)
    for name in listing.folders:
        path = f"{folder}/{name}" if folder else name
        if path == HOUSEKEEPING:
            continue
        kind = ("platform_id", "video_id", "run_id")[depth]
        fault = find_id_fault(kind, name)  # type: ignore[arg-type]
        if fault is not None:
            inspection.add("warning", "strange_folder", path, f"no {kind}: {fault}")
        elif depth == _RUN_DEPTH - 1:
            yield path, tombstone
        else:
            yield from _walk(backend, path, depth + 1, inspection)
