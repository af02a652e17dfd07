"""RMS, peak, clipping and silence of the samples."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.components.audio.loudness_extractor.levels import LevelMeter, to_decibels
from filmcan.testing.made_sound import make_sine


def test_a_sine_has_a_crest_of_3_db_over_all_channels() -> None:
    meter = LevelMeter(100, -60.0)
    meter.add(np.stack([make_sine(1000, 1.0, frequency_hz=50.0, level_dbfs=-6.0)] * 2))
    assert to_decibels(meter.peak) == pytest.approx(-6.0, abs=0.01)
    assert meter.rms_dbfs == pytest.approx(-9.01, abs=0.01)
    assert meter.clipped_ratio == 0.0


def test_a_silent_channel_lowers_the_rms_by_3_db() -> None:
    meter = LevelMeter(100, -60.0)
    sine = make_sine(1000, 1.0, frequency_hz=50.0)
    meter.add(np.stack([sine, np.zeros_like(sine)]))
    assert meter.rms_dbfs == pytest.approx(-6.02, abs=0.01)


def test_silence_is_the_share_of_time_in_quiet_stretches() -> None:
    """The last, shorter one counts by its length."""
    meter = LevelMeter(100, -60.0)
    meter.add(np.full((1, 200), 0.5, np.float32))
    meter.add(np.full((1, 150), 1e-4, np.float32))
    assert meter.silence_ratio == pytest.approx(150 / 350)


def test_the_threshold_is_the_rms_of_a_stretch() -> None:
    for level, ratio in ((-59.9, 0.0), (-60.1, 1.0)):
        meter = LevelMeter(100, -60.0)
        meter.add(np.full((2, 100), 10 ** (level / 20), np.float32))
        assert meter.silence_ratio == ratio


def test_samples_at_or_beyond_full_scale_are_clipped() -> None:
    meter = LevelMeter(100, -60.0)
    meter.add(np.array([[32767 / 32768, -1.0, 1.7, 32766 / 32768]], np.float32))
    assert meter.clipped_ratio == 0.75
    assert meter.peak == pytest.approx(1.7)


def test_digital_silence_has_no_level() -> None:
    meter = LevelMeter(100, -60.0)
    meter.add(np.zeros((1, 100), np.float32))
    assert np.isnan(meter.rms_dbfs)
    assert np.isnan(to_decibels(meter.peak))
