"""CLAP on a network of its documented form: it tells the mean level of each mel band."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from filmcan.components.audio.clap_extractor.component import ClapExtractor
from filmcan.components.audio.clap_extractor.log_mel import compute_log_mel, repeat_to_window
from filmcan.contract.model_used import ModelUsed
from filmcan.contract.registry import get_schema
from filmcan.errors import AssetError
from filmcan.models.weights import Weights
from filmcan.testing.component_suite import (
    Cases,
    ComponentSuite,
    check_result,
    get_default_parameters,
    get_features,
)
from filmcan.testing.fake_media import FakeSound, build_inputs
from filmcan.testing.fixture_networks import CLAP, build_image_tower, build_mix
from filmcan.testing.made_sound import make_noise, make_sine

if TYPE_CHECKING:
    from filmcan.components.base import Component, Result

ROW = ModelUsed("fixture-none", "0", "", "none", "none", "float32", "cpu")
SCHEMA = get_schema("audio_npz_v1", "clap_extractor")
RATE_HZ = 48_000


@pytest.mark.usefixtures("fixture_models")
class TestClapExtractor(ComponentSuite):
    component_name = "clap_extractor"

    def make_cases(self) -> Cases:
        sounds = {
            "typical": make_noise(RATE_HZ, 12.0),
            "silence": np.zeros(RATE_HZ * 3, np.float32),
            "one sample": np.ones(1, np.float32),
            "broken": np.array([np.nan, np.inf, 1e30, 0.5] * 1000, np.float32),
        }
        return {
            name: partial(build_inputs, sound=FakeSound(samples, RATE_HZ))
            for name, samples in sounds.items()
        }

    def build_component(self, **changes: object) -> Component:
        return super().build_component(**{"model": CLAP, **changes})


def run(samples: np.ndarray, **options: Any) -> Result:
    """Run the component over sound held in memory, and hold its arrays to the schema."""
    parameters = {**get_default_parameters("clap_extractor"), "model": CLAP}
    sound = FakeSound(samples, RATE_HZ, **options)
    result = ClapExtractor(parameters).run(build_inputs(sound=sound))
    check_result(result, SCHEMA, "made sound")
    return result


def embed(samples: np.ndarray) -> np.ndarray:
    """What the fixture's audio tower is made to compute, by plain numpy."""
    levels = compute_log_mel(repeat_to_window(samples)).mean(axis=0, dtype=np.float64)
    vector = levels @ build_mix(64, 3)
    return np.asarray(vector / np.linalg.norm(vector))


def make_parts(*parts: tuple[float, float]) -> np.ndarray:
    """Return sines one after the other, each (frequency_hz, duration_sec)."""
    return np.concatenate([make_sine(RATE_HZ, sec, frequency_hz=hz) for hz, sec in parts])


@pytest.mark.usefixtures("fixture_models")
@pytest.mark.parametrize(
    ("duration_sec", "ends_sec"),
    [
        (0.3, [0.3]),
        (3.0, [3.0]),
        (10.0, [10.0]),
        (10.999, [10.0]),
        (11.0, [10.0, 11.0]),
        (25.5, [10.0, 20.0, 25.5]),
    ],
)
def test_sound_is_cut_into_tens_of_seconds_and_a_rest_of_a_second_or_more(
    duration_sec: float, ends_sec: list[float]
) -> None:
    result = run(make_noise(RATE_HZ, duration_sec))
    arrays, features = result.arrays, get_features(result)
    starts_sec = [10.0 * number for number in range(len(ends_sec))]
    assert arrays["segment_start_sec"].tolist() == pytest.approx(starts_sec)
    assert arrays["segment_end_sec"].tolist() == pytest.approx(ends_sec)
    assert features["segment_count"] == len(ends_sec)
    assert features["duration_sec"] == pytest.approx(duration_sec)


@pytest.mark.usefixtures("fixture_models")
def test_each_segment_is_embedded_and_the_whole_weighs_their_lengths() -> None:
    samples = make_parts((440, 10), (3000, 10), (100, 2.5))
    result = run(samples)
    arrays = result.arrays
    parts = [samples[:480_000], samples[480_000:960_000], samples[960_000:]]
    expected = np.stack([embed(part) for part in parts])
    np.testing.assert_allclose(arrays["segment_embeddings"], expected, atol=1e-6)
    mean = np.average(expected, axis=0, weights=[10, 10, 2.5])
    np.testing.assert_allclose(arrays["embedding"], mean / np.linalg.norm(mean), atol=1e-6)
    cosines = [expected[0] @ expected[1], expected[1] @ expected[2]]
    found = get_features(result)["segment_cosine_prev_mean"]
    assert found == pytest.approx(np.mean(cosines), abs=1e-6)


@pytest.mark.usefixtures("fixture_models")
def test_the_same_sound_throughout_gives_the_same_embedding_throughout() -> None:
    features = get_features(run(make_parts((440, 20))))
    assert features["segment_cosine_prev_mean"] == pytest.approx(1.0, abs=1e-4)
    assert math.isnan(get_features(run(make_parts((440, 10))))["segment_cosine_prev_mean"])


@pytest.mark.usefixtures("fixture_models")
def test_c6_silence_is_a_measurement_and_is_told_from_sound() -> None:
    samples = np.concatenate([np.zeros(480_000, np.float32), make_noise(RATE_HZ, 5.0)])
    result = run(samples)
    arrays = result.arrays
    assert result.status == "ok"
    assert arrays["embedding_present"]
    assert arrays["segment_present"].tolist() == [True, True]
    assert arrays["segment_silent"].tolist() == [True, False]
    assert get_features(result)["silent_segment_count"] == 1
    assert run(np.zeros(RATE_HZ, np.float32)).arrays["segment_silent"].tolist() == [True]


@pytest.mark.usefixtures("fixture_models")
def test_block_borders_change_no_embedding() -> None:
    samples = make_noise(RATE_HZ, 12.0)
    whole = run(samples, block_sizes=(len(samples),)).arrays
    pieces = run(samples, block_sizes=(1, 16384, 999)).arrays
    np.testing.assert_array_equal(whole["segment_embeddings"], pieces["segment_embeddings"])


@pytest.mark.usefixtures("fixture_models")
def test_times_count_from_where_the_sound_begins() -> None:
    arrays = run(make_noise(RATE_HZ, 12.0), start_sec=0.75).arrays
    assert arrays["segment_start_sec"].tolist() == pytest.approx([0.75, 10.75])
    assert arrays["segment_end_sec"].tolist() == pytest.approx([10.75, 12.75])


@pytest.mark.usefixtures("fixture_models")
def test_samples_that_no_recording_holds_are_noted() -> None:
    samples = make_noise(RATE_HZ, 1.0)
    samples[100:103] = (np.nan, np.inf, 1e20)
    (note,) = run(samples).notes
    assert note.startswith("3 samples were not finite or beyond +60 dBFS")


@pytest.mark.usefixtures("fixture_models")
def test_c4_the_network_is_recorded() -> None:
    (row,) = run(make_noise(RATE_HZ, 1.0)).models_used
    assert (row.model_name, row.precision, row.device) == (CLAP, "float32", "cpu")


def test_c6_segments_that_cancel_out_have_no_common_embedding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from filmcan.components.audio.clap_extractor import component

    vectors = iter([np.eye(1, 512, dtype=np.float32)[0], -np.eye(1, 512, dtype=np.float32)[0]])

    class Tower:
        used = ROW
        notes = ()

        def __init__(self, *given: object) -> None:
            pass

        def embed(self, samples: np.ndarray) -> tuple[np.ndarray, bool]:
            return next(vectors), False

    monkeypatch.setattr(component, "AudioTower", Tower)
    monkeypatch.setattr(component, "get_weights", lambda name: None)
    arrays = run(make_noise(RATE_HZ, 20.0)).arrays
    assert not arrays["embedding_present"]
    assert np.isnan(arrays["embedding"]).all()


def test_mono_at_48_khz_is_asked_for() -> None:
    request = ClapExtractor(get_default_parameters("clap_extractor")).sound_request()
    assert (request.rate_hz, request.mono) == (48_000, True)


def test_a_network_of_another_form_is_refused(
    make_model: Callable[[Mapping[str, bytes]], Weights],
) -> None:
    make_model({"audio_model.onnx": build_image_tower()})
    parameters = {"model": "fixture-own"}
    sound = FakeSound(make_noise(RATE_HZ, 1.0), RATE_HZ)
    with pytest.raises(AssetError, match="expected input_features"):
        ClapExtractor(parameters).run(build_inputs(sound=sound))
