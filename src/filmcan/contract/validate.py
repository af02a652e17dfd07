"""Hold an artifact's arrays and meta to the contract and to its machine schema (C6-C8).

Returns every issue, changes nothing, reads no file. Called before a commit with what a component
produced, and by `npz.validate` with what a file holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from filmcan.contract.emptiness import find_nothing_measured, validate_emptiness
from filmcan.contract.issues import Issue, shown
from filmcan.contract.missing import CANONICAL_REASONS, NUMPY_TYPES
from filmcan.contract.pieces import iterate_pieces
from filmcan.contract.schema import ArtifactSchema, FeatureSchema, KeySchema
from filmcan.contract.values import Tally, can_be_missing, count_values

META_KEYS = ("meta", "meta_json", "sub_artifacts")
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
    tallies: dict[str, Tally] = {}
    for key in schema.keys.values():
        if key.name not in fitting or key.name == "feature_values":
            continue  # each feature has rules of its own: _check_features
        array, mask = fitting[key.name], fitting.get(key.mask or "")
        tally = count_values(array, key, mask, is_empty=status == "empty")
        issues += _judge_tally(tally, array, key, mask, status)
        issues += _judge_index(tally, key, sizes)
        tallies[key.name] = tally
    without_samples = _check_samples(sizes, schema, status)
    issues += without_samples
    issues += _check_features(fitting, schema, status)
    issues += _check_reasons(fitting, schema, status)
    if status == "empty":
        issues += validate_emptiness(fitting, schema, tallies)
    elif status == "ok" and not without_samples:
        issues += find_nothing_measured(fitting, schema)
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
    for _, (before, after) in iterate_pieces(indices[:-1], indices[1:]):
        if not (after > before).all():
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


def _judge_tally(
    tally: Tally, array: np.ndarray, key: KeySchema, mask: np.ndarray | None, status: str
) -> list[Issue]:
    issues = []
    if mask is not None:
        issues += _judge_mask(tally, array, key)
    elif tally.absent.count and can_be_missing(key) and not key.nullable and status == "ok":
        told = f"{tally.absent.count} of {array.size} missing values"
        message = f"{told}, but it has no mask and is not nullable"
        issues.append(_error("missing_not_nullable", key.name, message))
    if tally.infinite:
        issues.append(_error("not_finite", key.name, "holds an infinity"))
    fault = _find_range_fault(tally.least, tally.greatest, key.low, key.high)
    if fault is not None:
        issues.append(_error("out_of_range", key.name, fault))
    if not key.zero_plausible and tally.present and tally.zeros == tally.present:
        message = "nothing but zeros, which its schema calls implausible"
        issues.append(_error("constant_zero", key.name, message))
    if tally.fall is not None:
        message = f"must be strictly increasing, but [{tally.fall[0]}] is {tally.fall[1]}"
        issues.append(_error("not_increasing", key.name, message))
    return issues


def _judge_mask(tally: Tally, array: np.ndarray, key: KeySchema) -> list[Issue]:
    """Enforce both directions of C6.2."""
    issues = []
    if tally.hidden.count:
        told = f"{tally.hidden.count} of {array.size} values stand where {key.mask} is false"
        message = told + _tell_place(tally.hidden.first, array)
        issues.append(_error("value_under_false_mask", key.name, message))
    if tally.lost.count and not key.nullable:
        told = f"{tally.lost.count} of {array.size} values are missing where {key.mask} is true"
        message = told + _tell_place(tally.lost.first, array)
        issues.append(_error("missing_under_true_mask", key.name, message))
    return issues


def _judge_index(tally: Tally, key: KeySchema, sizes: Mapping[str, tuple[int, str]]) -> list[Issue]:
    """Check that whole numbers that count along a dim stay on it."""
    if key.indexes is None or tally.least is None or tally.greatest is None:
        return []
    size, owner = sizes.get(key.indexes, (None, ""))
    if size is None or (tally.least >= 0 and tally.greatest < size):
        return []
    wrong = tally.least if tally.least < 0 else tally.greatest
    message = f"{wrong} is no place along {key.indexes}, which is {size} in {owner}"
    return [_error("index_outside", key.name, message)]


def _find_range_fault(
    least: float | None,
    greatest: float | None,
    low: float | None,
    high: float | None,
) -> str | None:
    if least is None or greatest is None:
        return None
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
    for name, value in zip(names[len(expected) :], values[len(expected) :], strict=True):
        if np.isinf(value):
            key = f"feature_values[{name[:80]}]"
            issues.append(_error("not_finite", key, "is an infinity"))
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
    stored = cast("float", np.float32(value))  # told with as many digits as it has
    fault = _find_range_fault(stored, stored, feature.low, feature.high)
    return [] if fault is None else [_error("out_of_range", key, fault)]


def _check_reasons(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema, status: str
) -> list[Issue]:
    """Check that a part's reason is given exactly where its mask is false, and known (C6.1, C6.3).

    The mask of `<part>_empty_reason` is the first 0-d bool of those that `_find_part_mask` names.
    """
    issues = []
    known = {"", *CANONICAL_REASONS, *schema.empty_reasons}
    for name, array in arrays.items():
        if not name.endswith(_REASON_SUFFIX) or array.dtype.kind != "U" or array.ndim:
            continue
        reason = str(array.item())
        if reason not in known:
            message = f"{shown(reason)} is neither canonical nor declared by the schema"
            issues.append(Issue("warning", "reason_not_declared", name, message))
        mask = _find_part_mask(name.removesuffix(_REASON_SUFFIX), arrays)
        if mask is None or status != "ok":
            continue  # the whole artifact is empty, and its meta says why
        is_present = bool(arrays[mask].item())
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


def _tell_place(before: int, array: np.ndarray) -> str:
    if array.ndim == 0:
        return ""
    place = [int(axis) for axis in np.unravel_index(before, array.shape)]
    return f", first at {place}"


def _error(code: str, key: str, message: str) -> Issue:
    return Issue("error", code, key, message)
