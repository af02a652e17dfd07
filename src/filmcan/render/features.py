"""The tabular part of an artifact as JSON: name, value, unit, and why a value is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filmcan.render.values import render_number

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema, FeatureSchema
    from filmcan.npz.artifact import Artifact

_PRESENT = "_present"
_REASON = "_empty_reason"


def render_features(artifact: Artifact, schema: ArtifactSchema | None) -> list[dict[str, object]]:
    """Return one row per feature, in the artifact's order.

    Args:
        artifact: An open artifact.
        schema: Its rules, for units and reasons; None for an unknown schema_version.
    """
    if "feature_names" not in artifact or "feature_values" not in artifact:
        return []
    known = {feature.name: feature for feature in schema.features} if schema is not None else {}
    names = artifact["feature_names"].tolist()
    values = artifact["feature_values"]
    return [
        _render_feature(artifact, known.get(name), name, render_number(value))
        for name, value in zip(names, values, strict=True)
    ]


def find_missing_reason(artifact: Artifact, mask: str | None) -> str:
    """Return why a value governed by a mask is missing, in canonical words where there are any."""
    if artifact.status == "empty":
        return str(artifact.meta.get("empty_reason"))
    if mask is not None and mask in artifact and not artifact[mask].all():
        reason_key = f"{mask.removesuffix(_PRESENT)}{_REASON}"
        if reason_key in artifact:
            reason = str(artifact[reason_key].item())
            if reason:
                return reason
        return f"{mask} is false"
    return "not measurable on this input"


def _render_feature(
    artifact: Artifact, feature: FeatureSchema | None, name: str, value: float | None
) -> dict[str, object]:
    mask = feature.mask if feature is not None else None
    return {
        "name": name,
        "value": value,
        "unit": feature.unit if feature is not None else "",
        "missing_reason": find_missing_reason(artifact, mask) if value is None else None,
        "description": feature.description if feature is not None else "",
    }
