"""Stores made for tests as another system writes them: the same layout, numpy's NPZ, its own rows.

What is known of such a store is in `docs/import.md`: `type` instead of `kind`, no size and no
digest, whole seconds, a meta only as a pickled dict.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

RUN_PATH = "tube/v1/r1"
SECONDS = "2026-02-13T08:15:02Z"
CONFIG_HASH = "9f2c1b7d04ae6538"

UNMEASURED: dict[str, np.ndarray] = {
    "feature_names": np.array(["clap_norm"], dtype=object),
    "feature_values": np.full(1, np.nan, np.float32),
    "embedding": np.zeros(0, np.float32),
    "embedding_present": np.zeros((), bool),
}
"""What that system writes for sound that is not there."""


class ForeignStore:
    """A folder that another system wrote; each method writes one thing into it."""

    def __init__(self, root: Path) -> None:
        """Name the folder."""
        self.root = root

    def write_artifact(
        self,
        component: str = "core_optical_flow",
        arrays: dict[str, np.ndarray] | None = None,
        *,
        run_path: str = RUN_PATH,
        name: str = "out.npz",
        **meta_changes: Any,  # noqa: ANN401 - any value a dict of theirs may hold
    ) -> Path:
        """Write an NPZ with numpy; a meta key that is given as `...` is left out."""
        given = {**build_foreign_meta(component, run_path), **meta_changes}
        meta = {key: value for key, value in given.items() if value is not ...}
        path = self.root / run_path / component / name
        path.parent.mkdir(parents=True, exist_ok=True)
        members = {**(arrays if arrays is not None else {}), "meta": np.array(meta, dtype=object)}
        np.savez_compressed(path, allow_pickle=True, **members)
        return path

    def write_manifest(
        self,
        *rows: dict[str, Any],
        run_path: str = RUN_PATH,
        **run_changes: Any,  # noqa: ANN401 - any value of JSON
    ) -> Path:
        """Write a manifest; a field of the run that is given as `...` is left out."""
        platform_id, video_id, run_id = run_path.split("/")
        given = {
            "platform_id": platform_id,
            "video_id": video_id,
            "run_id": run_id,
            "config_hash": CONFIG_HASH,
            "sampling_policy_version": "v1",
            "dataprocessor_version": "1.4.0",
            "created_at": SECONDS,
            "frames_dir": "/data/frames/v1",
            "updated_at": SECONDS,
            **run_changes,
        }
        run = {key: value for key, value in given.items() if value is not ...}
        return self.write_file(
            "manifest.json", json.dumps({"run": run, "components": rows}), run_path
        )

    def write_file(self, name: str, text: str | bytes, run_path: str = RUN_PATH) -> Path:
        """Write any file into a run's folder."""
        path = self.root / run_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def read_bytes(self) -> dict[str, bytes]:
        """Return every file of the store, to see that nothing changed."""
        files = sorted(path for path in self.root.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): path.read_bytes() for path in files}


def build_foreign_row(
    component: str = "core_optical_flow",
    path: str | None = None,
    **changes: Any,  # noqa: ANN401 - any value of JSON
) -> dict[str, Any]:
    """Return one row of a manifest; `...` leaves a field out."""
    row = {
        "name": component,
        "kind": "core" if component.startswith("core_") else "audio",
        "status": "ok",
        "empty_reason": None,
        "started_at": SECONDS,
        "finished_at": "2026-02-13T08:15:04Z",
        "duration_ms": 57,
        "artifacts": [{"path": path or f"{component}/out.npz", "type": "npz"}],
        "producer_version": None,
        "schema_version": None,
        "device_used": "cuda",
        "error": None,
        "error_code": None,
        "warnings": [],
        "notes": None,
        **changes,
    }
    return {key: value for key, value in row.items() if value is not ...}


def build_foreign_meta(component: str, run_path: str = RUN_PATH) -> dict[str, Any]:
    """Return a meta as that system writes it."""
    platform_id, video_id, run_id = run_path.split("/")
    audio = not component.startswith(("core_", "text_"))
    return {
        "producer": component,
        "producer_version": "2.0",
        "schema_version": "audio_npz_v1" if audio else f"{component}_npz_v1",
        "created_at": "2026-02-13T08:15:03.395718",
        "status": "ok",
        "empty_reason": None,
        "platform_id": platform_id,
        "video_id": video_id,
        "run_id": run_id,
        "config_hash": CONFIG_HASH,
        "sampling_policy_version": "v1",
        "dataprocessor_version": "1.4.0",
        "stage_timings_ms": {"total": 7.7},
        "models_used": [],
        "model_signature": "",
    }


def build_foreign_flow() -> dict[str, np.ndarray]:
    """Return what that system measures of motion: a zero stands where there was no pair."""
    return {
        "frame_indices": np.array([0, 8, 16], np.int32),
        "times_s": np.array([0.0, 0.32, 0.64], np.float32),
        "dt_seconds": np.array([np.nan, 0.32, 0.32], np.float32),
        "motion_norm_per_sec_mean": np.array([0.0, 0.2, 0.1], np.float32),
    }


def build_foreign_detections(*, schema_keys: bool = True) -> dict[str, np.ndarray]:
    """Return detections padded with zeros, as that system writes them.

    Args:
        schema_keys: Add what core_object_detections_npz_v1 requires besides; then only names
            and padding differ from it.
    """
    valid = np.array([[True, False], [False, False]])
    arrays = {
        "frame_indices": np.array([0, 8], np.int32),
        "times_s": np.array([0.0, 0.32], np.float32),
        "boxes": np.zeros((2, 2, 4), np.float32),
        "scores": np.zeros((2, 2), np.float32),
        "class_ids": np.zeros((2, 2), np.int32),
        "valid_mask": valid,
        "class_names": np.array(["person"]),
    }
    arrays["boxes"][0, 0] = (0.1, 0.2, 0.5, 0.6)
    arrays["scores"][0, 0] = 0.75
    if schema_keys:
        arrays |= _build_detection_summary()
    return arrays


def _build_detection_summary() -> dict[str, np.ndarray]:
    values = {
        "detection_frame_count": 2.0,
        "det_count_mean": 0.5,
        "det_count_std": 0.5,
        "det_count_max": 1.0,
        "person_count_mean": 0.5,
        "person_count_std": 0.5,
        "person_count_max": 1.0,
        "person_frame_share": 0.5,
        "class_count": 1.0,
        "score_mean": 0.75,
        "box_area_mean": 0.16,
        "person_area_mean": 0.16,
        "frame_share[person]": 0.5,
    }
    return {
        "frame_present": np.array([True, True]),
        "det_count": np.array([1, 0], np.int32),
        "person_count": np.array([1, 0], np.int32),
        "feature_names": np.array(list(values), dtype=object),
        "feature_values": np.array(list(values.values()), np.float32),
    }
