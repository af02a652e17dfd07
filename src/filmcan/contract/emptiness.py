"""What an artifact holds of which nothing was measured (C6.4, C6.6).

An empty artifact is zero-length or written as missing throughout: a value in it would say that
something was measured after all. What it may hold all the same is what was looked at:

    frame_present, *_frame_present      which frames were decoded
    axes                                frame numbers and times: increasing keys
    counts under such a mask            0, since looking and finding nothing is a measurement
    features, where a frame was there   likewise 0, and `*frame_count` how many there were
    text without a mask                 labels, warnings, reasons of parts
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from filmcan.contract.issues import Issue, shown
from filmcan.contract.schema import INTEGER_TYPES, ArtifactSchema, KeySchema
from filmcan.contract.values import NUMBER_TYPES, Tally

_LOOKED_AT = "frame_present"
_FRAMES_LOOKED_AT = "frame_count"


def validate_emptiness(
    arrays: Mapping[str, np.ndarray], schema: ArtifactSchema, tallies: Mapping[str, Tally]
) -> list[Issue]:
    """Return an error for each key of an empty artifact that says something was measured.

    Args:
        arrays: Those that fit their schema.
        schema: The rules of the component's part.
        tallies: What the values of each of them come to, but of `feature_values`.
    """
    issues = []
    for key in schema.keys.values():
        if key.name not in tallies or key.increasing:
            continue
        told = _find_measured(arrays[key.name], key, tallies[key.name])
        if told:
            message = f"{told}, though the artifact is empty"
            issues.append(Issue("error", "measured_though_empty", key.name, message))
    return [*issues, *_check_features(arrays)]


def find_nothing_measured(arrays: Mapping[str, np.ndarray], schema: ArtifactSchema) -> list[Issue]:
    """Return a warning when an ok artifact's masks are all false, and its features say nothing.

    Nothing forbids that, yet who reads "ok" expects a measurement, and one of nothing is empty
    (C6.1). A feature that is not zero is a measurement: how long the silence lasted.
    """
    masks = [name for name in _list_masks(schema) if name in arrays]
    if not masks or any(arrays[name].any() for name in masks):
        return []
    features = arrays.get("feature_values")
    if features is not None and (np.nan_to_num(features) != 0).any():
        return []
    message = f"ok, yet nothing was measured: {', '.join(masks[:5])} false throughout"
    return [Issue("warning", "nothing_measured", masks[0], message)]


def _find_measured(array: np.ndarray, key: KeySchema, tally: Tally) -> str:
    """Say what of an array was measured; `""` for nothing."""
    if key.dtype == "bool":
        count = 0 if _says_frames(key.name) else int(np.count_nonzero(array))
        return f"{count} of {array.size} true" if count else ""
    if key.dtype not in NUMBER_TYPES:
        return ""
    is_count = key.dtype in INTEGER_TYPES and key.mask is not None and _says_frames(key.mask)
    count = tally.present - (tally.zeros if is_count else 0)
    return f"{count} of {array.size} values" if count else ""


def _check_features(arrays: Mapping[str, np.ndarray]) -> list[Issue]:
    values, names = arrays.get("feature_values"), arrays.get("feature_names")
    if values is None or names is None or len(values) != len(names):
        return []
    was_looked = any(
        array.dtype == np.bool_ and _says_frames(name) and array.any()
        for name, array in arrays.items()
    )
    measured = [
        name
        for name, value in zip(names.tolist(), values.tolist(), strict=True)
        if value == value  # noqa: PLR0124 - not NaN
        and not (was_looked and (value == 0 or name.endswith(_FRAMES_LOOKED_AT)))
    ]
    if not measured:
        return []
    told = f"{len(measured)} of {len(values)} values, first {shown(measured[0])}"
    message = f"{told}, though the artifact is empty"
    return [Issue("error", "measured_though_empty", "feature_values", message)]


def _says_frames(mask: str) -> bool:
    return mask == _LOOKED_AT or mask.endswith(f"_{_LOOKED_AT}")


def _list_masks(schema: ArtifactSchema) -> list[str]:
    """Return the keys that say where something was measured, in the order of the schema."""
    named = {key.mask for key in schema.keys.values()} | {item.mask for item in schema.features}
    return [name for name in schema.keys if name in named]
