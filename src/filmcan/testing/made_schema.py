"""A machine schema made for tests that says everything a schema can say, and arrays for it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from filmcan.contract.missing import build_feature_names

COMPONENT = "probe_component"
SCHEMA_VERSION = "probe_npz_v1"

_DOCUMENT: dict[str, object] = {
    "schema_version": SCHEMA_VERSION,
    "kind": "core",
    "description": "A schema for tests.",
    "extra_keys": False,
    "extra_meta": [],
    "components": {
        COMPONENT: {
            "description": "Everything a schema can say, once.",
            "empty_reasons": ["video_too_short"],
            "dims": {
                "N": {"description": "samples", "samples": True},
                "F": {"description": "features"},
            },
            "features": {
                "loudness": {
                    "unit": "LUFS",
                    "range": [-100, 10],
                    "mask": "loudness_present",
                    "description": "masked",
                },
                "ratio": {"range": [0, 1], "description": "always there"},
                "slope": {"nullable": True, "description": "may be missing"},
            },
            "keys": {
                "feature_names": {
                    "dtype": "object_str",
                    "shape": ["F"],
                    "tier": "model_facing",
                    "description": "names",
                },
                "feature_values": {
                    "dtype": "float32",
                    "shape": ["F"],
                    "tier": "model_facing",
                    "nullable": True,
                    "description": "values",
                },
                "frame_indices": {
                    "dtype": "int32",
                    "shape": ["N"],
                    "tier": "model_facing",
                    "increasing": True,
                    "range": [0, None],
                    "description": "index",
                },
                "loudness_present": {
                    "dtype": "bool",
                    "shape": [],
                    "tier": "model_facing",
                    "description": "mask of a feature",
                },
                "loudness_empty_reason": {
                    "dtype": "str",
                    "shape": [],
                    "tier": "analytics",
                    "description": "why the feature is missing",
                },
                "times_sec": {
                    "dtype": "float32",
                    "shape": ["N"],
                    "tier": "model_facing",
                    "unit": "s",
                    "increasing": True,
                    "description": "time axis",
                },
                "row_present": {
                    "dtype": "bool",
                    "shape": ["N"],
                    "tier": "model_facing",
                    "description": "mask",
                },
                "values": {
                    "dtype": "float32",
                    "shape": ["N", 2],
                    "tier": "model_facing",
                    "mask": "row_present",
                    "range": [-1, 1],
                    "description": "masked floats",
                    "zero_plausible": False,
                },
                "counts": {
                    "dtype": "int32",
                    "shape": ["N"],
                    "tier": "model_facing",
                    "mask": "row_present",
                    "range": [0, 9],
                    "description": "masked ints",
                },
                "labels": {
                    "dtype": "str",
                    "shape": ["N"],
                    "tier": "analytics",
                    "mask": "row_present",
                    "description": "masked text",
                },
                "plain": {
                    "dtype": "float32",
                    "shape": ["N"],
                    "tier": "analytics",
                    "description": "never missing",
                },
                "extra": {
                    "dtype": "float16",
                    "shape": ["any"],
                    "required": False,
                    "tier": "debug",
                    "nullable": True,
                    "description": "optional",
                },
                "payload": {
                    "dtype": "object_dict",
                    "shape": [],
                    "tier": "debug",
                    "description": "a dict",
                },
            },
        }
    },
}


def build_schema_document(schema_version: str = SCHEMA_VERSION) -> dict[str, Any]:
    """Return a schema document of one component, to be changed at will."""
    return {**copy.deepcopy(_DOCUMENT), "schema_version": schema_version}


def find_part(document: dict[str, Any], component: str = COMPONENT) -> dict[str, Any]:
    """Return a component's part of a schema document, to be changed in place."""
    part: dict[str, Any] = document["components"][component]
    return part


def build_probe_arrays(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    """Return arrays that satisfy the schema; a change to None takes a key away."""
    payload = np.empty((), dtype=object)
    payload[()] = {"a": 1}
    arrays: dict[str, np.ndarray] = {
        "feature_names": build_feature_names(["loudness", "ratio", "slope"]),
        "feature_values": np.array([-20, 0.5, np.nan], np.float32),
        "frame_indices": np.array([0, 4, 9], np.int32),
        "loudness_present": np.ones((), bool),
        "loudness_empty_reason": np.array(""),
        "times_sec": np.array([0, 0.16, 0.36], np.float32),
        "row_present": np.array([1, 0, 1], bool),
        "values": np.array([[0.1, 0.2], [np.nan, np.nan], [0, 1]], np.float32),
        "counts": np.array([0, -1, 3], np.int32),
        "labels": np.array(["a", "", "c"]),
        "plain": np.array([0, 0, 0], np.float32),
        "payload": payload,
    }
    merged: dict[str, np.ndarray | None] = {**arrays, **changes}
    return {key: array for key, array in merged.items() if array is not None}
