"""What one machine schema must satisfy beyond the types of its fields (C6, C7.2).

Called by the parser with a parsed part. A rule that the validator could not enforce is refused
here, so that no schema promises what nobody checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from filmcan.contract.issues import Issue

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema, FeatureSchema, KeySchema

KEY_NAME = r"^[a-z][a-z0-9_]*$"
"""Keys and features: also valid names in Python, SQL and file systems."""

DIM_NAME = r"^(?!any$)[A-Za-z][A-Za-z0-9]*$"
SCHEMA_VERSION = r"^[a-z][a-z0-9_]*_v[1-9][0-9]*$"
MASK_NAME = r"_present$|^has_"
"""How a mask is named (C6.1)."""

RESERVED_KEYS = ("meta", "meta_json", "sub_artifacts")
"""Members of every artifact that are no arrays of its component."""

NUMBER_TYPES = frozenset({"float16", "float32", "float64", "int32", "int64"})
_UNMASKABLE = frozenset({"bool", "object_dict"})
"""Types that have no way to write a missing value."""


def find_version_fault(text: str) -> str | None:
    """Return what is wrong with the name of a schema_version, or None."""
    if re.fullmatch(SCHEMA_VERSION, text):
        return None
    return f"expected a name such as core_clip_npz_v1, got {text[:80]!r}"


def split_version(schema_version: str) -> tuple[str, int]:
    """Return a version's family and number: `core_clip_npz_v2` -> (`core_clip_npz`, 2)."""
    family, _, number = schema_version.rpartition("_v")
    return family, int(number)


def find_schema_faults(schema: ArtifactSchema) -> list[Issue]:
    """Return every rule that a parsed schema breaks, each with the key it concerns."""
    found = [
        (dim, "a dim is named by letters and digits, and not `any`")
        for dim in schema.dims
        if not re.fullmatch(DIM_NAME, dim)
    ]
    for key in schema.keys.values():
        found += [(key.name, fault) for fault in _find_key_faults(key, schema)]
    for feature in schema.features:
        found += [(feature.name, fault) for fault in _find_feature_faults(feature, schema)]
    if schema.features or schema.open_features:
        found += [
            (name, "the schema names features, so it needs this key")
            for name in ("feature_names", "feature_values")
            if name not in schema.keys
        ]
    return [Issue("error", "bad_reference", name, fault) for name, fault in found]


def _find_key_faults(key: KeySchema, schema: ArtifactSchema) -> Iterator[str]:
    if not re.fullmatch(KEY_NAME, key.name) or key.name in RESERVED_KEYS:
        yield (
            "a key is named by lower-case letters, digits and _, "
            f"and not one of {', '.join(RESERVED_KEYS)}"
        )
    for axis in key.shape:
        if isinstance(axis, str) and axis != "any" and axis not in schema.dims:
            yield f"its shape names the unknown dim {axis}"
    if key.mask is not None:
        yield from _find_mask_faults(key, schema)
    if key.nullable and key.dtype in _UNMASKABLE:
        yield f"{key.dtype} has no missing value, so it cannot be nullable"
    if key.dtype not in NUMBER_TYPES:
        if key.low is not None or key.high is not None:
            yield f"{key.dtype} is no number, so it has no range"
        if not key.zero_plausible:
            yield f"{key.dtype} is no number, so zero_plausible says nothing"
    if key.increasing and (key.dtype not in NUMBER_TYPES or len(key.shape) != 1):
        yield "only numbers along one axis can be increasing"
    yield from _find_bound_faults(key)


def _find_mask_faults(key: KeySchema, schema: ArtifactSchema) -> Iterator[str]:
    mask = schema.keys.get(str(key.mask))
    if mask is None or mask.dtype != "bool":
        yield f"its mask {key.mask} is no bool key of the schema"
        return
    if mask.shape != key.shape[: len(mask.shape)]:
        yield f"its mask {key.mask} has shape {mask.shape}, no prefix of its own"
    if not re.search(MASK_NAME, mask.name):
        yield f"its mask {key.mask} is not named *_present or has_*"
    if key.dtype in _UNMASKABLE:
        yield f"{key.dtype} has no missing value, so no mask can govern it"
    if key.required and not mask.required:
        yield f"its mask {key.mask} may be absent while it may not"


def _find_feature_faults(feature: FeatureSchema, schema: ArtifactSchema) -> Iterator[str]:
    if not re.fullmatch(KEY_NAME, feature.name):
        yield "a feature is named by lower-case letters, digits and _"
    if feature.mask is not None:
        mask = schema.keys.get(feature.mask)
        if mask is None or mask.dtype != "bool" or mask.shape != ():
            yield f"its mask {feature.mask} is no 0-d bool key of the schema"
    yield from _find_bound_faults(feature)


def _find_bound_faults(item: KeySchema | FeatureSchema) -> Iterator[str]:
    if item.low is not None and item.high is not None and item.low > item.high:
        yield f"its range is empty: {item.low} is above {item.high}"
