"""Measure the ratios of docs/design.md section 8 here and now, beside numpy doing the same.

    make bench                    everything
    make bench ARGS=storage       the artifacts alone
    make bench ARGS=run           whole runs alone
    make bench ARGS=fsck          the check of a large store alone; takes 2 GB of disk
    make bench ARGS=text          text embedding beside a bare loop over its network

A ratio is how many times faster filmcan is, both sides measured in this process on this machine:
times drift from day to day, ratios hold. The goals are the figures of docs/design.md.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from embedding import measure_text
from fsck import measure_fsck
from storage import measure_storage

import filmcan

SEED = 7
CLIP_SEC, CLIP_RATE, CLIP_SIZE = 60, 30, (1280, 720)
COMPONENTS = ("loudness_extractor", "tempo_extractor", "core_optical_flow")

Call = Callable[[], object]


def best_of(call: Call, repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the shortest of some measurements, in seconds; the first call is not counted."""
    call()
    times = []
    for _ in range(repeats):
        start = clock()
        call()
        times.append(clock() - start)
    return min(times)


def say(what: str, ours_sec: float, theirs_sec: float, goal: str) -> None:
    """Print one row."""
    ratio = theirs_sec / ours_sec
    print(f"{what:<52} {ours_sec * 1e3:11.3f} {theirs_sec * 1e3:11.3f} {ratio:8.2f}x  {goal}")


def make_clip(path: Path) -> None:
    """Write 60 s of 720p: a panned texture, and clicks at 120 bpm."""
    generator = np.random.default_rng(SEED)
    width, height = CLIP_SIZE
    texture = generator.integers(0, 256, (height // 8, width // 4, 3), np.uint8)
    texture = np.kron(texture, np.ones((8, 8, 1), np.uint8))
    rate = 48_000
    sound = (0.01 * generator.standard_normal(CLIP_SEC * rate)).astype(np.float32)
    for start in range(0, sound.size, rate // 2):
        sound[start : start + 480] += 0.5
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=CLIP_RATE, options={"preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=rate, layout="mono")
        for index in range(CLIP_SEC * CLIP_RATE):
            left = index % width
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(texture[:, left : left + width]), format="rgb24"
            )
            container.mux(video.encode(frame))
        container.mux(video.encode())
        block = av.AudioFrame.from_ndarray(sound[np.newaxis], format="fltp", layout="mono")
        block.sample_rate = rate
        container.mux(audio.encode(block))
        container.mux(audio.encode())


def measure_run(folder: Path) -> None:
    """Compare one run of all components with one run for each."""
    print(f"{'':<52} {'filmcan ms':>11} {'other ms':>11} {'ratio':>9}  goal")
    clip = folder / "clip.mp4"
    make_clip(clip)
    count = iter(range(1000))

    def run(*only: str) -> None:
        store = folder / f"store{next(count)}"
        done = filmcan.run(clip, store=store, only=list(only))
        if done.status != "ok":
            raise SystemExit(f"the run of {only} ended {done.status}")

    say(
        f"whole run, {CLIP_SEC} s 720p, against each component alone",
        best_of(lambda: run(*COMPONENTS), 2),
        sum(best_of(lambda name=name: run(name), 2) for name in COMPONENTS),  # type: ignore[misc]
        "2.5x (with more components)",
    )


def main() -> None:
    """Measure what the arguments name, or everything."""
    groups = {
        "storage": measure_storage,
        "run": measure_run,
        "fsck": measure_fsck,
        "text": measure_text,
    }
    chosen = sys.argv[1:] or list(groups)
    if unknown := sorted(set(chosen) - set(groups)):
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(groups)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            groups[name](Path(folder))


if __name__ == "__main__":
    main()
