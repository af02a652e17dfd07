"""CLAP's spectrogram, held to the reference's own output and to a direct sum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from filmcan.components.audio.clap_extractor.log_mel import (
    RATE_HZ,
    WINDOW_SAMPLES,
    build_mel_bank,
    compute_log_mel,
    repeat_to_window,
)
from filmcan.testing.made_sound import build_clap_signals

GOLDEN = Path(__file__).parents[2] / "data" / "clap" / "log_mel.npz"
SIGNALS = build_clap_signals()


@pytest.mark.parametrize("name", SIGNALS)
def test_each_signal_gives_the_references_spectrogram(name: str) -> None:
    """`tests/data/clap/make_golden.py` had transformers compute them."""
    with np.load(GOLDEN) as golden:
        frames, expected = golden["frames"], golden[name]
    found = compute_log_mel(repeat_to_window(SIGNALS[name]))
    assert (found.dtype, found.shape) == (np.float32, (1001, 64))
    assert frames[[0, -1]].tolist() == [0, 1000]
    assert np.abs(found[frames].astype(np.float64) - expected).max() < 1e-4


def test_the_tone_of_the_recipe_has_its_numbers() -> None:
    found = compute_log_mel(SIGNALS["tone"])
    assert found.mean(dtype=np.float64) == pytest.approx(-68.605, abs=5e-4)
    assert found[500].argmax() == 6
    assert found[500, 6] == pytest.approx(24.27, abs=5e-3)


def test_silence_is_at_the_floor_everywhere() -> None:
    found = compute_log_mel(np.zeros(WINDOW_SAMPLES, np.float32))
    assert (found == -100.0).all()


def test_a_frame_is_what_the_definition_says() -> None:
    """The power spectrum by a direct sum over 1024 samples, the mel bank by its own integral."""
    window = SIGNALS["noise"]
    place = 400
    centre = place * 480
    samples = window[centre - 512 : centre + 512].astype(np.float64)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(513), np.arange(1024)) / 1024)
    power = np.abs(waves @ (samples * hann)) ** 2
    expected = 10 * np.log10(np.maximum(power @ build_mel_bank(), 1e-10))
    np.testing.assert_allclose(compute_log_mel(window)[place], expected, atol=1e-4)


def test_the_mel_bands_are_triangles_of_area_one_from_50_to_14000_hz() -> None:
    bank = build_mel_bank()
    assert bank.shape == (513, 64)
    assert bank.min() == 0.0
    hz = np.linspace(0, RATE_HZ / 2, 513)
    assert not bank[(hz < 50) | (hz > 14_000)].any()
    wide = bank[:, 40:]  # where a band covers many bins, its sum is its area
    np.testing.assert_allclose(wide.sum(axis=0) * (hz[1] - hz[0]), 1.0, atol=0.03)
    peaks = hz[bank.argmax(axis=0)]
    assert (np.diff(peaks) >= 0).all()
    assert bank[:, 6].argmax() == round(440 / (RATE_HZ / 1024))


@pytest.mark.parametrize(("size", "copies"), [(144_000, 3), (480_000, 1), (240_001, 1), (7, 68571)])
def test_a_short_sound_is_repeated_in_whole_then_silent(size: int, copies: int) -> None:
    samples = np.arange(1, size + 1, dtype=np.float32)
    window = repeat_to_window(samples)
    assert window.shape == (WINDOW_SAMPLES,)
    np.testing.assert_array_equal(window[: size * copies], np.tile(samples, copies))
    assert not window[size * copies :].any()
