"""Measure artifacts against numpy, safetensors, h5py, zarr and the raw floor, in one run.

Every format's answers are compared with what was written before anything is timed. A round times
each format once, in turn; a ratio is the median over the rounds of theirs to ours in the same
round, and the spread is the middle half of these ratios. Short works are repeated within a round.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from formats import Arrays, Format, Meta, Numpy, Ours, find_others

from filmcan.npz.verified import open_verified
from filmcan.npz.writer import write_npz

SEED = 7
ROUNDS = 15
LARGE_ROWS, SMALL_ROWS, DIM = 57_600, 8, 512  # 118 MB of float32, and 16 KB
SIDE_ARRAYS = 12
SIDE, LARGE = "side_03", "frame_embeddings"
FRESH_FILES = 300  # more than any cache of ours remembers
ENOUGH_SEC = 0.004

Call = Callable[[], object]
Clock = Callable[[], float]


def build_arrays(rows: int, seed: int = SEED) -> dict[str, np.ndarray]:
    """Return one matrix of `rows` embeddings and a dozen side arrays."""
    generator = np.random.default_rng(seed)
    arrays = {
        f"side_{index:02d}": generator.random(120, np.float32) for index in range(SIDE_ARRAYS)
    }
    arrays[LARGE] = generator.random((rows, DIM), np.float32)
    return arrays


def build_meta(video: int = 0) -> Meta:
    """Return a meta of ordinary size."""
    names = ("producer", "producer_version", "schema_version", "platform_id", "video_id", "run_id")
    meta: Meta = {name: f"{name}-of-the-benchmark-{video}" for name in names}
    meta["config_hash"] = hashlib.sha256(b"bench").hexdigest()
    meta["models_used"] = [{"model_name": "none", "weights_digest": "0" * 64, "device": "cpu"}]
    return meta


def measure_storage(folder: Path) -> None:
    """Print the table of docs/performance.md."""
    ours = Ours()
    others, absent = find_others()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {ROUNDS} rounds, interleaved")
    if absent:
        print(f"not installed, left out: {', '.join(absent)} (bench/requirements.txt)")
    _measure_large(folder, ours, others)
    shared = Path("/dev/shm")  # noqa: S108 - tmpfs, where there is one
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else folder) as small:
        _measure_small(Path(small), ours, others)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def _measure_large(folder: Path, ours: Ours, others: list[Format]) -> None:
    arrays, meta = build_arrays(LARGE_ROWS), build_meta()
    paths = _write_all(folder, [ours, *others], arrays, meta)
    mine = paths[ours.name]
    wall, cpu = time.perf_counter, time.process_time
    _row("118 MB: meta", "3x", cpu, _bind([ours, *others], paths, "read_meta"))
    _row("118 MB: one side array", "6x", cpu, _bind([ours, *others], paths, "read_key", SIDE))
    _row("118 MB: 5 rows", "400x", wall, _bind([ours, *others], paths, "read_rows", LARGE, 5))
    reads = _bind([ours, *others], paths, "read_all")
    _row("118 MB: all, our CRCs checked", "2.5x", wall, reads)
    unchecked = {**reads, ours.name: lambda: ours.read_all_unchecked(mine)}
    _row("118 MB: all, our CRCs unchecked", "2.7x", wall, unchecked)
    with mine.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()

    def verify(*, mapped: bool) -> object:
        with open_verified(mine, sha256, mapped=mapped) as npz:
            return {key: npz.map(key) for key in npz}

    def digest() -> object:
        with mine.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    for mapped in (True, False):
        what = f"118 MB: all, sha256 verified, {'mapped' if mapped else 'in memory'}"
        calls: dict[str, Call] = {
            ours.name: functools.partial(verify, mapped=mapped),
            "sha256 alone": digest,
        }
        _row(what, "at least 0.95x", wall, calls)
    writers = [format_ for format_ in (ours, *others) if format_.name != "zarr"]
    writes = _bind(writers, paths, "write", arrays, meta)
    make_place = functools.partial(_remove, paths)
    _row("118 MB: durable write with sha256", "1.6x", wall, writes, before=make_place)


def _measure_small(folder: Path, ours: Ours, others: list[Format]) -> None:
    arrays, meta = build_arrays(SMALL_ROWS), build_meta()
    paths = _write_all(folder, [ours, *others], arrays, meta)
    cpu = time.process_time
    _row("15 members: meta", "", cpu, _bind([ours, *others], paths, "read_meta"))
    _row("15 members: one side array", "", cpu, _bind([ours, *others], paths, "read_key", SIDE))
    _row("15 members: all", "3.5x", cpu, _bind([ours, *others], paths, "read_all"))
    _row("15 members: write into memory", "2x", cpu, {
        ours.name: lambda: write_npz(io.BytesIO(), arrays, meta),
        "numpy": lambda: np.savez(io.BytesIO(), meta=np.array(meta, dtype=object), **arrays),  # type: ignore[arg-type]
    })  # fmt: skip
    _measure_fresh(folder, ours, Numpy())


def _measure_fresh(folder: Path, ours: Ours, numpy: Numpy) -> None:
    """Read files that were not read lately: nothing remembered of a file's own bytes helps."""
    mine, theirs = [], []
    for number in range(FRESH_FILES):
        arrays, meta = build_arrays(SMALL_ROWS + number % 7, number), build_meta(number)
        mine.append(folder / f"{number}.npz")
        theirs.append(folder / f"{number}.numpy.npz")
        ours.write(mine[-1], arrays, meta)
        numpy.write(theirs[-1], arrays, meta)
    for what, method, rest in (("meta", "read_meta", ()), ("one side array", "read_key", (SIDE,)),
                               ("all", "read_all", ())):  # fmt: skip
        calls: dict[str, Call] = {
            ours.name: functools.partial(_in_turn, getattr(ours, method), mine, rest),
            numpy.name: functools.partial(_in_turn, getattr(numpy, method), theirs, rest),
        }
        _row(f"{FRESH_FILES} files in turn: {what}", "", time.process_time, calls)


def _in_turn(read: Callable[..., object], paths: list[Path], rest: tuple[object, ...]) -> None:
    for path in paths:
        read(path, *rest)


def _remove(paths: Mapping[str, Path]) -> None:
    """Make place: a store never writes over a file, and freeing an old one takes its time."""
    for path in paths.values():
        if path.is_file():
            path.unlink()


def _write_all(folder: Path, formats: list[Format], arrays: Arrays, meta: Meta) -> dict[str, Path]:
    """Write one artifact in every format and hold each format's answers against it."""
    paths = {}
    for format_ in formats:
        path = paths[format_.name] = folder / f"artifact.{format_.name.replace(' ', '_')}"
        format_.write(path, arrays, meta)
        found = format_.read_all(path)
        right = sorted(found) == sorted(arrays) and all(
            np.array_equal(found[key], arrays[key]) for key in arrays
        )
        right &= format_.read_meta(path) == meta
        right &= np.array_equal(format_.read_key(path, SIDE), arrays[SIDE])
        right &= np.array_equal(format_.read_rows(path, LARGE, 5), arrays[LARGE][:5])
        if not right:
            sys.exit(f"{format_.name} does not return what was written: nothing is timed")
    return paths


def _bind(
    formats: list[Format], paths: Mapping[str, Path], method: str, *rest: object
) -> dict[str, Call]:
    return {
        format_.name: functools.partial(getattr(format_, method), paths[format_.name], *rest)
        for format_ in formats
    }


def _row(
    what: str,
    goal: str,
    clock: Clock,
    calls: dict[str, Call],
    before: Callable[[], None] = lambda: None,
) -> None:
    """Time all formats in turn, some rounds, and print the row; ours is the first.

    `before` is called before each clock starts; for works that are not repeated within a round.
    """
    repeats = {name: _find_repeats(call) for name, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            before()
            start = clock()
            for _ in range(repeats[name]):
                call()
            times[name].append((clock() - start) / repeats[name])
    mine, *rest = calls
    unit = "cpu" if clock is time.process_time else "wall"
    print(f"{what:<44} {unit:<4} {statistics.median(times[mine]) * 1e3:10.3f} ms  {goal}")
    for name in rest:
        ratios = sorted(b / a for a, b in zip(times[mine], times[name], strict=True))
        low, high = ratios[ROUNDS // 4], ratios[-1 - ROUNDS // 4]
        print(
            f"    {name:<45} {statistics.median(times[name]) * 1e3:10.3f} ms  "
            f"{statistics.median(ratios):8.2f}x  ({low:.2f}-{high:.2f})",
            flush=True,
        )


def _find_repeats(call: Call) -> int:
    """Return how often a call is repeated in one round, so that the clock can tell."""
    call()
    start = time.perf_counter()
    call()
    return max(1, min(50, int(ENOUGH_SEC / max(time.perf_counter() - start, 1e-9))))
