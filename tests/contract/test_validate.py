"""C6, C8: arrays are held to their schema, and every breach is found and named."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.contract.missing import build_empty_arrays, build_feature_names
from filmcan.contract.pieces import PIECE_BYTES
from filmcan.contract.schema import ArtifactSchema, parse_schema
from filmcan.contract.validate import validate_arrays, validate_unknown_arrays
from filmcan.errors import InvalidSchemaError
from filmcan.testing.made_schema import (
    COMPONENT,
    build_probe_arrays,
    build_schema_document,
    find_part,
)

SCHEMA: ArtifactSchema = parse_schema(build_schema_document(), COMPONENT)


def codes(status: str = "ok", **changes: np.ndarray | None) -> list[tuple[str, str]]:
    issues = validate_arrays(build_probe_arrays(**changes), SCHEMA, status=status)
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
        (
            "value_under_false_mask",
            "feature_values[loudness]",
            {"loudness_present": np.array(False)},
        ),
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
    assert arrays["loudness_present"].item() is False
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
        ("keys.loudness_present.mask", "row_present", "no prefix"),
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
    document = build_schema_document()
    target = find_part(document)
    *steps, last = path.split(".")
    for step in steps:
        target = target[step]
    target[last] = value
    with pytest.raises(InvalidSchemaError, match=told):
        parse_schema(document, COMPONENT)


def test_c6_a_mask_of_another_length_governs_nothing_and_is_found() -> None:
    document = build_schema_document()
    keys = find_part(document)["keys"]
    keys["row_present"]["shape"] = ["any"]
    for name in ("values", "counts", "labels"):
        keys[name]["shape"][0] = "any"
    schema = parse_schema(document, COMPONENT)
    assert validate_arrays(build_probe_arrays(), schema, status="ok") == []
    issues = validate_arrays(build_probe_arrays(row_present=np.bool_([1, 0])), schema, status="ok")
    assert {(issue.code, issue.key) for issue in issues} == {
        ("shape", "values"),
        ("shape", "counts"),
        ("shape", "labels"),
    }


def test_c6_a_single_value_under_a_mask_is_found_without_a_place() -> None:
    document = build_schema_document()
    find_part(document)["keys"]["level"] = {
        "dtype": "float32",
        "shape": [],
        "tier": "analytics",
        "mask": "loudness_present",
        "description": "one value",
    }
    schema = parse_schema(document, COMPONENT)
    arrays = build_probe_arrays(level=np.array(np.nan, np.float32))
    (issue,) = validate_arrays(arrays, schema, status="ok")
    assert (issue.code, issue.key) == ("missing_under_true_mask", "level")
    assert "first at" not in issue.message


@pytest.mark.parametrize(
    ("part", "mask"),
    [
        ("loudness", "loudness_present"),
        ("embeddings", "primary_embedding_present"),
        ("faces", "has_any_face"),
        ("faces", "has_faces"),
    ],
)
@pytest.mark.parametrize(
    ("is_present", "reason", "code"),
    [
        (True, "", None),
        (False, "video_too_short", None),
        (True, "video_too_short", "reason_without_missing"),
        (False, "", "missing_without_reason"),
    ],
)
def test_c6_the_reason_of_a_part_stands_exactly_where_its_mask_is_false(
    part: str, mask: str, is_present: bool, reason: str, code: str | None
) -> None:
    document = build_schema_document()
    document["extra_keys"] = True
    keys, features = find_part(document)["keys"], find_part(document)["features"]
    del keys["loudness_present"], keys["loudness_empty_reason"], features["loudness"]["mask"]
    text = {"dtype": "str", "shape": [], "tier": "analytics", "description": "reason"}
    keys[f"{part}_empty_reason"] = text
    keys[mask] = {**text, "dtype": "bool"}
    changes: dict[str, np.ndarray | None] = {
        "loudness_present": None,
        "loudness_empty_reason": None,
        f"{part}_empty_reason": np.array(reason),
        mask: np.array(is_present),
    }
    issues = validate_arrays(
        build_probe_arrays(**changes), parse_schema(document, COMPONENT), status="ok"
    )
    assert [(issue.code, issue.key) for issue in issues] == (
        [] if code is None else [(code, f"{part}_empty_reason")]
    )


def test_c6_a_reason_without_a_mask_to_compare_is_left_alone() -> None:
    assert codes(loudness_present=None, loudness_empty_reason=np.array("video_too_short")) == [
        ("key_missing", "loudness_present")
    ]


def test_c6_a_reason_of_a_part_that_nobody_declared_is_a_warning() -> None:
    absent: dict[str, np.ndarray | None] = {
        "loudness_present": np.array(False),
        "feature_values": np.float32([np.nan, 0.5, 1]),
    }
    for reason, codes_found in (
        ("bogus", ["reason_not_declared"]),
        ("video_too_short", []),
        ("dependency_missing", []),
    ):
        arrays = build_probe_arrays(**absent, loudness_empty_reason=np.array(reason))
        issues = validate_arrays(arrays, SCHEMA, status="ok")
        assert [issue.code for issue in issues] == codes_found
        assert all(issue.level == "warning" for issue in issues)
    empty = build_empty_arrays(SCHEMA, {"loudness_empty_reason": np.array("bogus")})
    (issue,) = validate_arrays(empty, SCHEMA, status="empty")
    assert (issue.code, issue.key) == ("reason_not_declared", "loudness_empty_reason")


@pytest.mark.parametrize(
    ("counts", "is_good"),
    [
        ([0, -1, 2], True),
        ([0, -1, 3], False),
        ([-2, -1, 0], False),
        ([-1, -1, -1], True),
    ],
)
def test_c7_whole_numbers_that_count_along_a_dim_stay_on_it(
    counts: list[int], is_good: bool
) -> None:
    document = build_schema_document()
    find_part(document)["keys"]["counts"] |= {
        "indexes": "N",
        "range": [None, None],
        "nullable": True,
    }
    schema = parse_schema(document, COMPONENT)
    issues = validate_arrays(build_probe_arrays(counts=np.int32(counts)), schema, status="ok")
    issues = [issue for issue in issues if issue.code != "value_under_false_mask"]
    assert [(issue.code, issue.key) for issue in issues] == (
        [] if is_good else [("index_outside", "counts")]
    )


def test_c7_along_a_dim_that_no_array_has_nothing_is_counted() -> None:
    document = build_schema_document()
    part = find_part(document)
    part["dims"]["Q"] = {"description": "of an optional key"}
    part["keys"]["counts"]["indexes"] = "Q"
    part["keys"]["more"] = {**part["keys"]["extra"], "shape": ["Q"]}
    schema = parse_schema(document, COMPONENT)
    assert validate_arrays(build_probe_arrays(), schema, status="ok") == []
    issues = validate_arrays(build_probe_arrays(more=np.float16([1])), schema, status="ok")
    assert [issue.code for issue in issues] == ["index_outside"]
    assert "3 is no place along Q, which is 1 in more" in issues[0].message


def test_c9_features_that_the_profile_names_are_finite_or_missing() -> None:
    document = build_schema_document()
    find_part(document)["open_features"] = True
    schema = parse_schema(document, COMPONENT)
    arrays = build_probe_arrays(
        feature_names=build_feature_names(["loudness", "ratio", "slope", "a", "b", "c", "d"]),
        feature_values=np.float32([-20, 0.5, 1, np.inf, -np.inf, np.nan, 7]),
    )
    issues = validate_arrays(arrays, schema, status="ok")
    assert [(issue.code, issue.key) for issue in issues] == [
        ("not_finite", "feature_values[a]"),
        ("not_finite", "feature_values[b]"),
    ]


def test_c8_large_arrays_are_judged_like_small_ones() -> None:
    document = build_schema_document()
    keys = find_part(document)["keys"]
    keys["values"] |= {"shape": ["N", "any"], "zero_plausible": True}
    keys["plain"] |= {"shape": ["any"], "increasing": True}
    schema = parse_schema(document, COMPONENT)
    size = 700_000
    values = np.zeros((3, size), np.float32)
    values[1] = np.nan
    values[1, 3] = 0.5
    values[2, 4:6] = np.nan
    values[2, 7] = np.inf
    plain = np.arange(size, dtype=np.float32)
    arrays = build_probe_arrays(values=values, plain=plain)
    found = [(issue.code, issue.message) for issue in validate_arrays(arrays, schema, status="ok")]
    assert found == [
        (
            "value_under_false_mask",
            f"1 of {3 * size} values stand where row_present is false, first at [1, 3]",
        ),
        (
            "missing_under_true_mask",
            f"2 of {3 * size} values are missing where row_present is true, first at [2, 4]",
        ),
        ("not_finite", "holds an infinity"),
    ]
    for place in (size - 1, PIECE_BYTES // 4, PIECE_BYTES // 4 + 1):
        falling = plain.copy()
        falling[place:] -= 1
        arrays = build_probe_arrays(plain=falling)
        (issue,) = validate_arrays(arrays, schema, status="ok")
        expected = f"must be strictly increasing, but [{place}] is {falling[place]}"
        assert (issue.code, issue.message) == ("not_increasing", expected)


def test_c8_whole_numbers_at_the_ends_of_their_type_increase_or_not() -> None:
    low, high = np.iinfo(np.int32).min, np.iinfo(np.int32).max
    document = build_schema_document()
    find_part(document)["keys"]["frame_indices"]["range"] = [None, None]
    schema = parse_schema(document, COMPONENT)
    for indices, good in (([low, 0, high], True), ([high, 0, low], False)):
        arrays = build_probe_arrays(frame_indices=np.int32(indices))
        assert (validate_arrays(arrays, schema, status="ok") == []) is good


def test_c8_frame_numbers_outside_the_schema_are_judged_too() -> None:
    document = build_schema_document()
    document["extra_keys"] = True
    del find_part(document)["keys"]["frame_indices"]
    schema = parse_schema(document, COMPONENT)
    for indices, code in (
        (np.int32([3, 3, 4]), "not_increasing"),
        (np.float32([0, 1, 2]), "dtype"),
        (np.int32([[0]]), "dtype"),
        (np.int64([3, 4, 9]), None),
    ):
        issues = validate_arrays(build_probe_arrays(frame_indices=indices), schema, status="ok")
        expected = [] if code is None else [(code, "frame_indices")]
        assert [(issue.code, issue.key) for issue in issues] == expected
    assert validate_arrays(build_probe_arrays(frame_indices=None), schema, status="ok") == []


def test_c8_arrays_without_a_schema_are_held_to_what_the_contract_alone_says() -> None:
    nothing = np.empty(2, object)
    arrays = {
        "frame_indices": np.int64([2, 1]),
        "hands": nothing,
        "text": np.array(["a", None], object),
        "feature_names": np.array(["a"]),
        "feature_values": np.float32([1, 2]),
    }
    assert [(issue.code, issue.key) for issue in validate_unknown_arrays(arrays)] == [
        ("not_increasing", "frame_indices"),
        ("stored_none", "hands"),
        ("shape", "feature_values"),
    ]
    assert validate_unknown_arrays({}) == []


def test_c9_feature_names_that_repeat_or_run_out_are_found() -> None:
    names = build_feature_names(["loudness", "ratio", "ratio"])
    assert codes(feature_names=names) == [("feature_names", "feature_names")] * 2
    short = {"feature_names": build_feature_names(["loudness"]), "feature_values": np.float32([1])}
    assert codes(**short) == [("feature_names", "feature_names")]
    uneven = build_probe_arrays(feature_values=np.float32([-20]))
    loose = build_schema_document()
    for name in ("feature_names", "feature_values"):
        find_part(loose)["keys"][name]["shape"] = ["any"]
    for document in (build_schema_document(), loose):
        (issue,) = validate_arrays(uneven, parse_schema(document, COMPONENT), status="ok")
        assert (issue.code, issue.key) == ("shape", "feature_values")
