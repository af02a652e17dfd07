"""True peak against sines and against exact interpolation."""

from __future__ import annotations

import numpy as np
import pytest

from filmcan.components.audio.loudness_extractor.true_peak import TruePeakMeter
from filmcan.testing.made_sound import make_noise, make_sine


def measure(*blocks: np.ndarray) -> float:
    meter = TruePeakMeter()
    for block in blocks:
        meter.add(np.atleast_2d(block))
    return meter.finish()


def soften(samples: np.ndarray) -> np.ndarray:
    """Fade in and out, so that the ends add no overshoot of their own."""
    return (samples * np.hanning(samples.size)[: samples.size] ** 0.25).astype(np.float32)


@pytest.mark.parametrize("share", [0.02, 0.11, 0.21, 0.25, 1 / 3, 0.37, 0.42])
@pytest.mark.parametrize("phase_deg", [0.0, 31.0, 45.0, 67.5, 90.0])
def test_a_sine_reads_its_amplitude_up_to_0_42_of_the_sample_rate(
    share: float, phase_deg: float
) -> None:
    sine = make_sine(1000, 4.0, frequency_hz=share * 1000, level_dbfs=-6.0, phase_deg=phase_deg)
    error_db = 20 * np.log10(measure(soften(sine))) + 6.0
    assert -0.17 <= error_db <= 0.01


def test_noise_reads_the_greatest_value_of_its_exact_interpolation() -> None:
    rng = np.random.default_rng(7)
    spectrum = np.zeros(2049, complex)
    spectrum[1:1700] = rng.standard_normal(1699) + 1j * rng.standard_normal(1699)
    period = np.fft.irfft(spectrum, 4096)
    exact = np.fft.irfft(spectrum, 4096 * 64) * 64
    scale = 0.5 / np.abs(exact).max()
    sound = np.tile(period * scale, 3).astype(np.float32)
    assert 20 * np.log10(measure(sound[1000:-1000]) / 0.5) == pytest.approx(0.0, abs=0.15)


def test_the_peak_of_the_samples_is_never_missed() -> None:
    lone = np.zeros(1000, np.float32)
    lone[333] = -0.75
    assert measure(lone) == 0.75


def test_the_last_samples_count() -> None:
    sine = make_sine(1000, 1.0, frequency_hz=250.0, phase_deg=45.0)
    quiet = np.concatenate([sine * 0.1, sine[:2] * np.float32(1.0)])
    after = measure(np.concatenate([quiet, np.zeros(64, np.float32)]))
    assert measure(quiet) == pytest.approx(after, abs=1e-6)
    assert after > 1.05 * np.abs(quiet).max()


@pytest.mark.parametrize("sizes", [[1] * 400, [3, 397], [200, 150, 50]])
def test_blocks_of_any_size_read_the_same(sizes: list[int]) -> None:
    noise = np.stack([make_noise(1000, 0.4), make_noise(1000, 0.4, seed=1)])
    parts = np.split(noise, np.cumsum(sizes)[:-1], axis=1)
    assert measure(*parts) == pytest.approx(measure(noise), rel=1e-6)


@pytest.mark.parametrize("size", [33, 50, 100, 101])
def test_the_border_of_a_block_is_no_end_of_the_sound(size: int) -> None:
    """A sound cut off at its crest would overshoot by a tenth."""
    cosine = soften(make_sine(1000, 2.0, frequency_hz=10.0, phase_deg=90.0))
    parts = [cosine[start : start + size] for start in range(0, cosine.size, size)]
    assert measure(*parts) == measure(cosine) == pytest.approx(1.0, abs=0.001)


def test_silence_has_no_peak() -> None:
    assert measure(np.zeros(100, np.float32)) == 0.0
    assert TruePeakMeter().finish() == 0.0
