"""C6: an empty artifact says that nothing was measured, and an ok one that something was."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.contract.missing import build_empty_arrays, build_feature_names
from filmcan.contract.registry import get_schema, list_schema_components, list_schema_versions
from filmcan.contract.schema import ArtifactSchema, parse_schema
from filmcan.contract.validate import validate_arrays
from filmcan.testing.made_schema import (
    COMPONENT,
    build_probe_arrays,
    build_schema_document,
    find_part,
)

SCHEMA: ArtifactSchema = parse_schema(build_schema_document(), COMPONENT)
FACES = get_schema("core_face_landmarks_npz_v1", "core_face_landmarks")
TEXT = get_schema("text_npz_v1", "text_processor")
ALL = [
    get_schema(version, component)
    for version in list_schema_versions()
    for component in list_schema_components(version)
]


def found(schema: ArtifactSchema, **given: np.ndarray) -> list[tuple[str, str]]:
    """Return what is wrong with an empty artifact that holds some arrays all the same."""
    issues = validate_arrays(build_empty_arrays(schema, given), schema, status="empty")
    return [(issue.code, issue.key) for issue in issues]


@pytest.mark.parametrize("schema", ALL, ids=lambda schema: schema.component)
def test_c6_what_the_runner_writes_for_an_empty_component_is_empty(schema: ArtifactSchema) -> None:
    assert found(schema) == []


def test_c6_a_whole_measurement_that_calls_itself_empty_is_found_key_by_key() -> None:
    issues = validate_arrays(build_probe_arrays(), SCHEMA, status="empty")
    assert [(issue.code, issue.key) for issue in issues] == [
        ("measured_though_empty", key)
        for key in (
            "loudness_present", "row_present", "values", "counts", "plain", "feature_values",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "array"),
    [
        ("row_present", np.array([False, True])),
        ("loudness_present", np.array(True)),
        ("plain", np.float32([np.nan, 0])),
        ("extra", np.float16([0])),
    ],
)
def test_c6_one_measured_value_is_one_too_many(key: str, array: np.ndarray) -> None:
    assert ("measured_though_empty", key) in found(SCHEMA, **{key: array})


def test_c6_missing_values_and_axes_may_stand() -> None:
    given = {
        "frame_indices": np.int32([0, 5]),
        "times_sec": np.float32([0, 0.2]),
        "row_present": np.zeros(2, bool),
        "counts": np.int32([-1, -1]),
        "plain": np.float32([np.nan, np.nan]),
        "labels": np.array(["", ""]),
    }
    assert found(SCHEMA, **given) == []


def test_c6_a_whole_number_without_a_mask_is_missing_when_it_is_minus_one() -> None:
    document = build_schema_document()
    whole = {"dtype": "int32", "shape": [2], "tier": "analytics", "description": "no mask"}
    find_part(document)["keys"]["whole"] = whole
    schema = parse_schema(document, COMPONENT)
    assert found(schema) == []
    assert found(schema, whole=np.int32([-1, 0])) == [("measured_though_empty", "whole")]


def build_faces(**changes: np.ndarray) -> dict[str, np.ndarray]:
    values = {"face_frame_count": 3, "face_frame_share": 0, "face_count_max": 0}
    names = [feature.name for feature in FACES.features]
    return {
        "frame_indices": np.int32([0, 5, 9]),
        "times_sec": np.float32([0, 0.2, 0.4]),
        "frame_present": np.array([True, True, True]),
        "faces_empty_reason": np.array("no_faces_in_video"),
        "feature_names": build_feature_names(names),
        "feature_values": np.float32([values.get(name, np.nan) for name in names]),
        **changes,
    }


def test_c6_no_face_in_any_frame_is_empty_with_frames_that_were_looked_at() -> None:
    assert found(FACES, **build_faces()) == []
    assert found(FACES, **build_faces(has_any_face=np.array(True))) != []


def test_c6_a_zero_where_no_frame_was_looked_at_is_no_measurement() -> None:
    unseen = build_faces(frame_present=np.zeros(3, bool))
    assert found(FACES, **unseen) == [("measured_though_empty", "feature_values")]


def test_c6_a_feature_that_is_not_zero_was_measured() -> None:
    faces = build_faces()
    faces["feature_values"][2] = 1.5
    issues = validate_arrays(build_empty_arrays(FACES, faces), FACES, status="empty")
    assert [issue.key for issue in issues] == ["feature_values"]
    assert issues[0].message == (
        "1 of 10 values, first 'face_count_mean', though the artifact is empty"
    )


def test_c6_frames_in_which_no_text_was_seen_have_none_counted() -> None:
    looked = {
        "ocr_frame_indices": np.int32([0, 9]),
        "ocr_times_sec": np.float32([0, 0.4]),
        "ocr_frame_present": np.array([True, True]),
        "ocr_frame_line_count": np.int32([0, 0]),
        "ocr_frame_score": np.float32([np.nan, np.nan]),
    }
    assert found(TEXT, **looked) == []
    for name, array in (
        ("ocr_frame_line_count", np.int32([0, 2])),
        ("ocr_frame_score", np.float32([np.nan, 0])),
    ):
        assert found(TEXT, **{**looked, name: array}) == [("measured_though_empty", name)]


def test_c6_features_that_do_not_fit_each_other_are_told_as_such() -> None:
    assert found(SCHEMA, feature_values=np.float32([1, 1])) == [("shape", "feature_values")]
    document = build_schema_document()
    del find_part(document)["keys"]["feature_values"]
    document["components"][COMPONENT].update(features={}, open_features=False)
    schema = parse_schema(document, COMPONENT)
    assert found(schema) == []


# --- ok, though nothing was measured -------------------------------------------------------------


def build_nothing(**changes: np.ndarray) -> dict[str, np.ndarray | None]:
    return {
        "loudness_present": np.array(False),
        "loudness_empty_reason": np.array("video_too_short"),
        "row_present": np.zeros(3, bool),
        "values": np.full((3, 2), np.nan, np.float32),
        "counts": np.int32([-1, -1, -1]),
        "labels": np.array(["", "", ""]),
        "feature_values": np.float32([np.nan, 0, np.nan]),
        **changes,
    }


def test_c6_ok_though_nothing_was_measured_is_a_warning() -> None:
    (issue,) = validate_arrays(build_probe_arrays(**build_nothing()), SCHEMA, status="ok")
    assert (issue.level, issue.code) == ("warning", "nothing_measured")
    assert "loudness_present, row_present" in issue.message


def test_c6_one_mask_or_feature_that_says_something_is_enough() -> None:
    measured = build_nothing(feature_values=np.float32([np.nan, 0.5, np.nan]))
    assert validate_arrays(build_probe_arrays(**measured), SCHEMA, status="ok") == []
    seen = build_nothing(
        row_present=np.array([False, True, False]),
        counts=np.int32([-1, 0, -1]),
        labels=np.array(["", "a", ""]),
        values=np.float32([[np.nan] * 2, [0.5, 0.5], [np.nan] * 2]),
    )
    assert validate_arrays(build_probe_arrays(**seen), SCHEMA, status="ok") == []


def test_c6_without_masks_or_features_nobody_can_tell() -> None:
    document = build_schema_document()
    part = find_part(document)
    part["features"] = {}
    for name in ("loudness_present", "loudness_empty_reason", "row_present"):
        del part["keys"][name]
    for name in ("feature_names", "feature_values", "values", "counts", "labels"):
        del part["keys"][name]
    bare = parse_schema(document, COMPONENT)
    document["extra_keys"] = True
    given = {name: array for name, array in build_probe_arrays().items() if name in bare.keys}
    assert validate_arrays(given, bare, status="ok") == []
    part["keys"]["row_present"] = build_schema_document()["components"][COMPONENT]["keys"][
        "row_present"
    ]
    part["keys"]["plain"]["mask"] = "row_present"
    masked = parse_schema(document, COMPONENT)
    given |= {"row_present": np.zeros(3, bool), "plain": np.full(3, np.nan, np.float32)}
    issues = validate_arrays(given, masked, status="ok")
    assert [issue.code for issue in issues] == ["nothing_measured"]
