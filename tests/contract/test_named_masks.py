"""Masks that C6.1 names govern arrays that no schema describes."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.contract.named_masks import blank_hidden_values, validate_named_masks
from filmcan.contract.registry import get_schema

FACES = get_schema("core_face_landmarks_npz_v1", "core_face_landmarks")
OBJECTS = get_schema("core_object_detections_npz_v1", "core_object_detections")
HALF = np.array([True, False])


def _keys(arrays: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    return [(issue.level, issue.key) for issue in validate_named_masks(arrays, FACES)]


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, 0.0], np.float32),
        np.array([3, 0], np.int32),
        np.array(["left", "none"]),
        np.array(["left", "none"], dtype=object),
        np.ones((2, 3), np.float64),
    ],
)
def test_c6_a_value_under_a_false_mask_is_an_error_whatever_its_type(values: np.ndarray) -> None:
    arrays = {"hand_present": HALF, "hand_side": values}
    assert _keys(arrays) == [("error", "hand_side")]
    (issue,) = validate_named_masks(arrays, FACES)
    assert issue.message == "cells where hand_present is false: 1, yet they hold a value"


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, np.nan], np.float32),
        np.array([3, -1], np.int32),
        np.array(["left", ""]),
        np.array(["left", None], dtype=object),
    ],
)
def test_c6_missing_values_under_a_false_mask_are_right(values: np.ndarray) -> None:
    assert _keys({"hand_present": HALF, "hand_side": values}) == []


def test_the_longest_name_of_a_mask_governs() -> None:
    values = np.array([0.5, 0.5], np.float32)
    arrays = {"a_present": HALF, "a_b_present": np.array([True, True]), "a_b_c": values}
    assert _keys(arrays) == []


def test_c6_an_integer_without_a_missing_value_is_not_judged() -> None:
    assert _keys({"hand_present": HALF, "hand_bits": np.array([1, 0], np.uint8)}) == []


@pytest.mark.parametrize(
    "name", ["hand_empty_reason", "hand_indices", "hand_times_sec", "hand_b_present", "hand_mask"]
)
def test_masks_reasons_and_axes_say_something_also_where_a_mask_is_false(name: str) -> None:
    assert _keys({"hand_present": HALF, name: np.array([1.0, 2.0], np.float32)}) == []


def test_a_mask_of_another_type_or_shape_governs_nothing() -> None:
    values = np.ones(2, np.float32)
    assert _keys({"hand_present": np.array([1, 0]), "hand_x": values}) == []
    assert _keys({"hand_present": np.array([True] * 3), "hand_x": values}) == []


def test_c6_valid_mask_governs_what_begins_with_its_axes() -> None:
    arrays = {
        "valid_mask": np.array([[True, False]]),
        "boxes": np.zeros((1, 2, 4), np.float32),
        "class_names": np.array(["person"]),
        "times_s": np.zeros(1, np.float32),
    }
    found = validate_named_masks(arrays, OBJECTS)
    assert [issue.key for issue in found] == ["boxes"]


def test_what_the_schema_itself_rules_is_left_to_it() -> None:
    arrays = {
        "box_present": np.array([[False]]),
        "valid_mask": np.array([[False]]),
        "scores": np.zeros((1, 1), np.float32),
        "frame_indices": np.array([0], np.int32),
        "frame_present": np.array([False]),
    }
    assert validate_named_masks(arrays, OBJECTS) == []


def test_c6_there_is_no_rate_without_a_time_difference() -> None:
    rate = np.array([0.0, 0.5], np.float32)
    gap = np.array([np.nan, 0.3], np.float32)
    assert _keys({"dt_seconds": gap, "motion_per_sec": rate}) == [("error", "motion_per_sec")]
    assert _keys({"dt_sec": gap, "motion_per_second": rate}) == []
    assert _keys({"dt_sec": gap[:1], "motion_per_sec": rate}) == []
    assert _keys({"dt_sec": np.array([1, 2]), "motion_per_sec": rate}) == []
    (issue,) = validate_named_masks({"dt_sec": gap, "motion_per_sec": rate}, FACES)
    assert "dt_sec is NaN: 1" in issue.message


def test_without_a_known_schema_it_only_warns() -> None:
    arrays = {"hand_present": HALF, "hand_x": np.ones(2, np.float32)}
    assert [issue.level for issue in validate_named_masks(arrays, None)] == ["warning"]


def test_c6_cells_are_counted_once_however_much_they_hide() -> None:
    values = np.full((4, 400_000), np.nan, np.float32)
    values[0] = 1
    values[2, [0, 7, -1]] = 0
    values[3] = 2
    present = np.array([False, False, False, True])
    (issue,) = validate_named_masks({"a_present": present, "a_b": values}, FACES)
    assert issue.message == "cells where a_present is false: 2, yet they hold a value"
    names = np.array([["", "x"], ["", ""]])
    (issue,) = validate_named_masks({"a_present": np.array(False), "a_b": names}, FACES)
    assert issue.message == "cells where a_present is false: 1, yet they hold a value"


def test_c6_blanking_leaves_alone_what_is_missing_already() -> None:
    notes = np.array([None, "a", ""], dtype=object)
    blanked, _ = blank_hidden_values({"a_present": np.array(False), "a_note": notes}, None)
    assert blanked["a_note"].tolist() == [None, "", ""]


def test_c6_blanking_writes_missing_values_and_leaves_the_given_arrays_alone() -> None:
    arrays = {
        "hand_present": HALF,
        "hand_x": np.array([1.0, 2.0], np.float32),
        "hand_id": np.array([1, 2], np.int64),
        "hand_name": np.array(["a", "b"]),
        "hand_note": np.array(["a", "b"], dtype=object),
        "other": np.array([1.0, 2.0], np.float32),
    }
    before = {name: array.copy() for name, array in arrays.items()}
    blanked, hidden = blank_hidden_values(arrays, None)
    assert [found.key for found in hidden] == ["hand_x", "hand_id", "hand_name", "hand_note"]
    assert np.isnan(blanked["hand_x"]).tolist() == [False, True]
    assert blanked["hand_id"].tolist() == [1, -1]
    assert blanked["hand_name"].tolist() == ["a", ""]
    assert blanked["hand_note"].tolist() == ["a", ""]
    assert blanked["other"] is arrays["other"]
    assert all(np.array_equal(arrays[name], before[name]) for name in arrays)
    assert validate_named_masks(blanked, FACES) == []
