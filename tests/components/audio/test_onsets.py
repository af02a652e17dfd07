"""Onset strength and onsets of hits at known times."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.components.audio.tempo_extractor.onset_strength import (
    FRAME_SAMPLES,
    HOP_SAMPLES,
    RATE_HZ,
    OnsetStrength,
)
from filmcan.components.audio.tempo_extractor.onsets import find_onsets, smooth_and_level
from filmcan.testing.made_sound import (
    Strike,
    add_noise,
    beep,
    burst,
    click,
    hat,
    kick,
    make_noise,
    make_sine,
    place_strikes,
    snare,
)


def measure(samples: np.ndarray, *, block: int = 1 << 16) -> np.ndarray:
    meter = OnsetStrength()
    for start in range(0, samples.size, block):
        meter.add(samples[start : start + block])
    return meter.finish()


def find_times(samples: np.ndarray) -> np.ndarray:
    return find_onsets(smooth_and_level(measure(samples))) / RATE_HZ


@pytest.mark.parametrize("strike", [click, beep, burst, kick, snare, hat])
@pytest.mark.parametrize("snr_db", [None, 20.0])
def test_every_hit_is_found_within_10_ms_and_nothing_else(
    strike: Strike, snr_db: float | None
) -> None:
    hits = np.sort(np.concatenate([np.arange(0.3, 9.5, 0.5), np.arange(0.55, 9.5, 1.5)]))
    sound = place_strikes(RATE_HZ, 10.0, hits, [strike])
    found = find_times(sound if snr_db is None else add_noise(sound, snr_db))
    assert found.size == hits.size
    assert np.abs(found - hits).max() < 0.01


@pytest.mark.parametrize("frequency_hz", [50.0, 440.0, 3000.0])
def test_a_steady_tone_has_no_onset_at_its_start_middle_or_end(frequency_hz: float) -> None:
    assert find_times(make_sine(RATE_HZ, 5.0, frequency_hz=frequency_hz)).size == 0


def test_steady_noise_has_hardly_an_onset() -> None:
    assert find_times(make_noise(RATE_HZ, 20.0)).size <= 5


def test_the_end_of_a_sound_is_no_onset() -> None:
    tone = make_sine(RATE_HZ, 2.0)
    tone[RATE_HZ:] = 0.0
    assert find_times(tone).size <= 1  # where it is cut off, it clicks


@pytest.mark.parametrize("gain_db", [0.0, -20.0, -40.0])
def test_onsets_do_not_depend_on_the_level(gain_db: float) -> None:
    hits = np.arange(0.3, 4.5, 0.4)
    sound = place_strikes(RATE_HZ, 5.0, hits, [kick, snare]) * np.float32(10 ** (gain_db / 20))
    assert find_times(sound).size == hits.size


def test_a_sound_below_the_floor_is_silent() -> None:
    for level, is_silent in ((-100.0, True), (-50.0, False)):
        meter = OnsetStrength()
        meter.add(make_sine(RATE_HZ, 1.0, level_dbfs=level))
        assert meter.is_silent == is_silent
        if is_silent:
            assert not meter.finish().any()


@pytest.mark.parametrize("count", [0, 1, FRAME_SAMPLES - 1])
def test_less_than_one_frame_has_no_strength(count: int) -> None:
    strength = measure(np.ones(count, np.float32))
    assert strength.shape == (0,)
    assert find_onsets(smooth_and_level(strength)).shape == (0,)


def test_there_is_one_value_for_each_full_frame() -> None:
    count = FRAME_SAMPLES + 10 * HOP_SAMPLES + 5
    assert measure(make_noise(1, count)).size == 11


@pytest.mark.parametrize("block", [997, 12_345])
def test_blocks_of_any_size_give_the_same_strength(block: int) -> None:
    sound = add_noise(place_strikes(RATE_HZ, 2.0, np.arange(0.1, 2.0, 0.3), [kick, hat]), 30.0)
    np.testing.assert_allclose(measure(sound, block=block), measure(sound), atol=1e-4)


def test_levelling_takes_away_the_mean_of_the_surroundings() -> None:
    np.testing.assert_allclose(smooth_and_level(np.full(500, 3.0, np.float32)), 0.0, atol=1e-9)
