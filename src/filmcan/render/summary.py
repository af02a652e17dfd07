"""A run or an artifact in brief, as JSON: what there is, what is missing and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filmcan.contract.manifest import ComponentRecord, Manifest
    from filmcan.contract.schema import ArtifactSchema
    from filmcan.npz.artifact import Artifact


def render_run_summary(manifest: Manifest) -> dict[str, object]:
    """Return a run's ids, source, state and one row per component."""
    run = manifest.run
    return {
        "platform_id": run.platform_id,
        "video_id": run.video_id,
        "run_id": run.run_id,
        "status": run.status,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
        "config_hash": run.config_hash,
        "sampling_policy_version": run.sampling_policy_version,
        "dataprocessor_version": run.dataprocessor_version,
        "source": dict(run.source),
        "pending_components": list(manifest.pending_components),
        "components": [render_component(record) for record in manifest.components],
    }


def render_component(record: ComponentRecord) -> dict[str, object]:
    """Return one component's row: state, reason, cost, size."""
    return {
        "name": record.name,
        "kind": record.kind,
        "status": record.status,
        "empty_reason": record.empty_reason,
        "error": record.error,
        "notes": record.notes,
        "duration_ms": record.duration_ms,
        "device_used": record.device_used,
        "size_bytes": sum(artifact.size_bytes for artifact in record.artifacts),
        "schema_version": record.schema_version,
        "producer_version": record.producer_version,
    }


def render_artifact_summary(artifact: Artifact, schema: ArtifactSchema | None) -> dict[str, object]:
    """Return an artifact's meta and one row per array; no array is read."""
    keys = schema.keys if schema is not None else {}
    rows = []
    for name in artifact:
        known = keys.get(name)
        rows.append(
            {
                "key": name,
                "dtype": str(artifact.dtype(name)),
                "shape": list(artifact.shape(name)),
                "unit": known.unit if known is not None else "",
                "tier": known.tier if known is not None else "",
                "description": known.description if known is not None else "",
            }
        )
    return {"meta": dict(artifact.meta), "keys": rows}
