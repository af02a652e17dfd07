"""Momentary and short-term loudness through FFmpeg's filter."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.media.loudness_meter import LoudnessMeter, LoudnessSeries
from filmcan.testing.made_sound import make_noise, make_sine
from filmcan.testing.reference_loudness import measure_gain


def measure(samples: np.ndarray, rate_hz: int, weights: tuple[float, ...]) -> LoudnessSeries:
    meter = LoudnessMeter(rate_hz, weights)
    meter.add(samples)
    return meter.finish()


@pytest.mark.parametrize(
    "rate_hz", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000]
)
def test_a_tone_reads_its_k_weighted_power_at_every_rate(rate_hz: int) -> None:
    series = measure(make_sine(rate_hz, 4.0, frequency_hz=1000.0)[None], rate_hz, (1.0,))
    expected = -0.691 + 20 * np.log10(measure_gain(1000.0, rate_hz) / np.sqrt(2.0))
    np.testing.assert_allclose(series.momentary_lufs[10:], expected, atol=0.003)
    np.testing.assert_allclose(series.short_term_lufs[-5:], expected, atol=0.002)


def test_a_full_scale_sine_of_997_hz_reads_minus_3_01() -> None:
    """The calibration of BS.1770-5, Annex 1."""
    series = measure(make_sine(48000, 2.0, frequency_hz=997.0)[None], 48000, (1.0,))
    assert series.momentary_lufs[-1] == pytest.approx(-3.01, abs=0.005)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 48000])
def test_there_is_no_reading_until_a_window_is_full(rate_hz: int) -> None:
    series = measure(make_noise(rate_hz, 3.5)[None], rate_hz, (1.0,))
    ends = (np.arange(series.momentary_lufs.size) + 1) * series.step_samples
    np.testing.assert_array_equal(np.isnan(series.momentary_lufs), ends < int(0.4 * rate_hz))
    np.testing.assert_array_equal(np.isnan(series.short_term_lufs), ends < 3 * rate_hz)


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.95, 1.0])
def test_there_is_one_reading_for_each_full_step(seconds: float) -> None:
    series = measure(make_noise(8000, seconds)[None], 8000, (1.0,))
    assert series.step_samples == 800
    assert series.momentary_lufs.size == series.short_term_lufs.size == int(seconds * 10 + 1e-9)


def test_channels_add_up_by_their_weights() -> None:
    noise = np.stack([make_noise(48000, 1.0, seed=seed) for seed in range(5)])
    weights = (1.0, 1.0, 1.41, 0.0, 1.0)
    together = measure(noise, 48000, weights).momentary_lufs[-1]
    alone = [measure(noise[[n]], 48000, (1.0,)).momentary_lufs[-1] for n in range(5)]
    power = sum(w * 10 ** (one / 10) for w, one in zip(weights, alone, strict=True))
    assert together == pytest.approx(10 * np.log10(power), abs=0.002)


def test_channels_that_do_not_count_give_no_reading() -> None:
    series = measure(make_noise(8000, 1.0)[None], 8000, (0.0,))
    assert series.momentary_lufs.size == 10
    assert np.isnan(series.momentary_lufs).all()


def test_silence_after_a_loud_sound_gives_no_reading() -> None:
    samples = np.concatenate([make_noise(8000, 5.0, rms_dbfs=20.0), np.zeros(40000, np.float32)])
    series = measure(samples[None], 8000, (1.0,))
    assert np.isnan(series.momentary_lufs[-40:]).all()
    assert np.isnan(series.short_term_lufs[-15:]).all()


@pytest.mark.parametrize("level", [-95.0, -70.0, 30.0])
def test_levels_far_below_the_gate_and_above_full_scale_are_read(level: float) -> None:
    series = measure(make_sine(48000, 1.0, frequency_hz=997.0, level_dbfs=level)[None], 48000, (1,))
    assert series.momentary_lufs[-1] == pytest.approx(level - 3.01, abs=0.01)
