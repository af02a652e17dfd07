"""The machine schema of an artifact, as records, and its one strict parser (C7.2).

One JSON document per schema_version. Where several components share a schema_version, each has
its own part; keys of the document's top level belong to every part. Consumers: the registry, the
validator, the builder of empty artifacts, SCHEMA.md and the renderer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from filmcan.contract.issues import Issue, shown
from filmcan.contract.reading import ObjectReader
from filmcan.contract.schema_rules import find_schema_faults, find_version_fault
from filmcan.errors import InvalidSchemaError

DType = Literal[
    "bool", "int32", "int64", "float16", "float32", "float64", "str", "object_str", "object_dict"
]
"""Named element types. `str` is numpy unicode of any width; `object_str` an object array of str;
`object_dict` a 0-d object array holding one str-keyed dict."""

Tier = Literal["model_facing", "analytics", "debug"]
Kind = Literal["core", "module", "audio", "text"]
View = Literal[
    "none",
    "line",
    "events",
    "heat_map",
    "similarity",
    "boxes",
    "landmarks",
    "image_strip",
    "flow_strip",
    "bars",
]
"""How a key is drawn (docs/schemas.md has the table). With `positions`, `labels`, `indexes` and
`captions` it is all a face needs to show a component it has never heard of."""

Axis = int | str
"""One axis of a shape: a fixed size, a named dim (`N`), or `any`."""

FLOAT_TYPES = frozenset({"float16", "float32", "float64"})
INTEGER_TYPES = frozenset({"int32", "int64"})

DIM_FIELDS = ("description", "samples", "positions", "labels")
ROOT_FIELDS = (
    "schema_version",
    "kind",
    "description",
    "dims",
    "keys",
    "extra_keys",
    "extra_meta",
    "components",
)
PART_FIELDS = ("description", "dims", "keys", "features", "open_features", "empty_reasons")
KEY_FIELDS = (
    "dtype",
    "shape",
    "required",
    "tier",
    "unit",
    "range",
    "nullable",
    "mask",
    "zero_plausible",
    "increasing",
    "view",
    "indexes",
    "captions",
    "description",
)
FEATURE_FIELDS = ("unit", "range", "nullable", "mask", "description")


@dataclass(frozen=True, slots=True)
class DimSchema:
    """A named axis shared by all keys of an artifact.

    Attributes:
        name: As it stands in shapes.
        description: What is counted along it.
        samples: True when an `ok` artifact must have at least one (C8.5).
        positions: Key that says where each entry lies: seconds, or positions along another dim.
        labels: Key that names each entry.
    """

    name: str
    description: str
    samples: bool = False
    positions: str | None = None
    labels: str | None = None


@dataclass(frozen=True, slots=True)
class KeySchema:
    """One array of the artifact.

    Attributes:
        name: The key.
        dtype: Element type.
        shape: Axes; `()` is a 0-d array.
        required: False for keys that may be absent (C6.5).
        tier: For whom it is.
        unit: Unit of the values, `""` when they have none.
        low: Least allowed value, None for no bound. NaN is judged by `nullable`, not here.
        high: Greatest allowed value.
        nullable: True when NaN (integers -1, strings "") may stand where the mask says present.
        mask: Key of the bool array that says where this one is measured; its shape is a prefix
            of this shape. None: measured everywhere.
        zero_plausible: False when an array of nothing but zeros betrays a missing measurement.
        increasing: True for a strictly increasing 1-d array (time and index axes).
        view: How to draw it.
        indexes: Dim along which its whole numbers count, from 0; None when they count nothing.
        captions: Keys to write beside each box or face of this one.
        description: What it says.
    """

    name: str
    dtype: DType
    shape: tuple[Axis, ...]
    required: bool
    tier: Tier
    unit: str
    low: float | None
    high: float | None
    nullable: bool
    mask: str | None
    zero_plausible: bool
    increasing: bool
    view: View
    indexes: str | None
    captions: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """One row of the tabular part: `feature_names[i]` and `feature_values[i]` (C9.1).

    Attributes:
        name: As in `feature_names`.
        unit: Unit, `""` when it has none.
        low: Least allowed value, None for no bound.
        high: Greatest allowed value.
        nullable: True when an `ok` artifact may hold NaN here although the mask is true.
        mask: Key of a 0-d bool that says whether it was measured, or None.
        description: What it says.
    """

    name: str
    unit: str
    low: float | None
    high: float | None
    nullable: bool
    mask: str | None
    description: str


@dataclass(frozen=True, slots=True)
class ArtifactSchema:
    """The rules for one component's artifacts under one schema_version.

    Attributes:
        schema_version: As in the artifact's meta.
        component: Whose part of the document this is.
        kind: The component's kind.
        description: What the artifact holds, one paragraph.
        dims: Named axes.
        keys: All arrays but `meta` and `meta_json`, in document order.
        features: The tabular part, in order; empty when `open_features`.
        open_features: True when feature names depend on the profile (for example on prompts);
            `features` then lists those that always come first.
        extra_keys: True when keys outside the schema are allowed.
        extra_meta: Meta keys allowed beyond those of C4.
        empty_reasons: Reasons this component may give for the artifact or for a part of it,
            canonical or its own.
    """

    schema_version: str
    component: str
    kind: Kind
    description: str
    dims: Mapping[str, DimSchema]
    keys: Mapping[str, KeySchema]
    features: tuple[FeatureSchema, ...]
    open_features: bool
    extra_keys: bool
    extra_meta: tuple[str, ...]
    empty_reasons: tuple[str, ...]


def parse_schema(document: object, component: str) -> ArtifactSchema:
    """Return one component's rules from a schema document.

    Raises:
        InvalidSchemaError: The document breaks the schema of schemas, or has no such part.
    """
    problems: list[Issue] = []
    root = ObjectReader(document, "", problems)
    version = root.checked("schema_version", find_version_fault)
    parts = root.child("components")
    if component not in parts.value:
        raise InvalidSchemaError(
            f"schema {version} has no part for component {component}",
            where=version,
            hint=f"It describes: {', '.join(sorted(parts.value))}.",
        )
    part = parts.child(component)
    root.only(ROOT_FIELDS)
    root.text("description")
    part.only(PART_FIELDS)
    dims = {**_parse_dims(root), **_parse_dims(part)}
    keys = {**_parse_keys(root), **_parse_keys(part)}
    schema = ArtifactSchema(
        schema_version=version,
        component=component,
        kind=cast("Kind", root.choice("kind", get_args(Kind))),
        description=part.text("description"),
        dims=dims,
        keys=keys,
        features=_parse_features(part),
        open_features=part.flag("open_features", default=False),
        extra_keys=root.flag("extra_keys", default=False),
        extra_meta=root.texts("extra_meta"),
        empty_reasons=part.texts("empty_reasons"),
    )
    for name in sorted(set(root.names("keys")) & set(part.names("keys"))):
        part.report("stands at the top level too", f"keys.{name}", "duplicate")
    problems += find_schema_faults(schema)
    if problems:
        faults = "; ".join(f"{issue.key}: {issue.message}" for issue in problems)
        raise InvalidSchemaError(faults, where=f"schema {version}, {component}")
    return schema


def find_components(document: object) -> tuple[str, ...]:
    """Return the names of the components a schema document describes, in its order.

    Raises:
        InvalidSchemaError: The document is no object with `components`.
    """
    problems: list[Issue] = []
    names = tuple(ObjectReader(document, "", problems).child("components").value)
    if problems:
        raise InvalidSchemaError(problems[0].message, where=problems[0].key or "schema")
    return names


def _parse_dims(reader: ObjectReader) -> dict[str, DimSchema]:
    found = {}
    for name, entry in reader.children("dims"):
        entry.only(DIM_FIELDS)
        found[name] = DimSchema(
            name,
            entry.text("description"),
            entry.flag("samples", default=False),
            entry.optional_text("positions"),
            entry.optional_text("labels"),
        )
    return found


def _parse_keys(reader: ObjectReader) -> dict[str, KeySchema]:
    found = {}
    for name, entry in reader.children("keys"):
        entry.only(KEY_FIELDS)
        low, high = _read_bounds(entry)
        found[name] = KeySchema(
            name=name,
            dtype=cast("DType", entry.choice("dtype", get_args(DType))),
            shape=_read_shape(entry),
            required=entry.flag("required", default=True),
            tier=cast("Tier", entry.choice("tier", get_args(Tier))),
            unit=entry.text("unit", default=""),
            low=low,
            high=high,
            nullable=entry.flag("nullable", default=False),
            mask=entry.optional_text("mask"),
            zero_plausible=entry.flag("zero_plausible", default=True),
            increasing=entry.flag("increasing", default=False),
            view=cast("View", entry.choice("view", get_args(View), default="none")),
            indexes=entry.optional_text("indexes"),
            captions=entry.texts("captions"),
            description=entry.text("description"),
        )
    return found


def _parse_features(reader: ObjectReader) -> tuple[FeatureSchema, ...]:
    found = []
    for name, entry in reader.children("features"):
        entry.only(FEATURE_FIELDS)
        low, high = _read_bounds(entry)
        found.append(
            FeatureSchema(
                name=name,
                unit=entry.text("unit", default=""),
                low=low,
                high=high,
                nullable=entry.flag("nullable", default=False),
                mask=entry.optional_text("mask"),
                description=entry.text("description"),
            )
        )
    return tuple(found)


def _read_shape(entry: ObjectReader) -> tuple[Axis, ...]:
    value = entry.value.get("shape")
    if not isinstance(value, list) or not all(map(_is_axis, value)):
        entry.report(f"expected a list of sizes and dims, got {shown(value)}", "shape")
        return ()
    return tuple(value)


def _is_axis(value: object) -> bool:
    is_size = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return is_size or isinstance(value, str)


def _read_bounds(entry: ObjectReader) -> tuple[float | None, float | None]:
    match entry.value.get("range", [None, None]):
        case [bool(), _] | [_, bool()]:
            entry.report("expected [low, high], numbers or null, got true or false", "range")
            return None, None
        case [(int() | float() | None) as low, (int() | float() | None) as high]:
            return low, high
        case wrong:
            entry.report(f"expected [low, high], numbers or null, got {shown(wrong)}", "range")
            return None, None
