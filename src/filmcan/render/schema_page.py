"""SCHEMA.md: a machine schema as a page for people (C7.1). Generated, never edited."""

from __future__ import annotations

from typing import TYPE_CHECKING

from filmcan.contract.missing import CANONICAL_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from filmcan.contract.schema import ArtifactSchema, FeatureSchema, KeySchema

_SENTENCES = {
    "model_facing": "for training and serving",
    "analytics": "for people and dashboards",
    "debug": "for tracing a run",
}


def render_schema_page(schema: ArtifactSchema) -> str:
    """Return the page of one component: dims, keys, features and reasons, as Markdown."""
    lines = [
        f"# {schema.component}",
        "",
        f"Generated from the machine schema `{schema.schema_version}`; do not edit.",
        "",
        schema.description,
        "",
        f"Kind `{schema.kind}`. Every artifact also holds `meta` and `meta_json` (contract, C4).",
        "",
        "## Dims",
        "",
        "| dim | counts |",
        "| --- | --- |",
        *(
            f"| {dim.name} | {_cell(dim.description)}"
            f"{'; at least one when the status is ok' if dim.samples else ''} |"
            for dim in schema.dims.values()
        ),
        "",
        "## Keys",
        "",
        *(line for tier in _SENTENCES for line in _render_tier(schema.keys.values(), tier)),
        *_render_features(schema.features, open_features=schema.open_features),
        "## Reasons why the artifact, or a part of it, is empty",
        "",
        *(
            f"- `{reason}`{'' if reason in CANONICAL_REASONS else ' (of its own)'}"
            for reason in schema.empty_reasons
        ),
    ]
    return "\n".join(lines) + "\n"


def _render_tier(keys: Iterable[KeySchema], tier: str) -> list[str]:
    found = [key for key in keys if key.tier == tier]
    if not found:
        return []
    return [
        f"### {tier}: {_SENTENCES[tier]}",
        "",
        "| key | type | unit | range | missing | description |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_render_key(key) for key in found),
        "",
    ]


def _render_key(key: KeySchema) -> str:
    axes = ", ".join(str(axis) for axis in key.shape)
    optional = "" if key.required else " (optional)"
    rules = []
    if key.mask is not None:
        rules.append(f"where `{key.mask}` is false")
    if key.nullable:
        rules.append("may be missing" if key.mask is None else "or not measurable")
    notes = []
    if key.increasing:
        notes.append("Strictly increasing.")
    if not key.zero_plausible:
        notes.append("Never zero throughout.")
    description = " ".join([key.description, *notes])
    return (
        f"| `{key.name}`{optional} | {key.dtype}[{axes}] | {_cell(key.unit)} "
        f"| {_range(key.low, key.high)} | {' '.join(rules)} | {_cell(description)} |"
    )


def _render_features(features: Iterable[FeatureSchema], *, open_features: bool) -> list[str]:
    rows = [
        f"| `{feature.name}` | {_cell(feature.unit)} | {_range(feature.low, feature.high)} "
        f"| {_missing(feature)} | {_cell(feature.description)} |"
        for feature in features
    ]
    more = ["More features follow, named by the profile.", ""] if open_features else []
    if not rows:
        return more
    return [
        "## Features",
        "",
        "`feature_names` and `feature_values`, in this order.",
        "",
        "| feature | unit | range | NaN | description |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
        *more,
    ]


def _missing(feature: FeatureSchema) -> str:
    rules = [f"where `{feature.mask}` is false"] if feature.mask is not None else []
    if feature.nullable:
        rules.append("or not measurable" if rules else "where not measurable")
    return " ".join(rules)


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    left = "" if low is None else f"{low:g}"
    right = "" if high is None else f"{high:g}"
    return f"{left}..{right}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
