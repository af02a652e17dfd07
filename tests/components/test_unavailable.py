from __future__ import annotations

import pytest

from filmcan.components.base import Inputs
from filmcan.components.catalog import get_component_class
from filmcan.contract.registry import get_schema
from filmcan.errors import InternalError
from filmcan.media.probe import Probe

WEIGHTS = {
    "core_clip": "Xenova/clip-vit-base-patch32",
    "core_depth_midas": "MiDaS v2.1 small",
    "core_object_detections": "YOLOX-tiny",
    "core_face_landmarks": "MediaPipe faces",
    "clap_extractor": "Xenova/clap-htsat-unfused",
}


@pytest.mark.parametrize(("name", "weights"), WEIGHTS.items())
def test_c6_a_component_without_its_network_names_the_missing_weights(
    name: str, weights: str
) -> None:
    component = get_component_class(name)({})
    sentence = component.find_missing_dependency()
    assert sentence is not None
    assert sentence.startswith(f"weights of {weights}")
    assert "this version of filmcan can neither fetch nor run them yet" in sentence


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_component_without_its_network_asks_for_no_media(name: str) -> None:
    component = get_component_class(name)({})
    assert component.frame_request() is None
    assert component.sound_request() is None


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_component_without_its_network_never_makes_numbers_up(name: str) -> None:
    probe = Probe("clip.mp4", 0, "", "mov,mp4", None, None, None, (), is_still_picture=False)
    inputs = Inputs(probe=probe, frames=None, sound=None, text=None, seed=0)
    with pytest.raises(InternalError, match=f"{name} was run on clip.mp4"):
        get_component_class(name)({}).run(inputs)


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_component_without_its_network_has_its_schema(name: str) -> None:
    kind = get_component_class(name)
    schema = get_schema(kind.schema_version, name)
    assert schema.kind == kind.kind
    assert "dependency_missing" in schema.empty_reasons
