"""The tabular part of an artifact as JSON: name, value, unit, and why a value is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filmcan.render.missing import find_missing_reason
from filmcan.render.values import render_number

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema, FeatureSchema
    from filmcan.npz.artifact import Artifact


def render_features(artifact: Artifact, schema: ArtifactSchema | None) -> list[dict[str, object]]:
    """Return one row per feature, in the artifact's order.

    Args:
        artifact: An open artifact.
        schema: Its rules, for units and reasons; None for an unknown schema_version.

    Raises:
        InvalidArtifactError: Names and values are damaged or do not belong together.
    """
    known = {feature.name: feature for feature in schema.features} if schema is not None else {}
    names = tuple(artifact.features)  # checks names and values
    if not names:
        return []
    values = artifact["feature_values"]
    return [
        _render_feature(artifact, known.get(name), name, render_number(value))
        for name, value in zip(names, values, strict=True)
    ]


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
