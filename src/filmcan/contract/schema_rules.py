"""What one machine schema must satisfy beyond the types of its fields (C6, C7.2).

Called by the parser with a parsed part. A rule that the validator could not enforce is refused
here, so that no schema promises what nobody checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filmcan.contract.issues import Issue

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema, DimSchema, FeatureSchema, KeySchema

KEY_NAME = r"^[a-z][a-z0-9_]*$"
"""Keys and features: also valid names in Python, SQL and file systems."""

DIM_NAME = r"^(?!any$)[A-Za-z][A-Za-z0-9]*$"
SCHEMA_VERSION = r"^[a-z][a-z0-9_]*_v[1-9][0-9]*$"
MASK_NAME = r"_present$|^has_"
"""How a mask is named (C6.1)."""

RESERVED_KEYS = ("meta", "meta_json", "sub_artifacts")
"""Members of every artifact that are no arrays of its component."""

NUMBER_TYPES = frozenset({"float16", "float32", "float64", "int32", "int64"})
_TEXT_TYPES = frozenset({"str", "object_str"})
_UNMASKABLE = frozenset({"bool", "object_dict"})
"""Types that have no way to write a missing value."""


@dataclass(frozen=True, slots=True)
class _Picture:
    """The shapes a view can be drawn from.

    Attributes:
        axes: How many axes the key may have.
        last: Sizes of the last axis, none for any.
        told: The same in words.
    """

    axes: tuple[int, ...]
    last: tuple[int, ...]
    told: str


_PICTURES: Mapping[str, _Picture] = {
    "line": _Picture((1, 2), (), "one axis, or two with a curve for each column"),
    "events": _Picture((1,), (), "one axis"),
    "bars": _Picture((1,), (), "one axis"),
    "heat_map": _Picture((2,), (), "two axes"),
    "similarity": _Picture((2,), (), "two axes, a vector in each row"),
    "boxes": _Picture((2, 3), (4,), "corners x1 y1 x2 y2 along the last of two or three axes"),
    "landmarks": _Picture((3, 4), (2, 3), "x y or x y z along the last of three or four axes"),
    "image_strip": _Picture((3,), (), "pictures of rows and columns along the first axis"),
    "flow_strip": _Picture((4,), (2,), "x y along the last axis of pictures along the first"),
}


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
    for item in schema.dims.values():
        found += [(item.name, fault) for fault in _find_dim_faults(item, schema)]
    for key in schema.keys.values():
        found += [(key.name, fault) for fault in _find_key_faults(key, schema)]
        found += [(key.name, fault) for fault in _find_picture_faults(key, schema)]
    for feature in schema.features:
        found += [(feature.name, fault) for fault in _find_feature_faults(feature, schema)]
    if schema.features or schema.open_features:
        found += [
            (name, "the schema names features, so it needs this key")
            for name in ("feature_names", "feature_values")
            if name not in schema.keys
        ]
    return [Issue("error", "bad_reference", name, fault) for name, fault in found]


def _find_dim_faults(dim: DimSchema, schema: ArtifactSchema) -> Iterator[str]:
    kinds = (("positions", dim.positions, NUMBER_TYPES), ("labels", dim.labels, _TEXT_TYPES))
    for field, name, types in kinds:
        if name is None:
            continue
        key = schema.keys.get(name)
        if key is None or key.dtype not in types or key.shape != (dim.name,):
            wanted = "numbers" if field == "positions" else "texts"
            yield f"its {field} {name} is no key of {wanted} with the shape [{dim.name}]"


def _find_picture_faults(key: KeySchema, schema: ArtifactSchema) -> Iterator[str]:
    """Find hints that no face could follow: a picture needs the shape it is drawn from."""
    form = _PICTURES.get(key.view)
    if form is not None:
        if key.dtype not in NUMBER_TYPES:
            yield f"{key.dtype} is no number, so it has no view {key.view}"
        if len(key.shape) not in form.axes or (form.last and key.shape[-1] not in form.last):
            yield f"the view {key.view} needs {form.told}, its shape is {list(key.shape)}"
    if key.indexes is not None and key.dtype not in ("int32", "int64"):
        yield f"{key.dtype} is no whole number, so it indexes nothing"
    if key.indexes is not None and key.indexes not in schema.dims:
        yield f"it indexes the unknown dim {key.indexes}"
    yield from _find_caption_faults(key, schema)


def _find_caption_faults(key: KeySchema, schema: ArtifactSchema) -> Iterator[str]:
    for name in key.captions:
        caption = schema.keys.get(name)
        if key.view not in ("boxes", "landmarks"):
            yield f"captions belong to boxes and landmarks, its view is {key.view}"
        elif caption is None or caption.dtype == "object_dict":
            yield f"its caption {name} is no key that can be written beside it"
        elif caption.shape != key.shape[:-1] and caption.shape != key.shape[:-2]:
            yield f"its caption {name} has shape {list(caption.shape)}, not one value for each"


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
