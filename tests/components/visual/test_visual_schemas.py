from __future__ import annotations

import numpy as np
import pytest

from filmcan.contract.missing import build_empty_arrays
from filmcan.contract.registry import get_schema, get_schema_document
from filmcan.contract.schema import ArtifactSchema, parse_schema
from filmcan.contract.validate import validate_arrays

COMPONENTS = (
    "core_clip",
    "core_depth_midas",
    "core_object_detections",
    "core_optical_flow",
    "core_face_landmarks",
)

KEYS = {
    "core_clip": {
        "frame_embeddings": "float32[N,D]",
        "video_embedding": "float32[D]",
        "video_embedding_present": "bool[]",
        "consecutive_cosine_prev": "float32[N]",
        "prompts": "str[P]",
        "prompt_groups": "str[P]",
        "prompt_embeddings": "float32[P,D]",
        "prompt_scores": "float32[N,P]",
    },
    "core_depth_midas": {
        "depth_maps": "float16[N,H,W]",
        "depth_mean": "float32[N]",
        "depth_std": "float32[N]",
        "depth_p05": "float32[N]",
        "depth_p95": "float32[N]",
        "depth_gradient_mean": "float32[N]",
        "foreground_fraction": "float32[N]",
        "preview_indices": "int32[K]",
        "preview_maps": "float16[K,h,w]",
    },
    "core_object_detections": {
        "boxes": "float32[N,M,4]",
        "scores": "float32[N,M]",
        "class_ids": "int32[N,M]",
        "box_present": "bool[N,M]",
        "class_names": "str[C]",
        "det_count": "int32[N]",
        "person_count": "int32[N]",
    },
    "core_optical_flow": {
        "flow_present": "bool[N]",
        "dt_sec": "float32[N]",
        "motion_mean_per_sec": "float32[N]",
        "motion_p95_per_sec": "float32[N]",
        "motion_angle_rad": "float32[N]",
        "camera_translation_per_sec": "float32[N,2]",
        "camera_scale_per_sec": "float32[N]",
        "camera_rotation_rad_per_sec": "float32[N]",
        "residual_mean_per_sec": "float32[N]",
        "preview_indices": "int32[K]",
        "preview_flow": "float16[K,H,W,2]",
    },
    "core_face_landmarks": {
        "face_boxes": "float32[N,F,4]",
        "face_scores": "float32[N,F]",
        "face_present": "bool[N,F]",
        "landmarks": "float32[N,F,478,3]",
        "has_any_face": "bool[]",
        "faces_empty_reason": "str[]",
    },
}
"""The keys that C9 and the first release's list of keys name."""

COMMON = {"frame_indices": "int32[N]", "times_sec": "float32[N]", "frame_present": "bool[N]"}

UNMASKED = {"frame_indices", "times_sec"}
"""What is known of a sample even when its frame did not decode."""


def schema_of(component: str) -> ArtifactSchema:
    return get_schema(f"{component}_npz_v1", component)


@pytest.mark.parametrize("component", COMPONENTS)
def test_c5_each_visual_schema_parses_under_its_version(component: str) -> None:
    version = f"{component}_npz_v1"
    schema = parse_schema(get_schema_document(version), component)
    assert (schema.schema_version, schema.kind) == (version, "core")
    assert schema.dims["N"].samples


@pytest.mark.parametrize("component", COMPONENTS)
def test_c9_each_schema_has_the_agreed_keys(component: str) -> None:
    schema = schema_of(component)
    for name, form in {**COMMON, **KEYS[component]}.items():
        key = schema.keys[name]
        assert f"{key.dtype}[{','.join(map(str, key.shape))}]" == form, name


@pytest.mark.parametrize("component", COMPONENTS)
def test_c9_each_schema_has_the_tabular_part(component: str) -> None:
    schema = schema_of(component)
    names, values = schema.keys["feature_names"], schema.keys["feature_values"]
    assert (names.dtype, values.dtype) == ("object_str", "float32")
    assert names.shape == values.shape
    assert schema.features
    assert values.nullable


@pytest.mark.parametrize("component", COMPONENTS)
def test_c6_every_measured_sample_has_a_mask(component: str) -> None:
    schema = schema_of(component)
    for key in schema.keys.values():
        if key.shape[:1] == ("N",) and key.dtype != "bool" and key.name not in UNMASKED:
            assert key.mask is not None, key.name


@pytest.mark.parametrize("component", COMPONENTS)
def test_c6_every_reason_is_declared(component: str) -> None:
    reasons = schema_of(component).empty_reasons
    assert {"video_stream_missing", "video_too_long"} <= set(reasons)
    if component == "core_optical_flow":
        assert "video_too_short" in reasons
    else:
        assert "dependency_missing" in reasons
    assert ("no_faces_in_video" in reasons) == (component == "core_face_landmarks")


@pytest.mark.parametrize("component", COMPONENTS)
def test_c6_an_empty_artifact_satisfies_its_schema(component: str) -> None:
    schema = schema_of(component)
    arrays = build_empty_arrays(schema, {})
    assert validate_arrays(arrays, schema, status="empty") == []
    assert [issue.code for issue in validate_arrays(arrays, schema, status="ok")]


@pytest.mark.parametrize("component", COMPONENTS)
def test_every_key_and_feature_says_what_it_is(component: str) -> None:
    schema = schema_of(component)
    texts = [key.description for key in schema.keys.values()]
    texts += [feature.description for feature in schema.features]
    assert all(text.endswith(".") and len(text) > 8 for text in texts)


def test_c6_a_frame_without_detections_is_a_measurement() -> None:
    """Zero boxes: counts are 0, masks false, no NaN where frame_present is true."""
    schema = schema_of("core_object_detections")
    arrays = build_empty_arrays(schema, {"frame_indices": np.array([0, 5], np.int32)})
    arrays["times_sec"] = np.array([0.0, 0.2], np.float32)
    arrays["frame_present"] = np.array([True, True])
    arrays["det_count"] = np.zeros(2, np.int32)
    arrays["person_count"] = np.zeros(2, np.int32)
    values = dict.fromkeys(arrays["feature_names"].tolist(), np.nan)
    zero = [name for name in values if "count" in name or name == "person_frame_share"]
    values.update(dict.fromkeys(zero, 0.0))
    arrays["feature_values"] = np.array(list(values.values()), np.float32)
    assert validate_arrays(arrays, schema, status="ok") == []
    arrays["det_count"] = np.array([0, -1], np.int32)
    codes = [issue.code for issue in validate_arrays(arrays, schema, status="ok")]
    assert codes == ["missing_under_true_mask"]


def test_c6_a_face_whose_landmarks_failed_is_no_missing_face() -> None:
    schema = schema_of("core_face_landmarks")
    given = {
        "frame_indices": np.array([0], np.int32),
        "times_sec": np.array([0.0], np.float32),
        "frame_present": np.array([True]),
        "face_boxes": np.array([[[-0.1, 0.2, 0.3, 0.6]]], np.float32),
        "face_scores": np.array([[0.9]], np.float32),
        "face_scores_present": np.array([[True]]),
        "face_present": np.array([[True]]),
        "landmarks_scores": np.array([[0.1]], np.float32),
        "has_any_face": np.array(True),
    }
    arrays = build_empty_arrays(schema, given)
    arrays["feature_values"] = np.full(len(schema.features), 0.5, np.float32)
    assert validate_arrays(arrays, schema, status="ok") == []
    assert arrays["landmarks"].shape == (1, 1, 478, 3)
    arrays["landmarks"] = np.zeros((1, 1, 478, 3), np.float32)
    codes = [issue.code for issue in validate_arrays(arrays, schema, status="ok")]
    assert codes == ["value_under_false_mask"]
