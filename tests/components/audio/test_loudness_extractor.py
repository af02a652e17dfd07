"""What the loudness extractor gives, and when it gives nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filmcan.components.audio.loudness_extractor.component import LoudnessExtractor
from filmcan.components.base import Inputs, Result
from filmcan.errors import BadProfileError
from filmcan.testing.component_suite import (
    Cases,
    ComponentSuite,
    assert_same_arrays,
    get_default_parameters,
    get_features,
)
from filmcan.testing.fake_media import FakeSound, build_inputs
from filmcan.testing.made_sound import make_noise, make_sine

RATE_HZ = 8000


def measure(samples: np.ndarray, rate_hz: int = RATE_HZ, **options: object) -> Result:
    extractor = LoudnessExtractor(get_default_parameters("loudness_extractor"))
    return extractor.run(build_inputs(sound=FakeSound(samples, rate_hz, **options)))  # type: ignore[arg-type]


def give(samples: np.ndarray, **options: object) -> Callable[[], Inputs]:
    return lambda: build_inputs(sound=FakeSound(samples, RATE_HZ, **options))  # type: ignore[arg-type]


class TestLoudnessExtractor(ComponentSuite):
    component_name: ClassVar[str] = "loudness_extractor"

    def make_cases(self) -> Cases:
        noise = make_noise(RATE_HZ, 4.0)
        return {
            "typical": give(np.stack([noise, 0.5 * noise])),
            "digital silence": give(np.zeros(4 * RATE_HZ, np.float32)),
            "below the absolute gate": give(make_noise(RATE_HZ, 4.0, rms_dbfs=-80.0)),
            "one sample": give(np.full(1, 0.5, np.float32)),
            "under one step": give(noise[:700]),
            "under 400 ms": give(noise[:3100]),
            "under 3 s": give(noise[:20000]),
            "one block": give(noise, block_sizes=(noise.size,)),
            "LFE alone": give(np.eye(6, dtype=np.float32)[[3]].T * noise, channel_layout="5.1"),
            "beyond full scale": give(noise * np.float32(1e4)),
            "not finite": give(np.where(noise > 0.3, np.nan, noise)),
            "starts early": give(noise, start_sec=-1.25),
        }


def test_c6_digital_silence_is_ok_without_loudness_and_wholly_silent() -> None:
    result = measure(np.zeros((2, 5 * RATE_HZ), np.float32))
    features = get_features(result)
    assert result.status == "ok"
    assert not result.arrays["lufs_present"]
    assert not result.arrays["signal_present"]
    assert features.pop("silence_ratio") == 1.0
    assert features.pop("clipped_ratio") == 0.0
    assert features.pop("channel_count") == 2.0
    assert features.pop("duration_sec") == 5.0
    assert np.isnan(list(features.values())).all()
    for mask in ("signal", "lufs", "loudness_range"):
        assert result.arrays[f"{mask}_empty_reason"] == "silence"


def test_c6_a_sound_below_the_absolute_gate_has_levels_but_no_loudness() -> None:
    result = measure(make_noise(RATE_HZ, 5.0, rms_dbfs=-80.0))
    features = get_features(result)
    assert not result.arrays["lufs_present"]
    assert result.arrays["lufs_empty_reason"] == "below_absolute_gate"
    assert result.arrays["loudness_range_empty_reason"] == "below_absolute_gate"
    assert np.isnan(features["integrated_lufs"])
    assert np.isnan(features["momentary_max_lufs"])
    assert features["rms_dbfs"] == pytest.approx(-80.0, abs=0.1)
    assert result.arrays["momentary_present"][3:].all()  # the series goes below the gate


@pytest.mark.parametrize(
    ("count", "lufs_reason", "range_reason"),
    [
        (int(0.399 * RATE_HZ), "too_short", "too_short"),
        (int(0.4 * RATE_HZ), "", "too_short"),
        (int(2.999 * RATE_HZ), "", "too_short"),
        (3 * RATE_HZ, "", ""),
    ],
)
def test_a_reading_needs_one_full_window(count: int, lufs_reason: str, range_reason: str) -> None:
    arrays = measure(make_noise(RATE_HZ, 3.0)[:count]).arrays
    assert arrays["lufs_empty_reason"] == lufs_reason
    assert bool(arrays["lufs_present"]) == (not lufs_reason)
    assert arrays["loudness_range_empty_reason"] == range_reason
    assert bool(arrays["loudness_range_present"]) == (not range_reason)


def test_times_are_the_ends_of_the_windows() -> None:
    result = measure(make_noise(RATE_HZ, 1.05), start_sec=10.0)
    np.testing.assert_allclose(result.arrays["times_sec"], 10.1 + 0.1 * np.arange(10), rtol=1e-6)
    assert get_features(result)["duration_sec"] == pytest.approx(1.05)


def test_a_loud_passage_shows_in_the_windows_that_cover_it() -> None:
    sine = make_sine(RATE_HZ, 10.0, level_dbfs=-40.0)
    sine[5 * RATE_HZ : 6 * RATE_HZ] *= 10.0
    arrays = measure(sine).arrays
    loudest = int(np.nanargmax(arrays["momentary_lufs"]))
    assert 5.35 <= arrays["times_sec"][loudest] <= 6.05
    louder = arrays["times_sec"][arrays["short_term_lufs"] > -42.0]
    assert 5.05 <= louder.min() <= 5.15
    assert 8.85 <= louder.max() <= 8.95


@pytest.mark.parametrize("block_sizes", [(1,), (799, 801, 3), (4800,), (10**6,)])
def test_the_same_sound_gives_the_same_arrays_however_its_blocks_fall(
    block_sizes: tuple[int, ...],
) -> None:
    noise = np.stack([make_noise(RATE_HZ, 3.3), make_noise(RATE_HZ, 3.3, seed=1)])
    expected = measure(noise).arrays
    assert_same_arrays(measure(noise, block_sizes=block_sizes).arrays, expected, str(block_sizes))


def test_samples_that_are_not_finite_are_noted_and_do_not_spoil_the_rest() -> None:
    noise = make_noise(RATE_HZ, 5.0)
    broken = noise.copy()
    broken[4000] = np.nan
    broken[4001] = np.inf
    result = measure(broken)
    assert "2 samples were not finite" in result.notes[0]
    repaired, clean = get_features(result), get_features(measure(noise))
    assert repaired["integrated_lufs"] == pytest.approx(clean["integrated_lufs"], abs=0.01)


def test_a_layout_of_many_channels_that_names_none_is_noted() -> None:
    noise = np.stack([make_noise(RATE_HZ, 1.0, seed=seed) for seed in range(6)])
    assert "names no channels" in measure(noise, channel_layout="6 channels").notes[0]
    assert measure(noise, channel_layout="5.1").notes == ()
    assert measure(noise[:2], channel_layout="2 channels").notes == ()


@given(gain_db=st.floats(-30.0, 40.0))
@settings(max_examples=8, deadline=None)
def test_a_gain_shifts_every_level_by_itself_and_no_range(gain_db: float) -> None:
    rising = make_noise(RATE_HZ, 6.0) * np.linspace(0.2, 1.0, 6 * RATE_HZ, dtype=np.float32)
    before = get_features(measure(rising))
    after = get_features(measure(rising * np.float32(10 ** (gain_db / 20))))
    for name, value in after.items():
        if name.endswith(("_lufs", "_dbtp", "_dbfs")):
            assert value - before[name] == pytest.approx(gain_db, abs=0.01), name
        elif name.endswith(("_lu", "_db")):
            assert value == pytest.approx(before[name], abs=0.01), name


def test_a_threshold_that_is_no_level_is_refused() -> None:
    with pytest.raises(BadProfileError, match="silence_threshold_dbfs"):
        LoudnessExtractor({"silence_threshold_dbfs": 3.0})
