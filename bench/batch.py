"""Measure what many videos cost: components, a batch that has nothing to do, workers of a cluster.

    python bench/batch.py costs      CPU of each component over a minute of 720p
    python bench/batch.py second     milliseconds for each video of a batch that was done before
    python bench/batch.py carry      carrying a result against computing it, and against a copy
    python bench/batch.py ray        throughput of two one-core workers against one

Without a name, all of them. Times are CPU seconds where it matters, since machines are shared.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from runs import SECONDS, make_clip

from filmcan.components.base import Component, Inputs, Result
from filmcan.components.catalog import get_component_class
from filmcan.operations.batch import run_batch
from filmcan.operations.batch_job import run_batch_job
from filmcan.operations.batch_run import BatchOptions, process_batch
from filmcan.operations.batch_sources import find_items
from filmcan.operations.batch_videos import VideoResult
from filmcan.operations.process import plan_settings, process_video
from filmcan.pipeline import plan as plans
from filmcan.pipeline.executors.base import Report
from filmcan.pipeline.executors.local import WorkerLimits
from filmcan.pipeline.executors.ray_tasks import RayExecutor, measure_demand
from filmcan.store.store import open_store
from filmcan.testing.made_batches import make_batch
from filmcan.testing.made_media import ClipSound, ClipVideo, build_tone, make_media

ONLY = ("loudness_extractor", "core_optical_flow", "text_processor")
CORES_VARIABLE = "FILMCAN_BENCH_CORES"


def measure_costs(folder: Path) -> None:
    """Run everything once over a made minute; count each component's own CPU."""
    clip = folder / "minute.mp4"
    make_clip(clip)
    used: dict[str, float] = {}
    original = get_component_class

    def choose(name: str) -> type[Component]:
        kind = original(name)

        class Measured(kind):  # type: ignore[misc,valid-type]
            def run(self, inputs: Inputs) -> Result:
                start = time.thread_time()
                try:
                    return super().run(inputs)  # type: ignore[no-any-return]
                finally:
                    used[name] = time.thread_time() - start

        return Measured

    document = {"title": "A minute", "comments": [{"text": "seen it"}] * 50}
    process_video(clip, store=folder / "warm", document=document)
    plans.get_component_class = choose  # type: ignore[attr-defined]
    start = time.process_time()
    run = process_video(clip, store=folder / "store", document=document, force=True)
    total = time.process_time() - start
    plans.get_component_class = original  # type: ignore[attr-defined]
    rest = total - sum(used.values())
    print(f"\nCPU seconds for {SECONDS} s of 720p, 121 samples; bytes of artifacts")
    for name, seconds in used.items():
        size = sum(item.size_bytes for item in run.components[name].artifacts)
        print(f"  {name:<26} {seconds:8.2f} s {size:10d} B  {run.components[name].status}")
    print(f"  {'decoding, converting, rest':<26} {rest:8.2f} s")


def measure_second(folder: Path) -> None:
    """Do a batch twice; the second time there is nothing to do."""
    made = make_batch(folder / "media", 100, distinct=10, broken=5, poison=())
    options = BatchOptions(str(folder / "second"), only=ONLY, workers=2)
    process_batch([str(made)], options)
    times = []
    for _ in range(5):
        start = time.process_time()
        report = process_batch([str(made)], options)
        times.append((report.seconds, time.process_time() - start))
        if any(result.how == "done" for result in report.results):
            raise SystemExit("something was computed again")
    wall, cpu = min(times)
    print("\nA batch of 100 videos, 5 of them broken, that was done before")
    print(f"  {10 * wall:.2f} ms a video on the clock, {10 * cpu:.2f} ms of CPU; goal 5 ms")


def measure_carry(folder: Path) -> None:
    """Carry a result of 64 MB and more, beside computing nothing and a plain copy."""
    clip = folder / "carried.mp4"
    make_clip(clip)
    store = folder / "carry"
    first = process_video(clip, store=store, only=ONLY)
    times = {}
    for name, settings in (
        ("carry all", ["components.tempo_extractor.min_bpm=31"]),
        ("recompute flow", ["components.core_optical_flow.preview_count=3"]),
    ):
        start = time.perf_counter()
        process_video(clip, store=store, only=ONLY, settings=settings)
        times[name] = time.perf_counter() - start
    start = time.perf_counter()
    shutil.copytree(store / first.path, folder / "copied")
    times["copy of the run's folder"] = time.perf_counter() - start
    start = time.perf_counter()
    process_video(clip, store=store, only=ONLY, force=True)
    times["compute all"] = time.perf_counter() - start
    print("\nThree components over a minute of 720p")
    for name, seconds in times.items():
        print(f"  {name:<26} {1000 * seconds:10.1f} ms")


def run_pinned_job(payload: object, report: Report) -> object:
    """Do a batch's job in a process that keeps to one core of its own."""
    place = Path(os.environ[CORES_VARIABLE])
    if len(os.sched_getaffinity(0)) > 1:
        with place.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            core = file.seek(0, os.SEEK_END) % (os.cpu_count() or 1)
            file.write(b".")
        for thread in [0, *(item.native_id or 0 for item in threading.enumerate())]:
            os.sched_setaffinity(thread, {core})
    return run_batch_job(payload, report)


class _Clock:
    """Notes when each video was through."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_video(self, result: VideoResult, done: int, total: int) -> None:
        del result, done, total
        self.times.append(time.monotonic())


def measure_ray(folder: Path) -> None:
    """Do the same batch with one worker and with two, each on a core of its own."""
    folder.joinpath("clips").mkdir()
    sound = ClipSound(build_tone(6.0, hz=440.0, channels=2), layout="stereo")
    make_media(
        folder / "clips" / "clip.mp4", ClipVideo(frames=150, rate_hz=25, size=(640, 360)), sound
    )
    listed = folder / "clips" / "list.csv"
    rows = "\n".join(f"clip.mp4,v{number}" for number in range(12))
    listed.write_text(f"source,video_id\n{rows}\n")
    plan = plan_settings(None, ["execution.decode_threads=1", "sampling.rate_hz=10"], ONLY)
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    rates: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(3):
        for workers, found in rates.items():
            os.environ[CORES_VARIABLE] = str(folder / f"cores{turn}{workers}")
            executor = RayExecutor(
                run_pinned_job,
                measure_demand(plan),
                WorkerLimits(plan.stall_timeout_sec, None),
                address=None,
                workers=workers,
                cpus=2,
            )
            store = open_store(folder / f"ray{turn}{workers}")
            clock = _Clock()
            run_batch(find_items([str(listed)]), plan, store, executor, observer=clock)
            # The first video of each worker also waits for imports.
            start, *rest = clock.times[workers - 1 :]
            found.append(len(rest) / (rest[-1] - start))
    pairs = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    print("\nTwelve clips of six seconds, on Ray workers of one core; three rounds")
    for one, two, ratio in zip(rates[1], rates[2], pairs, strict=True):
        print(f"  one {3600 * one:6.0f}/h, two {3600 * two:6.0f}/h: {ratio:.2f}x; goal 1.7x")


MEASURES: dict[str, Callable[[Path], None]] = {
    "costs": measure_costs,
    "second": measure_second,
    "carry": measure_carry,
    "ray": measure_ray,
}


def main() -> None:
    """Measure what was asked for."""
    for name in sys.argv[1:] or MEASURES:
        with tempfile.TemporaryDirectory() as folder:
            MEASURES[name](Path(folder))


if __name__ == "__main__":
    main()
