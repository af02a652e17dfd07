"""Measure the ratios of docs/design.md section 8 here and now, beside numpy doing the same.

    make bench                    everything
    make bench ARGS=storage       the artifacts alone
    make bench ARGS=run           whole runs alone

A ratio is how many times faster filmcan is, both sides measured in this process on this machine:
times drift from day to day, ratios hold. `goal` is the figure of docs/design.md.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

import filmcan
from filmcan.npz.writer import write_npz

SEED = 7
LARGE_ROWS, DIM = 57_600, 512  # 118 MB of float32
SMALL_SIDE_ARRAYS = 12
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


def build_arrays(rows: int) -> dict[str, np.ndarray]:
    """Return one matrix of `rows` embeddings and a dozen side arrays."""
    generator = np.random.default_rng(SEED)
    arrays = {
        f"side_{index:02d}": generator.random(120, np.float32) for index in range(SMALL_SIDE_ARRAYS)
    }
    arrays["frame_embeddings"] = generator.random((rows, DIM), np.float32)
    return arrays


def build_meta() -> dict[str, object]:
    """Return a meta of ordinary size."""
    names = ("producer", "producer_version", "schema_version", "platform_id", "video_id", "run_id")
    meta: dict[str, object] = {name: f"{name}-of-the-benchmark" for name in names}
    meta["config_hash"] = hashlib.sha256(b"bench").hexdigest()
    meta["models_used"] = [{"model_name": "none", "weights_digest": "0" * 64, "device": "cpu"}]
    return meta


def write_ours(path: Path, arrays: dict[str, np.ndarray], meta: dict[str, object]) -> None:
    """Write durably and know the digest."""
    with path.open("wb") as file:
        write_npz(file, arrays, meta, sync=lambda: os.fsync(file.fileno()))


def write_numpy(path: Path, arrays: dict[str, np.ndarray], meta: dict[str, object]) -> None:
    """Do the same with numpy: save, flush, hash."""
    with path.open("wb") as file:
        np.savez(file, meta=np.array(meta, dtype=object), **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")


def numpy_key(path: Path, key: str) -> np.ndarray:
    """Read one array with numpy."""
    with np.load(path, allow_pickle=True) as loaded:
        return np.asarray(loaded[key])


def numpy_all(path: Path) -> dict[str, np.ndarray]:
    """Read every array with numpy."""
    with np.load(path, allow_pickle=True) as loaded:
        return {key: loaded[key] for key in loaded.files}


def our_key(path: Path, key: str, rows: slice | None = None) -> np.ndarray:
    """Read one array, or some rows of it."""
    with filmcan.open_artifact(path) as artifact:
        return artifact[key] if rows is None else artifact.read(key, rows=rows)


def our_all(path: Path) -> dict[str, np.ndarray]:
    """Read every array, each one's checksum included."""
    with filmcan.open_artifact(path) as artifact:
        return {key: artifact[key] for key in artifact.keys()}  # noqa: SIM118 - not a mapping


def measure_storage(folder: Path) -> None:
    """Compare artifacts of 118 MB and of 15 members with numpy's."""
    meta = build_meta()
    small, large = build_arrays(1), build_arrays(LARGE_ROWS)
    ours, theirs = folder / "ours.npz", folder / "numpy.npz"
    say(
        "durable write with sha256, 118 MB",
        best_of(lambda: write_ours(ours, large, meta), 3),
        best_of(lambda: write_numpy(theirs, large, meta), 3),
        "1.6x",
    )
    rows = slice(0, 5)
    for what, mine, other, repeats, goal in (
        ("meta", lambda: filmcan.read_meta(ours), lambda: numpy_key(theirs, "meta"), 50, "3x"),
        (
            "one side array",
            lambda: our_key(ours, "side_03"),
            lambda: numpy_key(theirs, "side_03"),
            50,
            "6x",
        ),
        (
            "5 rows of 118 MB",
            lambda: our_key(ours, "frame_embeddings", rows),
            lambda: numpy_key(theirs, "frame_embeddings")[rows],
            5,
            "400x",
        ),
        ("all of 118 MB, CRC checked", lambda: our_all(ours), lambda: numpy_all(theirs), 5, "2.5x"),
    ):
        say(what, best_of(mine, repeats), best_of(other, repeats), goal)
    write_ours(ours, small, meta)
    write_numpy(theirs, small, meta)
    say(
        "small artifact, CPU, in memory: write",
        best_of(lambda: write_npz(io.BytesIO(), small, meta), 50, time.process_time),
        best_of(
            lambda: np.savez(io.BytesIO(), meta=np.array(meta, dtype=object), **small),  # type: ignore[arg-type]
            50,
            time.process_time,
        ),
        "2x",
    )
    say(
        "small artifact, CPU: read all",
        best_of(lambda: our_all(ours), 50, time.process_time),
        best_of(lambda: numpy_all(theirs), 50, time.process_time),
        "3.5x",
    )


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
    groups = {"storage": measure_storage, "run": measure_run}
    chosen = sys.argv[1:] or list(groups)
    if unknown := sorted(set(chosen) - set(groups)):
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(groups)}")
    print(f"{'':<52} {'filmcan ms':>11} {'other ms':>11} {'ratio':>9}  goal")
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            groups[name](Path(folder))


if __name__ == "__main__":
    main()
