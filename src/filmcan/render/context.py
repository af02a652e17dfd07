"""The compact render context: all that a text about a run may say (C10.2).

Aggregates, highlights and what is missing, as numbers already rounded the way a text tells them.
Whoever writes from it computes nothing, so every number of the text stands here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from filmcan.contract.canonical import canonical_json
from filmcan.render.features import render_features
from filmcan.render.series import Window, render_series

if TYPE_CHECKING:
    from filmcan.contract.manifest import Manifest
    from filmcan.contract.schema import ArtifactSchema
    from filmcan.npz.artifact import Artifact

_MOST_FEATURES = 6
_MOST_PEAKS = 2
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Quantity:
    """One number that was measured.

    Attributes:
        component: Who measured it.
        name: The feature, or the key that has the peak.
        value: Rounded as a text tells it.
        unit: Its unit, `""` when it has none.
    """

    component: str
    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Peak:
    """The greatest value of a curve and when it was."""

    component: str
    name: str
    value: float
    unit: str
    at_sec: float


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that was to be measured and was not: a component, or one of its features."""

    component: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class RenderContext:
    """All that a text about a run may say.

    Attributes:
        title: Name of the source, or the video's id.
        status: Of the run.
        duration_sec: Of the source, rounded; None when it is not known.
        quantities: What was measured, the most important first.
        peaks: Highlights along time.
        missing: What was not measured, and why.
    """

    title: str
    status: str
    duration_sec: float | None
    quantities: tuple[Quantity, ...]
    peaks: tuple[Peak, ...]
    missing: tuple[Missing, ...]

    def to_json(self) -> str:
        """Return the context as canonical JSON: what a language model is given."""
        return canonical_json(
            {
                key: list(value) if isinstance(value, tuple) else value
                for key, value in asdict(self).items()
            }
        )


def build_context(
    manifest: Manifest, artifacts: Iterable[tuple[Artifact, ArtifactSchema | None]]
) -> RenderContext:
    """Return the context of a run.

    Args:
        manifest: Of the run.
        artifacts: Its artifacts with their rules, in the manifest's order.

    Raises:
        InvalidArtifactError: One is damaged.
    """
    run = manifest.run
    quantities: list[Quantity] = []
    peaks: list[Peak] = []
    missing = [
        Missing(record.name, "", record.empty_reason or "error")
        for record in manifest.components
        if record.status != "ok"
    ]
    for artifact, schema in artifacts:
        if artifact.status != "ok":
            continue
        found, absent = _read_features(artifact, schema)
        quantities += found
        missing += absent
        peaks += _find_peaks(artifact, schema)
    duration = run.source.get("duration_sec")
    return RenderContext(
        title=str(run.source.get("name") or run.video_id),
        status=run.status or "unfinished",
        duration_sec=round_told(duration) if isinstance(duration, int | float) else None,
        quantities=tuple(quantities),
        peaks=tuple(peaks),
        missing=tuple(missing),
    )


def round_told(value: float) -> float:
    """Return a number with three significant digits, whole numbers as they are."""
    if not math.isfinite(value) or float(value).is_integer():
        return float(value)
    return float(f"{value:.{_DIGITS}g}") if abs(value) < 100 else float(round(value))  # noqa: PLR2004


def _read_features(
    artifact: Artifact, schema: ArtifactSchema | None
) -> tuple[list[Quantity], list[Missing]]:
    found, absent = [], []
    for row in render_features(artifact, schema)[:_MOST_FEATURES]:
        name, value = str(row["name"]), row["value"]
        if isinstance(value, int | float):
            unit = str(row["unit"])
            found.append(Quantity(artifact.component, name, round_told(value), unit))
        else:
            absent.append(Missing(artifact.component, name, str(row["missing_reason"])))
    return found, absent


def _find_peaks(artifact: Artifact, schema: ArtifactSchema | None) -> list[Peak]:
    if schema is None:
        return []
    lines = [
        key.name for key in schema.keys.values() if key.view == "line" and len(key.shape) == 1
    ][:_MOST_PEAKS]
    found = []
    for row in render_series(artifact, schema, Window(keys=lines)):
        point = _find_greatest(row)
        if point is not None:
            at_sec, value = (round_told(number) for number in point)
            found.append(Peak(artifact.component, str(row["key"]), value, str(row["unit"]), at_sec))
    return found


def _find_greatest(row: Mapping[str, object]) -> tuple[float, float] | None:
    match row:
        case {"axis": {"unit": "s"}, "curves": [{"x": [*times], "y": [*values]}]}:
            known = [
                (float(value), float(at))
                for at, value in zip(times, values, strict=True)
                if value is not None and at is not None
            ]
            if known and max(known)[0] > min(known)[0]:
                value, at = max(known)
                return at, value
    return None
