"""The shapes of all answers, for the OpenAPI document.

Answers are built by operations and sent as they are; tests hold them to these shapes.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Json = Any
Status = Literal["ok", "empty", "error"]


class Shape(BaseModel):
    """An object with exactly these fields."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetail(Shape):
    """What is wrong, where, and what to do."""

    code: str
    message: str
    where: str
    hint: str


class ErrorShape(Shape):
    """Every error of this server."""

    error: ErrorDetail


class Health(Shape):
    """That the server lives and reaches its store."""

    status: Literal["ok"]
    version: str
    has_media: bool


class RunRow(Shape):
    """One run of a list."""

    platform_id: str
    video_id: str
    run_id: str
    run_path: str
    created_at: str
    finished_at: str | None
    status: Literal["ok", "error"] | None
    duration_sec: float | None
    components: dict[str, int]
    pending: list[str]


class ReasonCount(Shape):
    """How many of the matching runs have a component that ended so."""

    component: str
    status: Status
    reason: str
    count: int


class RunList(Shape):
    """One page of runs, and counts over all that match."""

    runs: list[RunRow]
    total: int
    total_runs: int
    unreadable: int
    offset: int
    limit: int
    next_offset: int | None
    statuses: dict[str, int]
    reasons: list[ReasonCount]
    platforms: dict[str, int]
    components: list[str]


class ComponentRow(Shape):
    """What the manifest says of a component, in brief."""

    name: str
    kind: Literal["core", "module", "audio", "text"]
    status: Status
    empty_reason: str | None
    error: str | None
    notes: str | None
    duration_ms: int | None
    device_used: str | None
    size_bytes: int
    schema_version: str | None
    producer_version: str | None


class RunSummary(Shape):
    """A run in brief."""

    view: Literal["summary"]
    run_path: str
    platform_id: str
    video_id: str
    run_id: str
    status: Literal["ok", "error"] | None
    created_at: str
    finished_at: str | None
    config_hash: str
    sampling_policy_version: str
    dataprocessor_version: str
    source: dict[str, Json]
    pending_components: list[str]
    components: list[ComponentRow]


class Manifest(BaseModel):
    """The manifest as it is stored (contract, C3); a newer version may have more fields."""

    model_config = ConfigDict(extra="allow")
    run: dict[str, Json]
    components: list[dict[str, Json]]
    render: dict[str, Json] | None = None


class View(Shape):
    """What the views of a component have in common."""

    producer: Json
    status: Status
    empty_reason: str | None
    error: str | None


class KeyRow(Shape):
    """One array of an artifact."""

    key: str
    dtype: str
    shape: list[int]
    unit: str
    tier: str
    description: str


class SummaryView(View):
    """Who made an artifact and what it holds."""

    view: Literal["summary"]
    meta: dict[str, Json]
    keys: list[KeyRow]


class FeatureRow(Shape):
    """One feature; null has its reason beside it."""

    name: str
    value: float | None
    unit: str
    missing_reason: str | None
    description: str


class FeaturesView(View):
    """The tabular part of an artifact."""

    view: Literal["features"]
    features: list[FeatureRow]


class AxisShape(Shape):
    """Along what a drawing lies; a null key means row numbers."""

    key: str | None
    unit: str


class Curve(Shape):
    """One curve; null is a gap."""

    name: str
    x: list[float | None]
    y: list[float | None]


class FrameShape(Shape):
    """Boxes or landmarks at one moment, in fractions of the picture."""

    x: float | None
    places: list[Json]
    captions: list[list[Json]] | None


class PictureShape(Shape):
    """One small picture: base64 of grey levels, or of signed x y pairs."""

    x: float | None
    grey8: str | None = None
    vectors8: str | None = None


class SeriesRow(Shape):
    """One drawing; which of the later fields it has, its view says (docs/serve.md)."""

    key: str
    view: Literal[
        "line", "events", "bars", "heat_map", "similarity", "boxes", "landmarks",
        "image_strip", "flow_strip",
    ]  # fmt: skip
    tier: Literal["model_facing", "analytics", "debug"]
    unit: str
    range: list[float | None]
    description: str
    shape: list[int]
    axis: AxisShape
    rows: list[int]
    missing_count: int
    missing_reason: str | None
    points_of: int | None = None
    curves: list[Curve] | None = None
    x: list[float | None] | None = None
    labels: list[str] | None = None
    values: list[float | None] | None = None
    cells: list[list[float | None]] | None = None
    cells_of: list[int] | None = None
    frames: list[FrameShape] | None = None
    pictures: list[PictureShape] | None = None
    size: list[int] | None = None
    bounds: list[float] | None = None
    longest: float | None = None


class SeriesView(View):
    """What an artifact holds along its axes, thinned with its extremes kept."""

    view: Literal["series"]
    series: list[SeriesRow]


class ArrayRow(Shape):
    """All values of one array, or why they are left out."""

    key: str
    dtype: str
    shape: list[int]
    unit: str
    values: Json
    missing_count: int | None
    missing_reason: str | None
    omitted: str | None


class FullView(View):
    """Everything an artifact holds."""

    view: Literal["full"]
    arrays: list[ArrayRow]


class IssueRow(Shape):
    """One finding of the validator."""

    level: Literal["error", "warning"]
    code: str
    key: str
    message: str
    where: str


class ValidationReport(Shape):
    """Every finding about a run."""

    valid: bool
    runs: int
    artifacts: int
    issues: list[IssueRow]


class Difference(Shape):
    """One thing that two runs say differently."""

    name: str
    left: Json
    right: Json


class FeatureDifference(Shape):
    """One feature of two runs."""

    name: str
    left: float | None
    right: float | None
    change: float | None
    is_equal: bool


class ComponentComparison(Shape):
    """One component of two runs."""

    name: str
    is_left: bool
    is_right: bool
    fields: list[Difference]
    models: list[Difference]
    features: list[FeatureDifference]
    fault: str


class Comparison(Shape):
    """Two runs side by side."""

    left: str
    right: str
    is_same_source: bool | None
    fields: list[Difference]
    settings: list[Difference]
    components: list[ComponentComparison]


class MissingnessRow(Shape):
    """One way in which a component ended, and how often."""

    component: str
    status: Status
    reason: str
    count: int


class Missingness(Shape):
    """How the components of all matching runs ended."""

    runs: int
    rows: list[MissingnessRow]


class Column(Shape):
    """The distribution of one feature."""

    name: str
    count: int
    missing: int
    state: Literal["varies", "constant", "never_measured"]
    low: float | None
    lower_quartile: float | None
    median: float | None
    upper_quartile: float | None
    high: float | None
    mean: float | None
    edges: list[float]
    bins: list[int]
    outliers: list[tuple[str, float]]


class CorpusShape(Shape):
    """The features of one component over many runs."""

    component: str
    runs: int
    unreadable: int
    looked_at: int
    matching: int
    columns: list[Column]


class SchemaRow(Shape):
    """One schema_version of the registry."""

    schema_version: str
    components: list[str]


class SchemaList(Shape):
    """The registry."""

    schemas: list[SchemaRow]


class SchemaDocument(BaseModel):
    """A machine schema as it stands in the registry."""

    model_config = ConfigDict(extra="allow")
    schema_version: str
    components: dict[str, Json]
