"""Hold rows to their checksums, and to the manifests that they were made from."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from filmcan.store.index.database import IndexFaultError
from filmcan.store.index.questions import IndexedRun, RunSummary, build_component, build_run
from filmcan.store.index.reading import Look, Seen, read_runs
from filmcan.store.index.rows import COMPONENT_FACTS, RUN_FACTS, RunRows, sum_rows
from filmcan.store.index.scan import UNKNOWN, open_scanner

if TYPE_CHECKING:
    from filmcan.store.base import Backend
    from filmcan.store.index.queries import FoundRun, Head

_NAME, _STATUS = COMPONENT_FACTS.index("name"), COMPONENT_FACTS.index("status")


def check_rows(found: FoundRun, place: str) -> RunRows:
    """Return rows as they were written.

    Raises:
        IndexFaultError: They do not have their checksum.
    """
    row, components = found
    _, checksum, *facts = cast("tuple[str, ...]", tuple(row)[1:])
    if checksum != sum_rows(facts, components):
        raise IndexFaultError("a row does not have its checksum", code="index_damaged", where=place)
    return RunRows(tuple(facts), tuple(map(tuple, components)), checksum)


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


def build_indexed_run(rows: RunRows) -> IndexedRun:
    """Return all that the rows of a run say."""
    *plain, planned = rows.run
    parts = tuple(build_component(values) for values in rows.components)
    return build_run((*plain, _split(planned), parts))


def summarise(rows: RunRows) -> RunSummary:
    """Return the rows of a run in one line."""
    facts: dict[str, Any] = dict(zip(RUN_FACTS, rows.run, strict=True))
    done = {values[_NAME] for values in rows.components}
    return RunSummary(
        platform_id=facts["platform_id"],
        video_id=facts["video_id"],
        run_id=facts["run_id"],
        run_path=f"{facts['platform_id']}/{facts['video_id']}/{facts['run_id']}",
        created_at=facts["created_at"],
        finished_at=facts["finished_at"],
        status=facts["status"],
        duration_sec=facts["duration_sec"],
        components=dict(Counter(str(values[_STATUS]) for values in rows.components)),
        pending=tuple(name for name in _split(facts["planned"]) if name not in done),
    )


def _split(planned: object) -> Sequence[str]:
    return tuple(str(planned).split("\n")) if planned else ()
