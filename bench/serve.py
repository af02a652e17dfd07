"""Measure the server: a store of many runs, several clients, memory, a window of a large artifact.

    python bench/serve.py [--runs 10000] [--requests 10000]

Prints one table; the numbers of docs/performance.md come from here.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil

from filmcan.contract.manifest import Manifest, parse_manifest
from filmcan.contract.meta import Identity, build_meta
from filmcan.contract.registry import get_schema
from filmcan.npz.artifact import open_artifact
from filmcan.npz.writer import write_npz
from filmcan.operations.viewing import Window, render_artifact_view
from filmcan.store.local import LocalBackend
from filmcan.testing.artifacts import NOW
from filmcan.testing.made_stores import write_run

CLIENTS = 8
LARGE_BYTES = 118 << 20
SERVER = """
import sys
from filmcan.server.run import Settings, serve
serve(Settings(store=sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""


def make_store(root: Path, count: int) -> list[str]:
    """Write many runs by copying one: its bytes under other ids. Returns their paths."""
    template = write_run(LocalBackend(root), "v00000", "r1")
    manifest = parse_manifest((root / template / "manifest.json").read_bytes())
    files = list((root / template).rglob("*.npz"))
    paths = [template]
    for number in range(1, count):
        run = replace(
            manifest.run,
            video_id=f"v{number:05d}",
            created_at=f"2026-01-{1 + number % 28:02d}T12:00:00.000Z",
        )
        path = f"local/{run.video_id}/r1"
        folder = root / path
        for file in files:
            target = folder / file.relative_to(root / template)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target)
        data = Manifest(run, manifest.components, manifest.render, manifest.extra).to_bytes()
        (folder / "manifest.json").write_bytes(data)
        paths.append(path)
    return paths


def start(root: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server of its own process and return it with its port once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(root), str(port)])  # noqa: S603
    while process.poll() is None:
        try:
            ask(http.client.HTTPConnection("127.0.0.1", port), "/api/v1/health")
        except OSError:
            time.sleep(0.1)
        else:
            break
    return process, port


def ask(connection: http.client.HTTPConnection, path: str) -> int:
    """Send one request and read the answer; return its size."""
    connection.request("GET", path)
    answer = connection.getresponse()
    data = answer.read()
    if answer.status != 200:  # noqa: PLR2004
        raise RuntimeError(f"{path}: {answer.status} {data[:200]!r}")
    return len(data)


def load(port: int, paths: Iterator[str], clients: int) -> list[float]:
    """Send all requests by some clients at once; return the milliseconds of each."""
    lock = threading.Lock()
    times: list[float] = []

    def work() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                path = next(paths, None)
            if path is None:
                return
            begun = time.perf_counter()
            ask(connection, path)
            taken = 1000 * (time.perf_counter() - begun)
            with lock:
                times.append(taken)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def tell(name: str, times: list[float], goal: str, cpu_ms: float) -> None:
    """Print one row."""
    p95 = statistics.quantiles(times, n=20)[18]
    median = statistics.median(times)
    print(f"| {name} | {median:.1f} ms | {p95:.1f} ms | {cpu_ms:.1f} ms | {goal} |", flush=True)


def measure_server(root: Path, paths: list[str], requests: int) -> None:
    """Measure pages, API and memory."""
    for what in ("no index", "its index there"):
        process, port = start(root)
        begun = time.perf_counter()
        ask(http.client.HTTPConnection("127.0.0.1", port), "/api/v1/runs")
        print(f"first list of {len(paths)} runs, {what}: {time.perf_counter() - begun:.1f} s")
        if what == "no index":
            process.terminate()
            process.wait()
    try:
        print(f"\n{_HEAD}")
        queries = [f"?offset={50 * (n % 100)}&q={n % 10}" for n in range(_MANY)]
        before = _read_cpu(process.pid)
        times = load(port, (f"/api/v1/runs{query}" for query in queries[:100]), CLIENTS)
        cpu_ms = 1000 * (_read_cpu(process.pid) - before) / len(times)
        tell("runs API, each for the first time, 8 clients", times, "", cpu_ms)
        rows = (
            ("health, 8 clients: the floor", ["/api/v1/health"] * _MANY, CLIENTS, ""),
            ("runs page, 8 clients", [f"/runs{query}" for query in queries], CLIENTS, "100 ms"),
            (
                "runs API, 8 clients",
                [f"/api/v1/runs{query}" for query in queries],
                CLIENTS,
                "100 ms",
            ),
            ("run summary, warm, 1 client", [f"/api/v1/runs/{paths[7]}"] * _MANY, 1, "20 ms"),
        )
        for name, asked, clients, goal in rows:
            load(port, iter(asked[:40]), clients)
            before = _read_cpu(process.pid)
            times = load(port, iter(asked), clients)
            tell(name, times, goal, 1000 * (_read_cpu(process.pid) - before) / len(asked))
        if requests:
            measure_memory(process.pid, port, paths, requests)
    finally:
        process.terminate()
        process.wait()


def measure_memory(pid: int, port: int, paths: list[str], requests: int) -> None:
    """Compare the server's memory early and late in a mix of requests."""

    def mix(first: int, last: int) -> Iterator[str]:
        for number in range(first, last):
            run = paths[number * 13 % len(paths)]
            component = f"/api/v1/runs/{run}/components/core_optical_flow"
            yield (
                f"/api/v1/runs/{run}",
                f"/runs/{run}",
                f"/api/v1/runs?offset={number % 900}",
                f"{component}/series",
                f"{component}/features",
                f"/runs?q=v0{number % 1000}",
            )[number % 6]

    early = requests // 10
    load(port, mix(0, early), CLIENTS)
    before = psutil.Process(pid).memory_info().rss
    load(port, mix(early, requests), CLIENTS)
    after = psutil.Process(pid).memory_info().rss
    print(
        f"\nmemory at request {early}: {before / 2**20:.1f} MiB, at request {requests}: "
        f"{after / 2**20:.1f} MiB ({100 * (after / before - 1):+.1f} %, goal at most +5 %)"
    )


def measure_window(folder: Path) -> None:
    """Time a window of a series of 118 MB, and count what it adds to memory."""
    schema = get_schema("audio_npz_v1", "loudness_extractor")
    count = LARGE_BYTES // 10  # three arrays: 4 + 4 + 1 + 1 bytes for each step
    arrays: dict[str, np.ndarray] = {
        "times_sec": np.arange(1, count + 1, dtype=np.float64).astype(np.float32) / 10,
        "momentary_lufs": np.full(count, -20, np.float32),
        "momentary_present": np.ones(count, bool),
        "short_term_present": np.ones(count, bool),
    }
    meta = build_meta(
        Identity("local", "v1", "r1", "loudness_extractor"),
        producer_version="1",
        schema_version="audio_npz_v1",
        created_at=NOW,
        config_hash="0" * 64,
        sampling_policy_version="uniform_v1",
        dataprocessor_version="bench",
        status="ok",
        empty_reason=None,
        models_used=[],
        optional={},
    )
    path = folder / "large.npz"
    with path.open("wb") as file:
        write_npz(file, arrays, meta)
    middle = count / 20

    def look() -> None:
        with open_artifact(path) as artifact:
            window = Window(middle, middle + 600, 2000, ["momentary_lufs"])
            view = render_artifact_view(artifact, "series", window)
        if not view["series"]:
            raise RuntimeError(schema.component)

    look()
    process = psutil.Process()
    before = process.memory_info().rss
    cpu = time.process_time()
    times = [_time(look) for _ in range(50)]
    grown = process.memory_info().rss - before
    print(f"\n{path.stat().st_size / 1e6:.0f} MB artifact, window of 10 minutes, as JSON:")
    print(_HEAD)
    tell("series window, opened anew", times, "50 ms", 1000 * (time.process_time() - cpu) / 50)
    print(f"memory grew by {grown / 2**20:.1f} MiB")


_MANY = 400
_HEAD = "| request | median | p95 | CPU each | goal |\n| --- | --- | --- | --- | --- |"


def _read_cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _time(action: Callable[[], None]) -> float:
    begun = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - begun)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=10_000)
    settings = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure_window(Path(folder))
        root = Path(folder) / "store"
        paths = make_store(root, settings.runs)
        measure_server(root, paths, settings.requests)


if __name__ == "__main__":
    main()
