"""CLIP on networks of its documented form whose numbers are known beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from filmcan.components.visual.core_clip.component import CoreClip
from filmcan.components.visual.core_clip.picture_input import prepare_picture
from filmcan.components.visual.core_clip.tokens import PromptTokenizer
from filmcan.contract.registry import get_schema
from filmcan.errors import AssetError, BadProfileError, ComponentFailedError
from filmcan.models.execution import Execution
from filmcan.models.onnx_network import NETWORKS
from filmcan.models.weights import Weights, get_weights
from filmcan.testing.component_suite import (
    Cases,
    ComponentSuite,
    assert_same_arrays,
    check_result,
    get_default_parameters,
    get_features,
)
from filmcan.testing.fake_frames import build_fake_frames
from filmcan.testing.fake_media import build_inputs
from filmcan.testing.fixture_networks import (
    CLIP,
    build_clip_tokenizer,
    build_depth_network,
    build_image_tower,
    build_mix,
    build_text_tower,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from filmcan.components.base import Component, Result

SCHEMA = get_schema("core_clip_npz_v1", "core_clip")
PROMPTS = [
    {"group": "kind", "texts": ["a cat", "a dog", "neither of them"]},
    {"group": "light", "texts": ["a cat", "dark"]},
]


def make_picture(seed: int, size: tuple[int, int] = (90, 160)) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    return np.kron(coarse, np.ones((size[0] // 9, size[1] // 16, 1), np.uint8))


@pytest.mark.usefixtures("fixture_models")
class TestCoreClip(ComponentSuite):
    component_name = "core_clip"

    def make_cases(self) -> Cases:
        cases: dict[str, list[np.ndarray | None]] = {
            "typical": [make_picture(0), make_picture(1), make_picture(2)],
            "black": [np.zeros((90, 160, 3), np.uint8)] * 2,
            "one frame": [make_picture(0)],
            "nothing decoded": [None, None],
            "damaged": [None, make_picture(0), None, make_picture(1), make_picture(1)],
            "tiny": [make_picture(0)[:1, :1]],
        }
        return {
            name: partial(build_inputs, frames=build_fake_frames(pictures))
            for name, pictures in cases.items()
        }

    def build_component(self, **changes: object) -> Component:
        return super().build_component(**{"model": CLIP, **changes})


def run(
    pictures: Sequence[np.ndarray | None], execution: Execution | None = None, **changes: Any
) -> Result:
    """Run the component over frames held in memory, and hold its arrays to the schema."""
    parameters = {**get_default_parameters("core_clip"), "model": CLIP, **changes}
    inputs = build_inputs(frames=build_fake_frames(pictures), execution=execution)
    result = CoreClip(parameters).run(inputs)
    check_result(result, SCHEMA, "made pictures")
    return result


def embed(picture: np.ndarray) -> np.ndarray:
    """What the fixture's image tower is made to compute, by plain numpy."""
    fields = prepare_picture(picture).reshape(3, 7, 32, 7, 32).mean(axis=(2, 4))
    vector = fields.ravel().astype(np.float64) @ build_mix(147, 1)
    return np.asarray(vector / np.linalg.norm(vector))


def embed_text(ids: Sequence[int]) -> np.ndarray:
    """What the fixture's text tower is made to compute."""
    vector = build_mix(997, 2)[np.array(ids) % 997].mean(axis=0)
    return np.asarray(vector / np.linalg.norm(vector))


@pytest.mark.usefixtures("fixture_models")
def test_each_frame_has_the_unit_vector_of_its_own_picture() -> None:
    pictures = [make_picture(seed) for seed in range(5)]
    arrays = run(pictures).arrays
    expected = np.stack([embed(picture) for picture in pictures])
    np.testing.assert_allclose(arrays["frame_embeddings"], expected, atol=1e-6)
    mean = expected.mean(axis=0)
    np.testing.assert_allclose(arrays["video_embedding"], mean / np.linalg.norm(mean), atol=1e-6)
    assert arrays["video_embedding_present"]


@pytest.mark.usefixtures("fixture_models")
def test_failed_frames_are_masked_and_what_follows_them_has_no_neighbour() -> None:
    a, b = make_picture(0), make_picture(1)
    result = run([a, b, None, b, b])
    arrays, features = result.arrays, get_features(result)
    assert arrays["frame_present"].tolist() == [True, True, False, True, True]
    assert np.isnan(arrays["frame_embeddings"][2]).all()
    assert np.isnan(arrays["prompt_scores"][2]).all()
    cosine = float(embed(a) @ embed(b))
    np.testing.assert_allclose(
        arrays["consecutive_cosine_prev"], [np.nan, cosine, np.nan, np.nan, 1.0], atol=1e-6
    )
    assert features["clip_frame_count"] == 4
    assert features["consecutive_cosine_min"] == pytest.approx(cosine, abs=1e-6)
    assert features["consecutive_cosine_mean"] == pytest.approx((1 + cosine) / 2, abs=1e-6)
    assert features["consecutive_cosine_std"] == pytest.approx((1 - cosine) / 2, abs=1e-6)


@pytest.mark.usefixtures("fixture_models")
def test_coherence_is_one_for_a_still_video_and_less_for_a_changing_one() -> None:
    still, single = run([make_picture(0)] * 3), run([make_picture(0)])
    assert get_features(still)["video_coherence"] == pytest.approx(1.0, abs=1e-6)
    assert math.isnan(get_features(single)["consecutive_cosine_mean"])
    mixed = get_features(run([make_picture(seed) for seed in range(3)]))
    assert 0 < mixed["video_coherence"] < 0.95


@pytest.mark.usefixtures("fixture_models")
@pytest.mark.parametrize("batch_size", [1, 2, 5, 64])
def test_batches_change_nothing(batch_size: int) -> None:
    pictures = [make_picture(0), None, *map(make_picture, range(1, 5))]
    execution = Execution(threads=1, batch_size=batch_size)
    found = run(pictures, execution).arrays["frame_embeddings"]
    expected = np.stack([embed(picture) for picture in pictures if picture is not None])
    np.testing.assert_allclose(found[[0, 2, 3, 4, 5]], expected, atol=1e-6)


@pytest.mark.usefixtures("fixture_models")
def test_prompts_keep_their_order_and_compete_within_their_group() -> None:
    result = run([make_picture(0), make_picture(1)], prompts=PROMPTS)
    arrays, features = result.arrays, get_features(result)
    assert arrays["prompts"].tolist() == ["a cat", "a dog", "neither of them", "a cat", "dark"]
    assert arrays["prompt_groups"].tolist() == ["kind"] * 3 + ["light"] * 2
    tokenizer = PromptTokenizer(get_weights(CLIP).files["tokenizer.json"], "test")
    texts = np.stack([embed_text(tokenizer.encode(text)[0]) for text in arrays["prompts"].tolist()])
    np.testing.assert_allclose(arrays["prompt_embeddings"], texts, atol=1e-6)
    cosines = np.stack([embed(make_picture(seed)) for seed in (0, 1)]) @ texts.T
    for columns in (slice(0, 3), slice(3, 5)):
        weights = np.exp(100.0 * cosines[:, columns])
        expected = weights / weights.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(arrays["prompt_scores"][:, columns], expected, rtol=1e-3)
    mean = arrays["prompt_scores"][:, 4].mean()
    assert features["prompt_score_mean: light: dark"] == pytest.approx(mean)
    assert len(features) == len(SCHEMA.features) + 5


@pytest.mark.usefixtures("fixture_models")
def test_without_prompts_the_text_tower_is_not_run() -> None:
    result = run([make_picture(0)], prompts=[])
    assert result.arrays["prompts"].shape == (0,)
    assert result.arrays["prompt_embeddings"].shape == (0, 512)
    assert result.arrays["prompt_scores"].shape == (1, 0)
    weights = get_weights(CLIP)
    digest = f"sha256:{weights.digests['vision_model.onnx']}"
    assert [(row.model_name, row.weights_digest) for row in result.models_used] == [(CLIP, digest)]


@pytest.mark.usefixtures("fixture_models")
def test_c4_both_towers_are_recorded_with_what_ran_them() -> None:
    vision, text = run([make_picture(0)]).models_used
    assert vision.weights_digest != text.weights_digest
    for row in (vision, text):
        assert row.model_name == CLIP
        assert row.runtime.startswith("onnxruntime ")
        assert (row.engine, row.precision) == ("CPUExecutionProvider", "float32")
        assert row.device == "cpu"


@pytest.mark.usefixtures("fixture_models")
def test_the_text_tower_is_closed_again_and_its_vectors_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    execution = Execution(batch_size=3)
    first = run([make_picture(0)], execution, prompts=PROMPTS)
    weights = get_weights(CLIP)
    assert (weights.digests["text_model.onnx"], execution) not in NETWORKS._open
    monkeypatch.setattr(NETWORKS, "open", refuse_text(NETWORKS.open))
    assert_same_arrays(
        first.arrays, run([make_picture(0)], execution, prompts=PROMPTS).arrays, "second video"
    )
    fewer = run([make_picture(0)], execution, prompts=PROMPTS[1:]).arrays["prompt_embeddings"]
    np.testing.assert_array_equal(fewer, first.arrays["prompt_embeddings"][3:])


def refuse_text(open_network: Callable[..., Any]) -> Callable[..., Any]:
    def open_other(weights: Weights, file: str, *args: object, **options: object) -> object:
        assert file != "text_model.onnx"
        return open_network(weights, file, *args, **options)

    return open_other


@pytest.mark.usefixtures("fixture_models")
def test_a_text_that_had_to_be_cut_is_noted_each_time() -> None:
    prompts = [{"group": "length", "texts": ["short", "very " * 100 + "long"]}]
    for _ in range(2):
        (note,) = run([make_picture(0)], prompts=prompts).notes
        assert note.startswith("The prompt 'very very")
        assert note.endswith("longer than the text tower takes; it was cut.")


def build_files(**changes: bytes) -> dict[str, bytes]:
    names = {"vision": "vision_model.onnx", "text": "text_model.onnx"}
    files = {
        "vision_model.onnx": build_image_tower(),
        "text_model.onnx": build_text_tower(),
        "tokenizer.json": build_clip_tokenizer(()).encode(),
    }
    return {**files, **{names[name]: content for name, content in changes.items()}}


def test_networks_of_fixed_sizes_give_the_same_numbers(
    make_model: Callable[[Mapping[str, bytes]], Weights],
) -> None:
    """A batch that must be full is filled up, a text that must be long is padded after its end."""
    make_model(build_files(vision=build_image_tower(batch=2), text=build_text_tower(length=77)))
    pictures = [make_picture(seed) for seed in range(3)]
    arrays = run(pictures, model="fixture-own", prompts=PROMPTS).arrays
    expected = np.stack([embed(picture) for picture in pictures])
    np.testing.assert_allclose(arrays["frame_embeddings"], expected, atol=1e-6)
    make_model(build_files())
    plain = run(pictures, model="fixture-own", prompts=PROMPTS).arrays
    np.testing.assert_allclose(arrays["prompt_embeddings"], plain["prompt_embeddings"], atol=1e-6)


def test_a_network_of_another_form_is_refused(
    make_model: Callable[[Mapping[str, bytes]], Weights],
) -> None:
    make_model(build_files(vision=build_depth_network()))
    with pytest.raises(AssetError, match="expected pixel_values") as caught:
        run([make_picture(0)], model="fixture-own")
    assert caught.value.where == "fixture-own: vision_model.onnx"
    make_model(build_files(text=build_image_tower(seed=5)))
    with pytest.raises(AssetError, match="expected input_ids"):
        run([make_picture(0)], model="fixture-own")
    make_model(build_files(vision=b"no network"))
    with pytest.raises(AssetError, match="no ONNX file"):
        run([make_picture(0)], model="fixture-own")


@pytest.mark.usefixtures("fixture_models")
def test_an_embedding_without_direction_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "filmcan.components.visual.core_clip.image_tower.prepare_picture",
        lambda picture: np.zeros((3, 224, 224), np.float32),
    )
    with pytest.raises(ComponentFailedError, match="zero or not finite"):
        run([make_picture(0)])


BAD_PROMPTS = [
    ("a cat", "must be a list"),
    (["a cat"], "expected an entry such as"),
    ([{"group": "kind"}], "expected an entry such as"),
    ([{"group": " ", "texts": ["a", "b"]}], "expected a name"),
    ([{"group": "kind", "texts": "a cat"}], "expected a list of texts"),
    ([{"group": "kind", "texts": ["a cat", 3]}], "expected a list of texts"),
    ([{"group": "kind", "texts": ["a cat"]}], "at least two texts"),
    ([{"group": "kind", "texts": ["a cat", "a cat"]}], "'a cat' stands twice"),
    ([{"group": "kind", "texts": ["a", "b"]}] * 2, "the group 'kind' stands twice"),
    ([{"group": "kind", "texts": [f"text {n}" for n in range(1001)]}], "at most 1000"),
]


@pytest.mark.parametrize(("prompts", "message"), BAD_PROMPTS)
def test_prompts_of_another_form_are_refused_by_place(prompts: object, message: str) -> None:
    parameters = {**get_default_parameters("core_clip"), "prompts": prompts}
    with pytest.raises(BadProfileError, match=message) as caught:
        CoreClip(parameters)
    assert caught.value.where.startswith("prompts")


def test_whole_pictures_are_asked_for() -> None:
    """The reference shrinks them itself: a frame shrunk before would give other numbers."""
    view = CoreClip(get_default_parameters("core_clip")).frame_request().view
    assert (view.pixels, view.size, view.max_width) == ("rgb", None, None)
