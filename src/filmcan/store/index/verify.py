"""Hold rows to their checksums, and to the manifests that they were made from."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from filmcan.store.index.database import IndexFaultError
from filmcan.store.index.questions import IndexedRun, RunSummary
from filmcan.store.index.reading import Look, Seen, read_runs
from filmcan.store.index.rows import derive_rows, parse_run
from filmcan.store.index.scan import UNKNOWN, open_scanner

if TYPE_CHECKING:
    from filmcan.store.base import Backend
    from filmcan.store.index.queries import FoundRun, Head


def check_rows(found: FoundRun, place: str) -> IndexedRun:
    """Return what the rows of a run say, where they are as they were written.

    Raises:
        IndexFaultError: They are not.
    """
    try:
        run = parse_run(found.facts)
    except (ValueError, TypeError) as error:
        raise _build_fault("what is known of a run cannot be read", place) from error
    rows = derive_rows(run)
    if (rows.checksum, rows.run) != (found.head.checksum, found.columns):
        raise _build_fault("a row does not have its checksum", place)
    if sorted(rows.components, key=_get_name) != sorted(found.components, key=_get_name):
        raise _build_fault("a run does not have its components", place)
    return run


def look_again(backend: Backend, heads: Sequence[Head]) -> list[Seen]:
    """Return what those manifests give now that may say something else than is known of them.

    Raises:
        StoreUnavailableError: The store refused.
    """
    scanner = open_scanner(backend)
    stamps = scanner.look_at_each(scanner.find_manifest_stamp, [head.path for head in heads])
    looks = []
    for head, present in zip(heads, stamps, strict=True):
        if present is None or UNKNOWN in (present, head.stamp) or present != head.stamp:
            looks.append(Look(head.path, present or UNKNOWN))
    return list(itertools.chain.from_iterable(read_runs(backend, looks))) if looks else []


def summarise(run: IndexedRun) -> RunSummary:
    """Return a run in one line."""
    return RunSummary(
        platform_id=run.platform_id,
        video_id=run.video_id,
        run_id=run.run_id,
        run_path=run.path,
        created_at=run.created_at,
        finished_at=run.finished_at,
        status=run.status,
        duration_sec=run.duration_sec,
        components=dict(Counter(component.status for component in run.components)),
        pending=run.pending_components,
    )


def _build_fault(message: str, place: str) -> IndexFaultError:
    return IndexFaultError(message, code="index_damaged", where=place)


def _get_name(component: tuple[object, ...]) -> str:
    return str(component[0])
