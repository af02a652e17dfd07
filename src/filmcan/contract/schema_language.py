"""The schema of machine schemas, as JSON Schema, built from the parser's own tables (C7.2).

Written to `schemas/definition/machine_schema.json` for editors and other tools. It states types
and names of fields; that masks and dims exist and fit is checked by `schema_rules` alone.
"""

from __future__ import annotations

from typing import get_args

from filmcan.contract.schema import (
    DIM_FIELDS,
    FEATURE_FIELDS,
    KEY_FIELDS,
    PART_FIELDS,
    ROOT_FIELDS,
    DType,
    Kind,
    Tier,
    View,
)
from filmcan.contract.schema_rules import DIM_NAME, KEY_NAME, SCHEMA_VERSION

_TEXT: dict[str, object] = {"type": "string"}
_FLAG: dict[str, object] = {"type": "boolean"}
_TEXTS: dict[str, object] = {"type": "array", "items": _TEXT}
_NAME: dict[str, object] = {"type": ["string", "null"]}
_BOUND: dict[str, object] = {"type": ["number", "null"]}

_FIELDS: dict[str, dict[str, object]] = {
    "schema_version": {
        **_TEXT,
        "pattern": SCHEMA_VERSION,
        "description": "As in the artifact's meta, and the name of the file.",
    },
    "kind": {"enum": list(get_args(Kind)), "description": "Kind of all its components."},
    "description": {**_TEXT, "description": "What it holds or says, for people."},
    "dims": {
        "type": "object",
        "propertyNames": {"pattern": DIM_NAME},
        "additionalProperties": {"$ref": "#/$defs/dim"},
        "description": "Named axes, shared by all keys of an artifact.",
    },
    "keys": {
        "type": "object",
        "propertyNames": {"pattern": KEY_NAME},
        "additionalProperties": {"$ref": "#/$defs/key"},
        "description": "Arrays but meta and meta_json; those at the top belong to every part.",
    },
    "features": {
        "type": "object",
        "propertyNames": {"pattern": KEY_NAME},
        "additionalProperties": {"$ref": "#/$defs/feature"},
        "description": "The tabular part, in the order of feature_names.",
    },
    "open_features": {**_FLAG, "description": "True when the profile names further features."},
    "empty_reasons": {**_TEXTS, "description": "Reasons it may give, for itself or a part of it."},
    "extra_keys": {**_FLAG, "description": "True when keys outside the schema are allowed."},
    "extra_meta": {**_TEXTS, "description": "Meta keys allowed beyond those of C4."},
    "components": {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/part"},
        "description": "One part for each component that shares this schema_version.",
    },
    "samples": {**_FLAG, "description": "True when an ok artifact has at least one (C8.5)."},
    "positions": {
        **_NAME,
        "description": "Key that says where each entry lies: seconds, or along another dim.",
    },
    "labels": {**_NAME, "description": "Key that names each entry."},
    "dtype": {"enum": list(get_args(DType)), "description": "Element type."},
    "shape": {
        "type": "array",
        "items": {"anyOf": [{"type": "integer", "minimum": 0}, _TEXT]},
        "description": "Axes: fixed sizes, dims, or any; [] is a 0-d array.",
    },
    "required": {**_FLAG, "description": "False when the key may be absent; true by default."},
    "tier": {"enum": list(get_args(Tier)), "description": "For whom it is."},
    "unit": {**_TEXT, "description": "Unit of the values; left out when they have none."},
    "range": {
        "type": "array",
        "items": _BOUND,
        "minItems": 2,
        "maxItems": 2,
        "description": "Least and greatest value; null for no bound.",
    },
    "nullable": {**_FLAG, "description": "True when it may be missing although its mask is true."},
    "mask": {**_NAME, "description": "The bool key that says where this one is measured."},
    "zero_plausible": {**_FLAG, "description": "False when nothing but zeros betrays a fault."},
    "increasing": {**_FLAG, "description": "True for strictly increasing axes."},
    "view": {"enum": list(get_args(View)), "description": "How to draw it."},
    "indexes": {**_NAME, "description": "Dim along which its whole numbers count."},
    "captions": {**_TEXTS, "description": "Keys to write beside each box or face of this one."},
}

_REQUIRED: dict[tuple[str, ...], tuple[str, ...]] = {
    ROOT_FIELDS: ("schema_version", "kind", "description", "components"),
    PART_FIELDS: ("description",),
    DIM_FIELDS: ("description",),
    KEY_FIELDS: ("dtype", "shape", "tier", "description"),
    FEATURE_FIELDS: ("description",),
}


def build_schema_language() -> dict[str, object]:
    """Return the JSON Schema (2020-12) that every machine schema satisfies."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "filmcan machine schema",
        "description": "The rules of one schema_version. Generated; do not edit.",
        **_build_object(ROOT_FIELDS),
        "$defs": {
            "part": _build_object(PART_FIELDS),
            "dim": _build_object(DIM_FIELDS),
            "key": _build_object(KEY_FIELDS),
            "feature": _build_object(FEATURE_FIELDS),
        },
    }


def _build_object(names: tuple[str, ...]) -> dict[str, object]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(_REQUIRED[names]),
        "properties": {name: _FIELDS[name] for name in names},
    }
