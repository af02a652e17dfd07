"""Manifests as whole runs of nine components leave them, made cheaply by the hundred thousand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from filmcan.contract.manifest import (
    MANIFEST_NAME,
    ArtifactRecord,
    ComponentRecord,
    Kind,
    Manifest,
    RunRecord,
)
from filmcan.pipeline.profile import resolve_profile
from filmcan.store.base import FORMAT_MARKER, FORMAT_TEXT
from filmcan.store.local import LocalBackend

RUNS_PER_VIDEO = 2
TEMPLATES = 600
ERROR_EVERY, EMPTY_EVERY = 50, 10

_WITHOUT_NETWORK = ("loudness_extractor", "tempo_extractor", "text_processor", "core_optical_flow")
_COMPONENTS: tuple[tuple[str, Kind, str], ...] = (
    ("loudness_extractor", "audio", "audio_npz_v1"),
    ("tempo_extractor", "audio", "audio_npz_v1"),
    ("clap_extractor", "audio", "audio_npz_v1"),
    ("text_processor", "text", "text_npz_v1"),
    ("core_clip", "core", "core_clip_npz_v1"),
    ("core_depth_midas", "core", "core_depth_midas_npz_v1"),
    ("core_object_detections", "core", "core_object_detections_npz_v1"),
    ("core_optical_flow", "core", "core_optical_flow_npz_v1"),
    ("core_face_landmarks", "core", "core_face_landmarks_npz_v1"),
)


def build_manifest(number: int) -> Manifest:
    """Return the manifest of one run; a share of its components is empty or failed."""
    video, turn = divmod(number, RUNS_PER_VIDEO)
    day = f"2026-{number % 12 + 1:02d}-{number % 28 + 1:02d}"
    moment = f"{day}T{number % 24:02d}:{number % 60:02d}:00.000Z"
    digest = _digest(number)
    components = tuple(
        _build_component(number + place, digest, moment, facts)
        for place, facts in enumerate(_COMPONENTS)
    )
    record = RunRecord(
        platform_id=("youtube", "tiktok", "local")[video % 3],
        video_id=f"v{video:08d}",
        run_id=f"{moment[:19].replace('-', '').replace(':', '')}Z-{turn:08d}",
        config_hash=hashlib.sha256(str(turn).encode()).hexdigest(),
        sampling_policy_version="uniform_v1",
        dataprocessor_version="bench",
        created_at=moment,
        updated_at=moment,
        finished_at=moment,
        status="ok",
        planned_components=tuple(name for name, _, _ in _COMPONENTS),
        profile=_PROFILE,
        source={
            "name": f"clip{video}.mp4",
            "size_bytes": 1_000_000 + video,
            "sha256": digest,
            "container": "mov,mp4,m4a,3gp,3g2,mj2",
            "duration_sec": 10.0 + video % 600,
            "decoded_frames": 250,
            "failed_frames": 0,
        },
        filmcan_version="0.1.0",
        revision=11,
        write_id=digest[:16],
        peak_rss_bytes=300_000_000,
    )
    return Manifest(record, components)


def write_runs(folder: Path, count: int) -> None:
    """Write a store of manifests; no index looks at the artifacts that they list."""
    marker = folder / FORMAT_MARKER
    marker.parent.mkdir(parents=True)
    marker.write_bytes(FORMAT_TEXT)
    with LocalBackend(folder).exclusive("local/bench"):
        pass  # makes the change marks, as the first writer does
    for path, data in build_files(count):
        place = folder / path
        place.parent.mkdir(parents=True)
        place.write_bytes(data)


def build_files(count: int) -> Iterator[tuple[str, bytes]]:
    """Yield the path and the bytes of each manifest; beyond the first ones, only ids differ."""
    templates = [build_manifest(number) for number in range(min(count, TEMPLATES))]
    texts = [template.to_bytes() for template in templates]
    for number in range(count):
        run = templates[number % TEMPLATES].run
        video_id, digest = f"v{number // RUNS_PER_VIDEO:08d}", _digest(number)
        text = texts[number % TEMPLATES].replace(run.video_id.encode(), video_id.encode())
        text = text.replace(_digest(number % TEMPLATES).encode(), digest.encode())
        yield f"{run.platform_id}/{video_id}/{run.run_id}/{MANIFEST_NAME}", text


def _digest(number: int) -> str:
    return hashlib.sha256(f"run {number}".encode()).hexdigest()


def _build_component(
    number: int, digest: str, moment: str, facts: tuple[str, Kind, str]
) -> ComponentRecord:
    name, kind, schema_version = facts
    is_error = number % ERROR_EVERY == 0
    is_empty = not is_error and number % EMPTY_EVERY == 0
    artifact = ArtifactRecord(f"{name}/{name}.{digest[:12]}.npz", 20_000 + number, digest, "npz")
    return ComponentRecord(
        name,
        kind,
        "error" if is_error else "empty" if is_empty else "ok",
        artifacts=() if is_error else (artifact,),
        producer_version="1",
        schema_version=schema_version,
        started_at=moment,
        finished_at=moment,
        duration_ms=1234,
        device_used="cpu",
        error="RuntimeError: the component broke" if is_error else None,
        notes="Weights are not in the model cache. Run: filmcan models pull x"
        if is_empty
        else None,
        empty_reason="dependency_missing" if is_empty else None,
        model_signature=digest,
        models_used=()
        if name in _WITHOUT_NETWORK
        else (
            {
                "model_name": "net",
                "model_version": "1",
                "weights_digest": digest,
                "runtime": "onnxruntime",
                "engine": "onnxruntime 1.31.1",
                "precision": "fp32",
                "device": "cpu",
            },
        ),
        reuse_key={"digest": digest, "parts": {"source": digest, "parameters": digest}},
    )


_PROFILE = dict(resolve_profile().document)
