"""Artifacts made for tests: small, valid, with every part that C4 demands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filmcan.contract.manifest import ComponentRecord, RunRecord
from filmcan.contract.meta import Identity, build_meta
from filmcan.contract.missing import build_empty_arrays
from filmcan.contract.registry import get_schema
from filmcan.contract.signature import sign_models
from filmcan.store.transaction import Product

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

NOW = "2026-01-31T12:00:00.000Z"
DIGEST = "0" * 64
COMPONENT = "core_optical_flow"
SCHEMA_VERSION = "core_optical_flow_npz_v1"


def build_run_record(
    platform_id: str = "local",
    video_id: str = "v1",
    run_id: str = "r1",
    *,
    config_hash: str = DIGEST,
    planned: tuple[str, ...] = (COMPONENT,),
    source_sha256: str = DIGEST,
) -> RunRecord:
    """Return the record of a run that has just begun."""
    return RunRecord(
        platform_id=platform_id,
        video_id=video_id,
        run_id=run_id,
        config_hash=config_hash,
        sampling_policy_version="uniform_v1",
        dataprocessor_version="test",
        created_at=NOW,
        updated_at=NOW,
        planned_components=planned,
        source={"name": "clip.mp4", "sha256": source_sha256},
    )


def build_product(
    run: RunRecord,
    name: str = COMPONENT,
    schema_version: str = SCHEMA_VERSION,
    *,
    reason: str = "video_too_short",
    arrays: Mapping[str, np.ndarray] | None = None,
    **meta_changes: object,
) -> Product:
    """Return an empty artifact of a component, filled by its schema, ready to be committed."""
    identity = Identity(run.platform_id, run.video_id, run.run_id, name)
    meta = build_meta(
        identity,
        producer_version="1.0.0",
        schema_version=schema_version,
        created_at=NOW,
        config_hash=run.config_hash,
        sampling_policy_version=run.sampling_policy_version,
        dataprocessor_version=run.dataprocessor_version,
        status="empty",
        empty_reason=reason,
        models_used=[],
        optional={},
    )
    schema = get_schema(schema_version, name)
    record = ComponentRecord(
        name,
        schema.kind,
        "ok",
        producer_version="1.0.0",
        schema_version=schema_version,
        started_at=NOW,
        finished_at=NOW,
        duration_ms=1,
        model_signature=sign_models([]),
    )
    return Product(record, build_empty_arrays(schema, arrays or {}), {**meta, **meta_changes})
