from __future__ import annotations

import importlib.util

import pytest

from filmcan.components.catalog import get_component_class
from filmcan.components.network_form import find_missing_part, get_tensor
from filmcan.errors import AssetError, BadProfileError, NotFoundError
from filmcan.models.onnx_network import Tensor
from filmcan.testing.component_suite import get_default_parameters

FLOAT = "tensor(float)"
PICTURES = Tensor("pixel_values", (None, 3, 224, 224), FLOAT)

MODELS = {
    "core_clip": "clip_vit_b32",
    "core_depth_midas": "midas_v21_small",
    "clap_extractor": "clap_htsat_unfused",
}


@pytest.mark.usefixtures("fixture_models")
@pytest.mark.parametrize(("component", "model"), MODELS.items())
def test_c6_without_weights_the_sentence_ends_in_the_command(component: str, model: str) -> None:
    found = get_component_class(component)(get_default_parameters(component))
    sentence = found.find_missing_dependency()
    assert sentence is not None
    assert sentence.endswith(f"Run: filmcan models pull {model}")
    assert found.parameters["model"] == model  # hashed with the rest of the profile


@pytest.mark.usefixtures("fixture_models")
@pytest.mark.parametrize("component", MODELS)
def test_with_weights_nothing_is_missing(component: str) -> None:
    names = {"core_clip": "clip", "core_depth_midas": "midas", "clap_extractor": "clap"}
    parameters = get_default_parameters(component) | {"model": f"fixture-{names[component]}"}
    assert get_component_class(component)(parameters).find_missing_dependency() is None


@pytest.mark.usefixtures("fixture_models")
@pytest.mark.parametrize("module", ["onnxruntime", "tokenizers", "PIL"])
def test_c6_without_a_package_the_sentence_ends_in_the_command(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == module else find(name)
    )
    parameters = get_default_parameters("core_clip") | {"model": "fixture-clip"}
    sentence = get_component_class("core_clip")(parameters).find_missing_dependency()
    name = "Pillow" if module == "PIL" else module
    assert sentence == f'{name} is not installed. Run: pip install "filmcan[models]"'


@pytest.mark.usefixtures("fixture_models")
def test_a_model_that_no_catalog_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(NotFoundError, match="fixture-clip"):
        find_missing_part("fixture-clib", ())


@pytest.mark.usefixtures("fixture_models")
def test_a_model_of_another_component_is_refused_before_the_run() -> None:
    parameters = get_default_parameters("core_clip") | {"model": "fixture-clap"}
    component = get_component_class("core_clip")(parameters)
    with pytest.raises(BadProfileError, match=r"fixture-clap has no vision_model\.onnx"):
        component.find_missing_dependency()


def test_a_free_axis_fits_any_size_and_a_wanted_any_fits_each() -> None:
    fixed = Tensor("pixel_values", (1, 3, 224, 224), FLOAT)
    for tensor in (PICTURES, fixed):
        assert get_tensor([tensor], "pixel_values", (None, 3, 224, 224), FLOAT, "x") == tensor
    assert get_tensor([PICTURES], "pixel_values", (1, 3, 224, 224), FLOAT, "x") == PICTURES


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("other", (None, 3, 224, 224), FLOAT),
        ("pixel_values", (None, 3, 256, 224), FLOAT),
        ("pixel_values", (None, 224, 224), FLOAT),
        ("pixel_values", (None, 3, 224, 224), "tensor(float16)"),
    ],
)
def test_another_form_is_refused_with_what_was_expected_and_got(
    name: str, shape: tuple[int | None, ...], dtype: str
) -> None:
    with pytest.raises(AssetError) as caught:
        get_tensor([PICTURES], name, shape, dtype, "fixture-own: vision_model.onnx")
    assert caught.value.code == "network_form"
    assert f"expected {name} {dtype} [" in caught.value.message
    assert "got pixel_values tensor(float) [free,3,224,224]" in caught.value.message
