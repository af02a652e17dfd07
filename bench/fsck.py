"""Measure `filmcan fsck` on a store of 10 000 runs, and beside plain sha256 (docs/performance.md).

The runs are made without flushing: every artifact states its own run's ids and every manifest its
artifacts' sizes and digests, so fsck has to look at each. A store that fsck does not find sound is
not timed.
"""

from __future__ import annotations

import hashlib
import io
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from filmcan.contract.ids import parse_id
from filmcan.contract.manifest import MANIFEST_NAME, ArtifactRecord, Manifest
from filmcan.npz.writer import write_npz
from filmcan.store.artifact_files import build_artifact_name
from filmcan.store.findings import Inspection
from filmcan.store.inspect import inspect_store
from filmcan.store.local import LocalBackend
from filmcan.store.transaction import Product, RunTransaction
from filmcan.testing.artifacts import NOW, build_product, build_run_record

SEED = 7
RUNS = int(os.environ.get("FSCK_RUNS", "10000"))
HASHED_RUNS = 2000
LARGE_RUNS = 40
ROUNDS = 5
GOAL_PER_SEC = 2_000
GOAL_SHARE = 0.8

_KIB = 1 << 10
COMPONENTS = {
    "core_clip": ("core_clip_npz_v1", "dependency_missing", 800 * _KIB),
    "core_depth_midas": ("core_depth_midas_npz_v1", "dependency_missing", 30 * _KIB),
    "core_object_detections": ("core_object_detections_npz_v1", "dependency_missing", 200 * _KIB),
    "core_optical_flow": ("core_optical_flow_npz_v1", "video_too_short", 60 * _KIB),
    "core_face_landmarks": ("core_face_landmarks_npz_v1", "no_faces_in_video", 2_300 * _KIB),
    "clap_extractor": ("audio_npz_v1", "dependency_missing", 50 * _KIB),
    "tempo_extractor": ("audio_npz_v1", "audio_missing_or_extract_failed", 30 * _KIB),
    "loudness_extractor": ("audio_npz_v1", "audio_missing_or_extract_failed", 34 * _KIB),
    "text_processor": ("text_npz_v1", "no_text_available", 40 * _KIB),
}
"""Component -> schema_version, a reason to be empty, and about what 400 samples of a video take."""

_DEPTH_MAPS = {"core_depth_midas": 50 << 20}
"""What the depth maps take where a profile keeps them."""

_BULK = "bulk"


@dataclass(frozen=True, slots=True)
class _Template:
    """A finished run, and what each of its artifacts was made of."""

    manifest: Manifest
    products: dict[str, Product]


def measure_fsck(folder: Path) -> None:
    """Print both rates, each with its goal."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    template = _make_template(folder / "template")
    _measure_metas(folder / "many", template)
    _measure_data(folder / "ordinary", template, HASHED_RUNS, {})
    _measure_data(folder / "large", template, LARGE_RUNS, _DEPTH_MAPS)
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def _measure_metas(root: Path, template: _Template) -> None:
    """Judge existence, size and meta of every artifact of many runs."""
    backend = _make_store(root, template, RUNS, None)
    wall, cpu, found = _time(lambda: _inspect(backend, with_data=False))
    rate = found.artifacts / cpu
    print(f"fsck: {found.runs} runs, {found.artifacts} artifacts, {wall:.1f} s, {cpu:.1f} s of CPU")
    print(f"    {rate:8.0f} artifacts per second and core, goal {GOAL_PER_SEC}", flush=True)


def _measure_data(root: Path, template: _Template, runs: int, larger: dict[str, int]) -> None:
    """Rehash every byte of fewer runs of ordinary size, in turn with sha256 over the same files."""
    sizes = {name: item[2] for name, item in COMPONENTS.items()} | larger
    backend = _make_store(root, template, runs, sizes)
    paths = sorted(root.rglob("*.npz"))
    size = sum(path.stat().st_size for path in paths)
    shares = {"cpu": [], "wall": []}  # type: dict[str, list[float]]
    for number in range(ROUNDS + 1):
        theirs_wall, theirs_cpu, _ = _time(lambda: _hash(paths))
        wall, cpu, found = _time(lambda: _inspect(backend, with_data=True))
        if number:  # the first round warms the cache
            shares["cpu"].append(theirs_cpu / cpu)
            shares["wall"].append(theirs_wall / wall)
    mean_kib = size // found.artifacts >> 10
    print(f"fsck --data: {size >> 20} MiB in artifacts of {mean_kib} KiB each, {ROUNDS} rounds")
    for clock, values in shares.items():
        low, *_, high = sorted(values)
        print(
            f"    {100 * statistics.median(values):.0f} % of the speed of sha256 alone by the "
            f"{clock} clock ({100 * low:.0f}-{100 * high:.0f}), goal {100 * GOAL_SHARE:.0f} %",
            flush=True,
        )


def _inspect(backend: LocalBackend, *, with_data: bool) -> Inspection:
    found = inspect_store(backend, with_data=with_data, workers=os.cpu_count() or 1)
    if found.findings:
        raise SystemExit(f"the store is not sound: {found.findings[0].issue}")
    return found


def _hash(paths: list[Path]) -> None:
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256").hexdigest()


def _time(call: Callable[[], Any]) -> tuple[float, float, Any]:
    wall, cpu = time.perf_counter(), _sum_cpu()
    found = call()
    return time.perf_counter() - wall, _sum_cpu() - cpu, found


def _sum_cpu() -> float:
    """Return this process's CPU time and that of its processes that have ended."""
    return sum(os.times()[:4])


# --- stores --------------------------------------------------------------------------------------


def _make_template(root: Path) -> _Template:
    """Commit one run of all components in the ordinary way."""
    run = build_run_record(planned=tuple(COMPONENTS))
    transaction = RunTransaction.create(LocalBackend(root), run, lambda: NOW)
    products = {}
    for name, (schema_version, reason, _) in COMPONENTS.items():
        products[name] = build_product(run, name, schema_version, reason=reason)
        transaction.commit(products[name])
    return _Template(transaction.finish(source={}, peak_rss_bytes=None), products)


def _make_store(
    root: Path, template: _Template, runs: int, sizes: dict[str, int] | None
) -> LocalBackend:
    """Write runs of videos of their own, without flushing; `sizes` asks for bytes beside."""
    backend = LocalBackend(root)
    with backend.exclusive("bench"):  # makes the store's housekeeping
        pass
    generator = np.random.default_rng(SEED)
    for number in range(runs):
        video_id = f"v{number:06d}"
        folder = root / "local" / video_id / template.manifest.run.run_id
        records = dict(_write_artifacts(folder, template, video_id, generator, sizes))
        manifest = replace(
            template.manifest,
            run=replace(template.manifest.run, video_id=parse_id("video_id", video_id)),
            components=tuple(
                replace(component, artifacts=(records[component.name],))
                for component in template.manifest.components
            ),
        )
        (folder / MANIFEST_NAME).write_bytes(manifest.to_bytes())
    return backend


def _write_artifacts(
    folder: Path,
    template: _Template,
    video_id: str,
    generator: np.random.Generator,
    sizes: dict[str, int] | None,
) -> Iterator[tuple[str, ArtifactRecord]]:
    """Write a run's artifacts and yield each one's record with its component."""
    for name, product in template.products.items():
        arrays = dict(product.arrays)
        if sizes is not None:
            arrays[_BULK] = generator.random(sizes[name] // 4, np.float32)
        file = io.BytesIO()
        written = write_npz(file, arrays, {**product.meta, "video_id": video_id})
        path = folder / name / build_artifact_name(name, written.sha256)
        path.parent.mkdir(parents=True)
        path.write_bytes(file.getbuffer())
        place = f"{name}/{path.name}"
        yield name, ArtifactRecord(place, written.size_bytes, written.sha256, "npz")
