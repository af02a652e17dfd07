"""Whether two stores hold the same results: what is compared, and what may differ (C11).

Two batches of the same videos, one undisturbed, one killed and resumed, give equal descriptions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from filmcan.contract.manifest import parse_manifest
from filmcan.pipeline.reuse import sort_latest_first
from filmcan.store.store import open_store

if TYPE_CHECKING:
    import numpy as np

    from filmcan.store.run import Run

VOLATILE_RUN_KEYS = frozenset(
    {
        "created_at",
        "finished_at",
        "peak_rss_bytes",
        "revision",
        "run_id",
        "updated_at",
        "write_id",
    }
)
"""Of a manifest's `run`: which run it is, when it was written, and how often."""

VOLATILE_COMPONENT_KEYS = frozenset(
    {"artifacts", "duration_ms", "finished_at", "reused_from_run_id", "started_at"}
)
"""Of a component's record. Names and digests of artifacts follow from their meta, which has times;
their arrays are compared themselves."""

VOLATILE_META_KEYS = frozenset({"created_at", "reused_from_run_id", "run_id"})


def describe_store(path: str | Path) -> dict[str, object]:
    """Return what the latest run of each video holds: video -> manifest, metas, arrays."""
    videos: dict[str, list[Run]] = {}
    for run in open_store(path).runs():
        videos.setdefault(f"{run.platform_id}/{run.video_id}", []).append(run)
    return {video: _describe(sort_latest_first(runs)[0]) for video, runs in videos.items()}


def _describe(run: Run) -> dict[str, object]:
    data = run.backend.read(f"{run.path}/manifest.json", limit=1 << 24)
    manifest = parse_manifest(data)
    record = {
        name: getattr(manifest.run, name)
        for name in manifest.run.__dataclass_fields__
        if name not in VOLATILE_RUN_KEYS
    }
    return {
        "run": record,
        "components": {
            item.name: _describe_component(run, item.name) for item in manifest.components
        },
    }


def _describe_component(run: Run, name: str) -> dict[str, object]:
    record = run.components[name]
    told: dict[str, object] = {
        field: getattr(record, field)
        for field in record.__dataclass_fields__
        if field not in VOLATILE_COMPONENT_KEYS
    }
    if not record.artifacts:
        return told
    with run[name] as artifact:
        meta = {key: item for key, item in artifact.meta.items() if key not in VOLATILE_META_KEYS}
        arrays = {key: _digest(artifact[key]) for key in artifact}
    return {**told, "meta": meta, "arrays": arrays}


def _digest(array: np.ndarray) -> str:
    content = repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes()
    return f"{array.dtype} {array.shape} {hashlib.sha256(content).hexdigest()}"


def find_difference(first: object, second: object, place: str = "") -> str | None:
    """Return the first place in which two descriptions differ, None when they are equal."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        for key in sorted({*first, *second}, key=str):
            if key not in first or key not in second:
                return f"{place}.{key} is only in the {'first' if key in first else 'second'}"
            found = find_difference(first[key], second[key], f"{place}.{key}")
            if found is not None:
                return found
        return None
    return None if first == second else f"{place}: {first!r:.200} is not {second!r:.200}"
