"""Measure the index: making it anew, and asking it, on SQLite and on a real PostgreSQL.

    make bench ARGS=index                     100 000 runs
    FILMCAN_BENCH_RUNS=5000 make bench ARGS=index

Rates are per second of CPU time of this process, that is per core; beside them stands what reading
the same bytes and `json.loads` alone would take, measured in the same run.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from made_runs import write_runs

from filmcan.contract.manifest import MANIFEST_NAME, parse_manifest
from filmcan.operations.querying import Paging, RunFilter, find_runs
from filmcan.store.index.index import open_index
from filmcan.store.store import open_store

RUNS = int(os.environ.get("FILMCAN_BENCH_RUNS", "100000"))
SAMPLE = 2_000
PAGE = Paging(limit=50)
REPEATS = 7
QUESTIONS = {
    "status and platform": RunFilter(status="ok", platform_id="tiktok"),
    "component and status, rare": RunFilter(component="core_clip", component_status="error"),
    "component and status, common": RunFilter(component="core_clip", component_status="ok"),
    "reason, latest only": RunFilter(reason="dependency_missing", latest_only=True),
    "everything": RunFilter(),
}


def measure_index(folder: Path) -> None:
    """Print the figures of docs/performance.md."""
    store = folder / "index_store"
    write_runs(store, RUNS)
    _sample_floor(store)
    _measure_database(store, "SQLite", str(store / "_filmcan" / "index.sqlite"))
    with _postgresql(folder) as url:
        if url is None:
            print("PostgreSQL does not start here, left out")
        else:
            _measure_database(store, "PostgreSQL", url)


def _sample_floor(store: Path) -> None:
    paths = [
        f"{path}/{MANIFEST_NAME}"
        for path, _ in zip(open_store(store).run_paths(), range(min(SAMPLE, RUNS)), strict=False)
    ]
    backend = open_store(store).backend
    data = [backend.read(path, limit=1 << 24) for path in paths]
    size = sum(map(len, data)) / len(data)
    print(f"{RUNS} runs; a manifest has {size / 1000:.1f} KB; load {os.getloadavg()[0]:.1f}")
    for what, work in (
        ("read", lambda: [backend.read(path, limit=1 << 24) for path in paths]),
        ("json.loads", lambda: [json.loads(item) for item in data]),
        ("parse_manifest", lambda: [parse_manifest(item) for item in data]),
    ):
        print(f"  {what:<30} {len(paths) / _best(work, 3, time.process_time):9.0f} a second of CPU")


def _measure_database(store: Path, name: str, url: str) -> None:
    index = open_index(open_store(store).backend, url)
    cpu, wall = time.process_time(), time.perf_counter()
    index.rebuild()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{name}: {RUNS / cpu:.0f} manifests a second of CPU, {RUNS / wall:.0f} by the clock")
    for what, wanted in QUESTIONS.items():
        total = find_runs(str(store), wanted, PAGE, index=url).total

        def ask(wanted: RunFilter = wanted) -> object:
            return find_runs(str(store), wanted, PAGE, index=url)

        cpu, wall = _best(ask, REPEATS, time.process_time), _best(ask, REPEATS, time.perf_counter)
        print(f"  {what:<30} {total:7} found  {wall * 1e3:7.1f} ms, of CPU {cpu * 1e3:7.1f} ms")
    wall = _best(index.sync, 2, time.perf_counter)
    print(f"  {'sync, nothing changed':<30} {'':>13}  {wall * 1e3:7.1f} ms")
    index.close()


def _best(work: Callable[[], object], repeats: int, clock: Callable[[], float]) -> float:
    best = float("inf")
    for _ in range(repeats):
        gc.collect()
        start = clock()
        work()
        best = min(best, clock() - start)
    return best


@contextlib.contextmanager
def _postgresql(folder: Path) -> Iterator[str | None]:
    """Start a real server where the package is installed."""
    try:
        from pgserver.postgres_server import get_server  # noqa: PLC0415 - may be missing
    except ModuleNotFoundError:
        yield None
        return
    with tempfile.TemporaryDirectory(dir=folder) as place:
        server = get_server(place, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
