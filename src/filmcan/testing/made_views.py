"""A component nobody wrote code for: a schema with every hint of a picture, and arrays for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from filmcan.contract.manifest import ComponentRecord
from filmcan.contract.meta import Identity, build_meta
from filmcan.contract.missing import build_feature_names
from filmcan.contract.registry import get_schema
from filmcan.contract.schema import ArtifactSchema, parse_schema
from filmcan.contract.signature import sign_models
from filmcan.store.transaction import Product
from filmcan.testing.artifacts import NOW, build_run_record

if TYPE_CHECKING:
    from filmcan.contract.manifest import RunRecord

STRANGER = "acme_watcher"
STRANGER_VERSION = "acme_watcher_npz_v1"
SAMPLES = 9
PREVIEWS = 3


def _key(dtype: str, shape: list[object], description: str, **more: object) -> dict[str, object]:
    return {
        "dtype": dtype,
        "shape": shape,
        "tier": "analytics",
        "description": description,
        **more,
    }


STRANGER_DOCUMENT: dict[str, Any] = {
    "schema_version": STRANGER_VERSION,
    "kind": "module",
    "description": "What a component by somebody else measured.",
    "components": {
        STRANGER: {
            "description": "Everything that can be drawn, once.",
            "empty_reasons": ["video_too_short"],
            "dims": {
                "N": {"description": "samples", "samples": True, "positions": "times_sec"},
                "K": {"description": "previews", "positions": "preview_indices"},
                "M": {"description": "things in a frame"},
                "C": {"description": "kinds of things", "labels": "kind_names"},
                "E": {"description": "events"},
                "F": {"description": "features", "labels": "feature_names"},
            },
            "features": {
                "zest": {"unit": "zest", "range": [0, 10], "description": "how lively it is"},
                "gloom": {"nullable": True, "description": "how dark it is, if at all"},
            },
            "keys": {
                "feature_names": _key("object_str", ["F"], "names"),
                "feature_values": _key("float32", ["F"], "values", nullable=True, view="bars"),
                "times_sec": _key("float32", ["N"], "when", unit="s", increasing=True),
                "mood_present": _key("bool", ["N"], "where there is a mood"),
                "mood": _key(
                    "float32", ["N"], "a curve", unit="mood", mask="mood_present", view="line"
                ),
                "thing_count": _key(
                    "int32", ["N"], "how many", mask="mood_present", range=[0, None], view="line"
                ),
                "hits_sec": _key(
                    "float32", ["E"], "bangs", unit="s", increasing=True, view="events"
                ),
                "kind_names": _key("str", ["C"], "names of kinds"),
                "kind_scores": _key("float32", ["N", "C"], "scores", view="heat_map"),
                "vectors": _key("float32", ["N", 4], "a vector each", view="similarity"),
                "thing_present": _key("bool", ["N", "M"], "where there is a thing"),
                "things": _key(
                    "float32",
                    ["N", "M", 4],
                    "boxes",
                    mask="thing_present",
                    view="boxes",
                    captions=["thing_kinds", "thing_scores"],
                ),
                "thing_kinds": _key(
                    "int32", ["N", "M"], "kinds", mask="thing_present", indexes="C"
                ),
                "thing_scores": _key("float32", ["N", "M"], "scores", mask="thing_present"),
                "marks": _key("float32", ["N", 5, 2], "points", view="landmarks"),
                "preview_indices": _key("int32", ["K"], "samples", increasing=True, indexes="N"),
                "glow": _key("float16", ["K", 6, 8], "maps", view="image_strip", unit="glow"),
                "drift": _key("float16", ["K", 3, 4, 2], "fields", view="flow_strip"),
            },
        }
    },
}


def get_stranger_schema() -> ArtifactSchema:
    """Return the parsed rules."""
    return parse_schema(STRANGER_DOCUMENT, STRANGER)


def find_rules(schema_version: str, component: str) -> ArtifactSchema:
    """Return the rules of the registry, and of the stranger."""
    if (schema_version, component) == (STRANGER_VERSION, STRANGER):
        return get_stranger_schema()
    return get_schema(schema_version, component)


def build_stranger_arrays() -> dict[str, np.ndarray]:
    """Return arrays that satisfy the schema: sample 4 has no mood, sample 2 no second thing."""
    rows = np.arange(SAMPLES)
    mood = np.sin(rows).astype(np.float32)
    mood[4] = np.nan
    counts = np.full(SAMPLES, 2, np.int32)
    counts[4] = -1
    present = np.ones((SAMPLES, 2), bool)
    present[2, 1] = False
    things = np.tile(np.array([[0.1, 0.2, 0.4, 0.6], [0.5, 0.5, 0.9, 0.9]], np.float32), (9, 1, 1))
    things[~present] = np.nan
    kinds = np.tile(np.array([0, 2], np.int32), (SAMPLES, 1))
    kinds[~present] = -1
    scores = np.tile(np.array([0.875, 0.5], np.float32), (SAMPLES, 1))
    scores[~present] = np.nan
    return {
        "feature_names": build_feature_names(["zest", "gloom"]),
        "feature_values": np.array([7.5, np.nan], np.float32),
        "times_sec": (rows / 2).astype(np.float32),
        "mood_present": rows != 4,
        "mood": mood,
        "thing_count": counts,
        "hits_sec": np.array([0.25, 3.5], np.float32),
        "kind_names": np.array(["cat", "dog", "<b>eel</b>"]),
        "kind_scores": (np.arange(SAMPLES * 3).reshape(SAMPLES, 3) / 27).astype(np.float32),
        "vectors": np.eye(4, dtype=np.float32)[rows % 4],
        "thing_present": present,
        "things": things,
        "thing_kinds": kinds,
        "thing_scores": scores,
        "marks": np.tile(np.linspace(0.2, 0.8, 10, dtype=np.float32).reshape(5, 2), (9, 1, 1)),
        "preview_indices": np.array([0, 4, 8], np.int32),
        "glow": np.arange(PREVIEWS * 48, dtype=np.float16).reshape(PREVIEWS, 6, 8),
        "drift": np.full((PREVIEWS, 3, 4, 2), 0.5, np.float16),
    }


def build_stranger_product(run: RunRecord | None = None, **changes: np.ndarray) -> Product:
    """Return the stranger's artifact, ready to be committed."""
    run = run if run is not None else build_run_record()
    meta = build_meta(
        Identity(run.platform_id, run.video_id, run.run_id, STRANGER),
        producer_version="0.3",
        schema_version=STRANGER_VERSION,
        created_at=NOW,
        config_hash=run.config_hash,
        sampling_policy_version=run.sampling_policy_version,
        dataprocessor_version=run.dataprocessor_version,
        status="ok",
        empty_reason=None,
        models_used=[],
        optional={},
    )
    record = ComponentRecord(
        STRANGER,
        "module",
        "ok",
        producer_version="0.3",
        schema_version=STRANGER_VERSION,
        started_at=NOW,
        finished_at=NOW,
        duration_ms=12,
        model_signature=sign_models([]),
    )
    return Product(record, {**build_stranger_arrays(), **changes}, meta)
