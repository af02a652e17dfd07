"""Manifests of many kinds, written without artifacts: for what only reads manifests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from filmcan.contract.manifest import (
    MANIFEST_NAME,
    ArtifactRecord,
    ComponentRecord,
    Manifest,
    RunRecord,
    Status,
)
from filmcan.testing.artifacts import DIGEST, build_run_record

if TYPE_CHECKING:
    from filmcan.store.base import Backend

COMPONENTS = ("core_clip", "loudness_extractor", "text_processor")
_OUTCOMES: tuple[Status, ...] = ("ok", "empty", "error")


def build_made_run(number: int) -> Manifest:
    """Return the manifest of one run; every field that can be filtered takes several values."""
    run = build_run_record(
        ("local", "youtube")[number % 2],
        f"v{number // 3}",
        f"r{number}",
        config_hash=f"{number % 4:x}" * 64,
        planned=COMPONENTS,
    )
    time = f"2026-01-{1 + number * 7 % 28:02d}T12:00:00.{number:03d}Z"
    finished = number % 5 != 0
    run = replace(
        run,
        created_at=time,
        updated_at=time,
        finished_at=time if finished else None,
        status=(None if not finished else "error" if number % 7 == 0 else "ok"),
        source={"name": f"Clip_{number}.mp4", "duration_sec": number * 1.5}
        if number % 6
        else {"name": "Клип.mp4"},
        revision=number,
    )
    names = COMPONENTS if finished else COMPONENTS[:2]
    return Manifest(
        run, tuple(_build_component(number + place, name) for place, name in enumerate(names))
    )


def _build_component(number: int, name: str) -> ComponentRecord:
    outcome = _OUTCOMES[number % 3]
    digest = f"{number % 5:x}" * 64
    artifact = ArtifactRecord(f"{name}/{name}.{digest[:12]}.npz", 100 + number, digest, "npz")
    beside = ArtifactRecord(f"{name}/{name}.{digest[:12]}/x.npy", 7, digest, "npy")
    artifacts = () if outcome == "error" else (artifact, beside) if number % 4 == 0 else (artifact,)
    return ComponentRecord(
        name,
        "core",
        outcome,
        artifacts=artifacts,
        producer_version=str(number % 2),
        schema_version=f"{name}_npz_v{1 + number % 2}",
        duration_ms=number,
        error=f"RuntimeError: 100% of {number}_x broke" if outcome == "error" else None,
        notes=f"Заметка {number}" if outcome == "empty" else None,
        empty_reason=("video_too_short", "dependency_missing")[number % 2]
        if outcome == "empty"
        else None,
        model_signature=digest,
        reuse_key={"digest": DIGEST, "parts": {}} if number % 2 else {"parts": {"a": "b"}},
    )


def write_manifest(backend: Backend, manifest: Manifest) -> str:
    """Write a manifest as a writer does, under the lock of its video; return the run's path."""
    run: RunRecord = manifest.run
    path = f"{run.platform_id}/{run.video_id}/{run.run_id}"
    with backend.exclusive(path.rpartition("/")[0]):
        found = backend.find_versioned(f"{path}/{MANIFEST_NAME}", limit=1 << 24)
        backend.swap(
            f"{path}/{MANIFEST_NAME}",
            manifest.to_bytes(),
            expected=found.version if found is not None else None,
        )
    return path
