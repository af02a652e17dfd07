"""C5, C7: the registry holds the versions in force, and every schema in it is well formed."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.components.catalog import COMPONENT_NAMES, get_component_class
from filmcan.contract.missing import build_empty_arrays
from filmcan.contract.registry import (
    get_schema,
    get_schema_document,
    list_schema_components,
    list_schema_versions,
    parse_document,
)
from filmcan.contract.schema import ArtifactSchema, find_components, parse_schema
from filmcan.contract.validate import validate_arrays
from filmcan.errors import InvalidSchemaError, NotFoundError

IN_FORCE = {
    "core_clip": ("core", "core_clip_npz_v1"),
    "core_depth_midas": ("core", "core_depth_midas_npz_v1"),
    "core_object_detections": ("core", "core_object_detections_npz_v1"),
    "core_optical_flow": ("core", "core_optical_flow_npz_v1"),
    "core_face_landmarks": ("core", "core_face_landmarks_npz_v1"),
    "clap_extractor": ("audio", "audio_npz_v1"),
    "tempo_extractor": ("audio", "audio_npz_v1"),
    "loudness_extractor": ("audio", "audio_npz_v1"),
    "text_processor": ("text", "text_npz_v1"),
}
"""The table of C5, copied by hand: a change of it is a change of the contract."""

SCHEMAS = [get_schema(version, name) for name, (_, version) in IN_FORCE.items()]


def test_c5_the_versions_in_force_are_those_of_the_contract() -> None:
    found = {}
    for name in COMPONENT_NAMES:
        component = get_component_class(name)
        assert component.name == name
        found[name] = (component.kind, component.schema_version)
    assert found == IN_FORCE
    assert set(list_schema_versions()) == {version for _, version in IN_FORCE.values()}


def test_c7_components_that_share_a_version_have_a_part_each() -> None:
    assert set(list_schema_components("audio_npz_v1")) == {
        "loudness_extractor",
        "tempo_extractor",
        "clap_extractor",
    }


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: schema.component)
class TestEverySchema:
    def test_its_kind_is_the_components(self, schema: ArtifactSchema) -> None:
        assert schema.kind == IN_FORCE[schema.component][0]

    def test_c6_its_empty_form_is_valid(self, schema: ArtifactSchema) -> None:
        arrays = build_empty_arrays(schema, {})
        assert validate_arrays(arrays, schema, status="empty") == []
        assert np.isnan(arrays["feature_values"]).all()

    def test_c8_its_empty_form_never_passes_as_ok(self, schema: ArtifactSchema) -> None:
        arrays = build_empty_arrays(schema, {})
        assert validate_arrays(arrays, schema, status="ok")

    def test_c9_it_carries_the_tabular_part(self, schema: ArtifactSchema) -> None:
        assert schema.keys["feature_names"].dtype == "object_str"
        assert schema.keys["feature_values"].dtype == "float32"
        assert schema.keys["feature_names"].shape == schema.keys["feature_values"].shape
        assert schema.features

    def test_visual_artifacts_have_their_samples(self, schema: ArtifactSchema) -> None:
        if schema.kind != "core":
            return
        for key, dtype in (
            ("frame_indices", "int32"),
            ("times_sec", "float32"),
            ("frame_present", "bool"),
        ):
            assert schema.keys[key].dtype == dtype
            assert schema.keys[key].shape == ("N",)
        assert schema.keys["frame_indices"].increasing
        assert schema.dims["N"].samples

    def test_every_key_and_feature_is_described(self, schema: ArtifactSchema) -> None:
        for item in (*schema.keys.values(), *schema.features):
            assert len(item.description) > 10, item.name

    def test_c6_every_mask_is_named_as_one(self, schema: ArtifactSchema) -> None:
        masks = {key.mask for key in schema.keys.values()}
        masks |= {feature.mask for feature in schema.features}
        for mask in masks - {None}:
            assert str(mask).endswith("_present") or str(mask).startswith("has_"), mask


def test_an_unknown_version_is_not_found_and_names_the_known() -> None:
    with pytest.raises(NotFoundError, match="audio_npz_v1"):
        get_schema_document("audio_npz_v9")


def test_a_version_without_the_component_says_whom_it_describes() -> None:
    with pytest.raises(InvalidSchemaError, match="loudness_extractor"):
        get_schema("audio_npz_v1", "core_clip")


@pytest.mark.parametrize("document", [None, [], "x", {"components": []}])
def test_a_document_that_is_no_schema_is_refused(document: object) -> None:
    with pytest.raises(InvalidSchemaError):
        parse_schema(document, "x")
    with pytest.raises(InvalidSchemaError):
        find_components(document)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"{", "Expecting"),
        (b"[]", "differs from the file's name"),
        (b'{"schema_version":"other_npz_v1"}', "differs from the file's name"),
    ],
)
def test_a_damaged_document_is_refused_and_says_which(data: bytes, told: str) -> None:
    with pytest.raises(InvalidSchemaError, match=told) as refusal:
        parse_document(data, "probe_npz_v1")
    assert refusal.value.where == "probe_npz_v1"


def test_c7_released_copies_stand_beside_the_registry_and_are_no_versions_of_it() -> None:
    assert set(list_schema_versions("released")) <= set(list_schema_versions())
    with pytest.raises(NotFoundError, match="released copies"):
        get_schema_document("probe_npz_v1", "released")
