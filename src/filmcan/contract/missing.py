"""Why something is missing, in canonical words, and what an empty artifact holds (C6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from filmcan.contract.schema import ArtifactSchema, KeySchema

CANONICAL_REASONS = (
    "audio_missing_or_extract_failed",
    "no_faces_in_video",
    "no_text_available",
    "ocr_disabled_by_policy",
    "comments_missing_or_disabled",
    "video_too_short",
    "video_too_long",
    "dependency_missing",
)
"""The reasons of C6.3. A schema may declare more of its own, such as `video_stream_missing`."""

AUDIO_MISSING = "audio_missing_or_extract_failed"
VIDEO_MISSING = "video_stream_missing"
VIDEO_TOO_SHORT = "video_too_short"
VIDEO_TOO_LONG = "video_too_long"
NO_FACES = "no_faces_in_video"
NO_TEXT = "no_text_available"
DEPENDENCY_MISSING = "dependency_missing"

NUMPY_TYPES: Mapping[str, str] = {
    "bool": "?",
    "int32": "<i4",
    "int64": "<i8",
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
    "str": "<U1",
    "object_str": "|O",
    "object_dict": "|O",
}
"""numpy's spelling of each named element type of a schema."""


def build_empty_arrays(
    schema: ArtifactSchema, given: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Complete the arrays of an empty artifact (C6.4).

    Keys that the component gave are kept. Each other required key gets the empty form: named
    dims of length zero (or the length they have in the given arrays), fixed sizes kept; floats
    NaN, integers -1, masks False, strings "", objects an empty dict. The tabular part has the
    schema's feature names and NaN for every value.
    """
    sizes = _find_sizes(schema, given)
    filled = dict(given)
    for key in schema.keys.values():
        if not key.required or key.name in filled:
            continue
        if key.name == "feature_names":
            filled[key.name] = build_feature_names([feature.name for feature in schema.features])
        elif key.name == "feature_values":
            filled[key.name] = np.full(len(schema.features), np.nan, np.float32)
        else:
            filled[key.name] = _build_empty(key, sizes)
    return filled


def build_feature_names(names: list[str]) -> np.ndarray:
    """Return `feature_names`: an object array of str (C9.1)."""
    array = np.empty(len(names), dtype=object)
    array[:] = names
    return array


def _find_sizes(schema: ArtifactSchema, given: Mapping[str, np.ndarray]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, array in given.items():
        key = schema.keys.get(name)
        if key is not None and array.ndim == len(key.shape):
            for axis, size in zip(key.shape, array.shape, strict=True):
                if isinstance(axis, str):
                    sizes.setdefault(axis, size)
    return sizes


def _build_empty(key: KeySchema, sizes: Mapping[str, int]) -> np.ndarray:
    shape = tuple(axis if isinstance(axis, int) else sizes.get(axis, 0) for axis in key.shape)
    dtype = np.dtype(NUMPY_TYPES[key.dtype])
    if key.dtype == "object_dict":
        array = np.empty((), dtype=object)
        array[()] = {}
        return array
    if key.dtype == "object_str":
        return np.full(shape, "", dtype=object)
    if dtype.kind == "f":
        return np.full(shape, np.nan, dtype)
    if dtype.kind == "i":
        return np.full(shape, -1, dtype)
    return np.zeros(shape, dtype)
