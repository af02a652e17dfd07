"""Hold an artifact's arrays and meta to the contract and to its machine schema (C6-C8).

Returns every issue, changes nothing, reads no file. Called before a commit with what a component
produced, and by `npz.validate` with what a file holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from filmcan.contract.issues import Issue, shown
from filmcan.contract.missing import NUMPY_TYPES
from filmcan.contract.schema import (
    FLOAT_TYPES,
    INTEGER_TYPES,
    ArtifactSchema,
    FeatureSchema,
    KeySchema,
)

META_KEYS = ("meta", "meta_json", "sub_artifacts")
MISSING_INTEGER = -1
_REASON_SUFFIX = "_empty_reason"


def validate_arrays(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema, *, status: str
) -> list[Issue]:
    """Return every way in which arrays break their schema.

    Args:
        arrays: Key -> array, without `meta` and `meta_json`.
        schema: The rules of the component's part.
        status: `ok` or `empty`; an empty artifact may be NaN throughout and zero-length.
    """
    issues = _check_keys(arrays, schema)
    fitting: dict[str, np.ndarray] = {}
    sizes: dict[str, tuple[int, str]] = {}
    for key in schema.keys.values():
        if key.name not in arrays:
            continue
        found = _check_form(arrays[key.name], key, sizes)
        issues += found
        if not found:
            fitting[key.name] = arrays[key.name]
    issues += _drop_unmaskable(fitting, schema)
    for key in schema.keys.values():
        if key.name in fitting:
            issues += _check_values(fitting[key.name], key, fitting, status)
    issues += _check_samples(sizes, schema, status)
    issues += _check_features(fitting, schema, status)
    issues += _check_reasons(fitting, status)
    issues += _find_stored_nones(arrays)
    if "frame_indices" not in schema.keys:
        issues += _check_frame_indices(arrays)
    return issues


def validate_unknown_arrays(arrays: Mapping[str, np.ndarray]) -> list[Issue]:
    """Return what is wrong with arrays whose schema is not known: what the contract alone says.

    Frame numbers, where there are any, are sorted and unique (C8.3); nothing is stored as None
    (C6.5); feature_names and feature_values, where both are there, have one length (C9.1).
    """
    issues = [*_check_frame_indices(arrays), *_find_stored_nones(arrays)]
    names, values = arrays.get("feature_names"), arrays.get("feature_values")
    if names is not None and values is not None and names.shape != values.shape:
        message = f"shape {values.shape}, feature_names has {names.shape}"
        issues.append(_error("shape", "feature_values", message))
    return issues


def _find_stored_nones(arrays: Mapping[str, np.ndarray]) -> list[Issue]:
    """Find keys that hold nothing but None; what does not apply is absent (C6.5)."""
    message = "stored as None; a key that does not apply is left out"
    return [
        _error("stored_none", name, message)
        for name, array in arrays.items()
        if array.dtype == np.object_ and array.size and all(item is None for item in array.flat)
    ]


def _check_frame_indices(arrays: Mapping[str, np.ndarray]) -> list[Issue]:
    indices = arrays.get("frame_indices")
    if indices is None:
        return []
    if indices.dtype.kind not in "iu" or indices.ndim != 1:
        message = f"expected whole numbers in one axis, got {indices.dtype} {indices.shape}"
        return [_error("dtype", "frame_indices", message)]
    if not (indices[1:] > indices[:-1]).all():
        return [_error("not_increasing", "frame_indices", "must be sorted and unique")]
    return []


def _check_keys(arrays: Mapping[str, np.ndarray], schema: ArtifactSchema) -> list[Issue]:
    issues = [
        _error("key_missing", key.name, f"{schema.schema_version} requires it")
        for key in schema.keys.values()
        if key.required and key.name not in arrays
    ]
    if not schema.extra_keys:
        issues += [
            _error("key_unknown", name, f"{schema.schema_version} does not know it")
            for name in sorted(set(arrays) - set(schema.keys) - set(META_KEYS))
        ]
    return issues


def _check_form(
    array: np.ndarray, key: KeySchema, sizes: dict[str, tuple[int, str]]
) -> list[Issue]:
    """Check dtype and shape; `sizes` learns dim -> (size, the key that fixed it)."""
    found = _find_dtype_fault(array, key)
    if found:
        return [_error("dtype", key.name, found)]
    if array.ndim != len(key.shape):
        message = f"expected {len(key.shape)} axes {list(key.shape)}, got shape {array.shape}"
        return [_error("shape", key.name, message)]
    issues = []
    for axis, size in zip(key.shape, array.shape, strict=True):
        if isinstance(axis, int) and size != axis:
            message = f"expected size {axis} in {list(key.shape)}, got shape {array.shape}"
            issues.append(_error("shape", key.name, message))
        elif isinstance(axis, str) and axis != "any":
            expected, owner = sizes.setdefault(axis, (size, key.name))
            if size != expected:
                message = f"dim {axis} is {size} here, {expected} in {owner}"
                issues.append(_error("shape", key.name, message))
    return issues


def _drop_unmaskable(arrays: dict[str, np.ndarray], schema: ArtifactSchema) -> list[Issue]:
    """Report and take away arrays whose mask has another size, where axes are `any`."""
    issues = []
    for key in schema.keys.values():
        if key.name not in arrays or key.mask not in arrays:
            continue
        shape, mask_shape = arrays[key.name].shape, arrays[key.mask].shape
        if mask_shape != shape[: len(mask_shape)]:
            message = f"shape {shape} does not begin like its mask {key.mask}, {mask_shape}"
            issues.append(_error("shape", key.name, message))
            del arrays[key.name]
    return issues


def _find_dtype_fault(array: np.ndarray, key: KeySchema) -> str | None:
    wanted = NUMPY_TYPES[key.dtype]
    if key.dtype == "str":
        return None if array.dtype.kind == "U" else f"expected str, got {array.dtype}"
    if array.dtype != np.dtype(wanted):
        return f"expected {key.dtype}, got {array.dtype}"
    if key.dtype == "object_str":
        wrong = next((item for item in array.flat if not isinstance(item, str)), None)
        return None if wrong is None else f"expected only str, got {shown(wrong)}"
    if key.dtype == "object_dict" and not (array.ndim == 0 and isinstance(array.item(), dict)):
        return f"expected a dict in a 0-d object array, got {shown(array)}"
    return None


def _check_values(
    array: np.ndarray, key: KeySchema, arrays: Mapping[str, np.ndarray], status: str
) -> list[Issue]:
    if key.name == "feature_values":
        return []  # each value has rules of its own: _check_features
    issues = []
    present = _find_presence(array, key, arrays)
    absent = _find_absent(array, key)
    if absent is not None:
        if present is None:
            if not key.nullable and status == "ok" and absent.any():
                message = f"{_count(absent)} missing values, but it has no mask and is not nullable"
                issues.append(_error("missing_not_nullable", key.name, message))
        else:
            issues += _check_mask(absent, present, key)
    if key.dtype in FLOAT_TYPES | INTEGER_TYPES:
        issues += _check_numbers(array, key, absent)
    return issues


def _check_mask(absent: np.ndarray, present: np.ndarray, key: KeySchema) -> list[Issue]:
    """Enforce both directions of C6.2."""
    issues = []
    hidden = ~absent & ~present
    if hidden.any():
        message = f"{_count(hidden)} values stand where {key.mask} is false{_first(hidden)}"
        issues.append(_error("value_under_false_mask", key.name, message))
    lost = absent & present
    if lost.any() and not key.nullable:
        message = f"{_count(lost)} values are missing where {key.mask} is true{_first(lost)}"
        issues.append(_error("missing_under_true_mask", key.name, message))
    return issues


def _find_presence(
    array: np.ndarray, key: KeySchema, arrays: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    """Return the mask spread over the array's shape, or None when there is none to go by."""
    if key.mask is None or key.mask not in arrays:
        return None
    mask = arrays[key.mask]
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim)), array.shape)


def _find_absent(array: np.ndarray, key: KeySchema) -> np.ndarray | None:
    """Return where a value is written as missing; None for types that cannot say so."""
    if key.dtype in FLOAT_TYPES:
        return np.asarray(np.isnan(array))
    if key.mask is None and not key.nullable:
        return None  # -1 and "" are ordinary values there
    if key.dtype in INTEGER_TYPES:
        return np.asarray(array == MISSING_INTEGER)
    return np.asarray(array == "")


def _check_numbers(array: np.ndarray, key: KeySchema, absent: np.ndarray | None) -> list[Issue]:
    values = array[~absent] if absent is not None else array.ravel()
    issues = []
    if key.dtype in FLOAT_TYPES and not np.isfinite(values).all():
        issues.append(_error("not_finite", key.name, "holds an infinity"))
        values = values[np.isfinite(values)]
    fault = _find_range_fault(values, key.low, key.high)
    if fault is not None:
        issues.append(_error("out_of_range", key.name, fault))
    if not key.zero_plausible and values.size and not values.any():
        message = "nothing but zeros, which its schema calls implausible"
        issues.append(_error("constant_zero", key.name, message))
    if key.increasing and values.size > 1 and not (np.diff(values) > 0).all():
        place = int(np.argmin(np.diff(values) > 0)) + 1
        message = f"must be strictly increasing, but [{place}] is {values[place]}"
        issues.append(_error("not_increasing", key.name, message))
    return issues


def _find_range_fault(values: np.ndarray, low: float | None, high: float | None) -> str | None:
    if not values.size:
        return None
    least, greatest = values.min(), values.max()
    if low is not None and least < low:
        return f"the least value is {least}, below {low}"
    if high is not None and greatest > high:
        return f"the greatest value is {greatest}, above {high}"
    return None


def _check_samples(
    sizes: Mapping[str, tuple[int, str]], schema: ArtifactSchema, status: str
) -> list[Issue]:
    if status != "ok":
        return []
    return [
        _error("ok_without_samples", sizes[dim.name][1], f"ok, but there are no {dim.description}")
        for dim in schema.dims.values()
        if dim.samples and dim.name in sizes and sizes[dim.name][0] == 0
    ]


def _check_features(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema, status: str
) -> list[Issue]:
    if "feature_names" not in arrays or "feature_values" not in arrays:
        return []
    names: Sequence[str] = arrays["feature_names"].tolist()
    values = arrays["feature_values"]
    if len(names) != len(values):
        message = f"has {len(values)} items, feature_names {len(names)}"
        return [_error("shape", "feature_values", message)]
    issues = []
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        issues.append(_error("feature_names", "feature_names", f"{', '.join(twice)} twice"))
    expected = [feature.name for feature in schema.features]
    actual = names[: len(expected)] if schema.open_features else names
    if list(actual) != expected:
        first = next(
            (pair for pair in zip(expected, actual, strict=False) if pair[0] != pair[1]),
            (f"{len(expected)} names", f"{len(actual)}"),
        )
        message = f"expected {first[0]}, got {first[1]}"
        return [*issues, _error("feature_names", "feature_names", message)]
    for feature, value in zip(schema.features, values.tolist(), strict=False):
        issues += _check_feature(feature, value, arrays, status)
    return issues


def _check_feature(
    feature: FeatureSchema, value: float, arrays: Mapping[str, np.ndarray], status: str
) -> list[Issue]:
    key = f"feature_values[{feature.name}]"
    mask = arrays.get(feature.mask) if feature.mask is not None else None
    if mask is not None and not mask.item():
        if value != value:  # noqa: PLR0124 - NaN, without a numpy call per feature
            return []
        return [_error("value_under_false_mask", key, f"{value} though {feature.mask} is false")]
    if value != value:  # noqa: PLR0124 - NaN
        if feature.nullable or status != "ok":
            return []
        return [_error("missing_not_nullable", key, "NaN, but the schema does not allow it")]
    if value in (float("inf"), float("-inf")):
        return [_error("not_finite", key, "is an infinity")]
    fault = _find_range_fault(np.array([value], np.float32), feature.low, feature.high)
    return [] if fault is None else [_error("out_of_range", key, fault)]


def _check_reasons(arrays: Mapping[str, np.ndarray], status: str) -> list[Issue]:
    """Check that a part's reason is given exactly where its mask is false (C6.1).

    The mask of `<part>_empty_reason` is the first 0-d bool of those that `_find_part_mask` names.
    """
    if status != "ok":
        return []  # the whole artifact is empty, and its meta says why
    issues = []
    for name, array in arrays.items():
        if not name.endswith(_REASON_SUFFIX) or array.dtype.kind != "U" or array.ndim:
            continue
        mask = _find_part_mask(name.removesuffix(_REASON_SUFFIX), arrays)
        if mask is None:
            continue
        is_present, reason = bool(arrays[mask].item()), str(array.item())
        if is_present and reason:
            message = f"{shown(reason)} though {mask} is true"
            issues.append(_error("reason_without_missing", name, message))
        elif not is_present and not reason:
            issues.append(_error("missing_without_reason", name, f"empty though {mask} is false"))
    return issues


def _find_part_mask(part: str, arrays: Mapping[str, np.ndarray]) -> str | None:
    one = part.removesuffix("s")
    candidates = (f"{part}_present", f"primary_{one}_present", f"has_{part}", f"has_any_{one}")
    return next(
        (
            name
            for name in candidates
            if name in arrays and arrays[name].dtype == np.bool_ and arrays[name].ndim == 0
        ),
        None,
    )


def _count(mask: np.ndarray) -> str:
    return f"{int(mask.sum())} of {mask.size}"


def _first(mask: np.ndarray) -> str:
    if mask.ndim == 0:
        return ""
    place = [int(axis[0]) for axis in np.nonzero(mask)]
    return f", first at {place}"


def _error(code: str, key: str, message: str) -> Issue:
    return Issue("error", code, key, message)
