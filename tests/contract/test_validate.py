"""C6, C8: arrays are held to their schema, and every breach is found and named."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from filmcan.contract.missing import build_empty_arrays, build_feature_names
from filmcan.contract.schema import ArtifactSchema, parse_schema
from filmcan.contract.validate import validate_arrays
from filmcan.errors import InvalidSchemaError

DOCUMENT: dict[str, object] = {
    "schema_version": "test_npz_v1",
    "kind": "core",
    "description": "A schema for tests.",
    "extra_keys": False,
    "extra_meta": [],
    "components": {
        "probe_component": {
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
                    "mask": "is_present",
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
                "is_present": {
                    "dtype": "bool",
                    "shape": [],
                    "tier": "model_facing",
                    "description": "mask of a feature",
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
SCHEMA: ArtifactSchema = parse_schema(DOCUMENT, "probe_component")


def build(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    payload = np.empty((), dtype=object)
    payload[()] = {"a": 1}
    arrays = {
        "feature_names": build_feature_names(["loudness", "ratio", "slope"]),
        "feature_values": np.float32([-20, 0.5, np.nan]),
        "frame_indices": np.int32([0, 4, 9]),
        "is_present": np.array(True),
        "row_present": np.array([True, False, True]),
        "values": np.float32([[0.1, 0.2], [np.nan, np.nan], [0, 1]]),
        "counts": np.int32([0, -1, 3]),
        "labels": np.array(["a", "", "c"]),
        "plain": np.float32([0, 0, 0]),
        "payload": payload,
    }
    merged = {**arrays, **changes}
    return {key: array for key, array in merged.items() if array is not None}


def codes(status: str = "ok", **changes: np.ndarray | None) -> list[tuple[str, str]]:
    issues = validate_arrays(build(**changes), SCHEMA, status=status)
    return [(issue.code, issue.key) for issue in issues]


def test_a_good_artifact_has_no_issue() -> None:
    assert codes() == []
    assert codes(extra=np.float16([np.nan])) == []


@pytest.mark.parametrize(
    ("code", "key", "changes"),
    [
        ("key_missing", "plain", {"plain": None}),
        ("key_unknown", "more", {"more": np.zeros(1)}),
        ("dtype", "plain", {"plain": np.float64([0, 0, 0])}),
        ("dtype", "counts", {"counts": np.int64([0, -1, 3])}),
        ("dtype", "labels", {"labels": np.array([b"a", b"", b"c"])}),
        ("dtype", "feature_names", {"feature_names": np.array(["loudness", 1, "s"], dtype=object)}),
        ("shape", "plain", {"plain": np.float32([[0], [0], [0]])}),
        ("shape", "plain", {"plain": np.float32([0, 0])}),
        ("shape", "values", {"values": np.zeros((3, 3), np.float32)}),
        ("not_increasing", "frame_indices", {"frame_indices": np.int32([0, 4, 4])}),
        ("not_increasing", "frame_indices", {"frame_indices": np.int32([4, 0, 9])}),
        ("out_of_range", "frame_indices", {"frame_indices": np.int32([-2, 0, 9])}),
        ("out_of_range", "values", {"values": np.float32([[0.1, 2], [np.nan, np.nan], [0, 1]])}),
        ("not_finite", "plain", {"plain": np.float32([0, np.inf, 0])}),
        ("missing_not_nullable", "plain", {"plain": np.float32([0, np.nan, 0])}),
        (
            "value_under_false_mask",
            "values",
            {"values": np.float32([[0.1, 0.2], [0, np.nan], [0, 1]])},
        ),
        (
            "missing_under_true_mask",
            "values",
            {"values": np.float32([[0.1, np.nan], [np.nan, np.nan], [0, 1]])},
        ),
        ("value_under_false_mask", "counts", {"counts": np.int32([0, 0, 3])}),
        ("missing_under_true_mask", "counts", {"counts": np.int32([-1, -1, 3])}),
        ("value_under_false_mask", "labels", {"labels": np.array(["a", "b", "c"])}),
        ("missing_under_true_mask", "labels", {"labels": np.array(["", "", "c"])}),
        ("constant_zero", "values", {"values": np.float32([[0, 0], [np.nan, np.nan], [0, 0]])}),
        (
            "feature_names",
            "feature_names",
            {"feature_names": build_feature_names(["loudness", "slope", "ratio"])},
        ),
        ("value_under_false_mask", "feature_values[loudness]", {"is_present": np.array(False)}),
        (
            "missing_not_nullable",
            "feature_values[ratio]",
            {"feature_values": np.float32([-20, np.nan, 0])},
        ),
        (
            "missing_not_nullable",
            "feature_values[loudness]",
            {"feature_values": np.float32([np.nan, 0.5, 0])},
        ),
        ("out_of_range", "feature_values[ratio]", {"feature_values": np.float32([-20, 1.5, 0])}),
        ("not_finite", "feature_values[slope]", {"feature_values": np.float32([-20, 0.5, np.inf])}),
    ],
)
def test_c6_c8_each_breach_is_found(
    code: str, key: str, changes: dict[str, np.ndarray | None]
) -> None:
    assert (code, key) in codes(**changes)


def test_a_payload_must_hold_a_dict() -> None:
    payload = np.empty((), dtype=object)
    payload[()] = [1]
    assert ("dtype", "payload") in codes(payload=payload)


def test_c8_ok_with_zero_samples_is_an_error() -> None:
    empty = build_empty_arrays(SCHEMA, {})
    issues = validate_arrays(
        {**empty, "feature_values": np.float32([np.nan, 0, 0])}, SCHEMA, status="ok"
    )
    assert "ok_without_samples" in [issue.code for issue in issues]


def test_c6_an_empty_artifact_is_filled_by_its_schema_and_valid() -> None:
    arrays = build_empty_arrays(SCHEMA, {})
    assert validate_arrays(arrays, SCHEMA, status="empty") == []
    assert arrays["values"].shape == (0, 2)
    assert np.isnan(arrays["feature_values"]).all()
    assert arrays["is_present"].item() is False
    assert "extra" not in arrays


def test_c6_what_an_empty_component_did_measure_is_kept() -> None:
    given = {"frame_indices": np.int32([0, 5])}
    arrays = build_empty_arrays(SCHEMA, given)
    assert validate_arrays(arrays, SCHEMA, status="empty") == []
    assert arrays["frame_indices"].tolist() == [0, 5]
    assert np.isnan(arrays["values"]).all()
    assert arrays["values"].shape == (2, 2)
    assert arrays["counts"].tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("keys.plain.dtype", "float8", "expected one of"),
        ("keys.plain.shape", ["Q"], "unknown dim Q"),
        ("keys.plain.shape", "N", "list of sizes"),
        ("keys.plain.mask", "nowhere", "no bool key"),
        ("keys.plain.mask", "values", "no bool key"),
        ("keys.is_present.mask", "row_present", "no prefix"),
        ("keys.plain.tier", "secret", "expected one of"),
        ("keys.plain.colour", "red", "unknown field"),
        ("keys.plain.range", [1], "expected \\[low, high\\]"),
        ("features.ratio.mask", "row_present", "no 0-d bool"),
        ("keys.plain.description", 7, "expected a string"),
    ],
)
def test_c7_a_malformed_schema_is_refused_with_its_place(
    path: str, value: object, told: str
) -> None:
    document = copy.deepcopy(DOCUMENT)
    target = document["components"]["probe_component"]  # type: ignore[index]
    *steps, last = path.split(".")
    for step in steps:
        target = target[step]
    target[last] = value
    with pytest.raises(InvalidSchemaError, match=told):
        parse_schema(document, "probe_component")
