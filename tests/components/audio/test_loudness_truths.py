"""Loudness, range and true peak against published truths and an independent implementation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from filmcan.components.audio.loudness_extractor.component import LoudnessExtractor
from filmcan.components.base import Result
from filmcan.testing.component_suite import get_default_parameters, get_features
from filmcan.testing.fake_media import FakeSound, build_inputs, read_sound
from filmcan.testing.made_sound import make_levels, make_noise, make_sine
from filmcan.testing.reference_loudness import measure_integrated_lufs

RATE_HZ = 48_000


def measure(sound: FakeSound) -> Result:
    extractor = LoudnessExtractor(get_default_parameters("loudness_extractor"))
    return extractor.run(build_inputs(sound=sound))


def measure_levels(steps: Sequence[tuple[float, float]], rate_hz: int = 16_000) -> Result:
    sine = make_levels(rate_hz, steps)
    return measure(FakeSound(np.stack([sine, sine]), rate_hz, block_sizes=(65536,)))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([(-23, 20)], id="case 1"),
        pytest.param([(-36, 10), (-23, 60), (-36, 10)], id="case 3"),
        pytest.param([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], id="case 4"),
        pytest.param([(-26, 20), (-20, 20.1), (-26, 20)], id="case 5"),
    ],
)
def test_the_integrated_loudness_of_ebu_tech_3341_is_minus_23(
    steps: list[tuple[float, float]],
) -> None:
    """Within 0.1 LU, the tolerance of the document."""
    features = get_features(measure_levels(steps))
    assert features["integrated_lufs"] == pytest.approx(-23.0, abs=0.1)


def test_case_2_of_ebu_tech_3341_is_minus_33() -> None:
    features = get_features(measure_levels([(-33, 20)], RATE_HZ))
    assert features["integrated_lufs"] == pytest.approx(-33.0, abs=0.1)
    assert features["momentary_max_lufs"] == pytest.approx(-33.0, abs=0.1)
    assert features["short_term_max_lufs"] == pytest.approx(-33.0, abs=0.1)


@pytest.mark.parametrize("layout", ["5.0", "5.0(side)"])
def test_case_6_of_ebu_tech_3341_with_five_channels_is_minus_23(layout: str) -> None:
    levels = (-28, -28, -24, -30, -30)
    channels = np.stack([make_sine(RATE_HZ, 4, level_dbfs=level) for level in levels])
    features = get_features(measure(FakeSound(channels, RATE_HZ, channel_layout=layout)))
    assert features["integrated_lufs"] == pytest.approx(-23.0, abs=0.1)


def test_case_9_of_ebu_tech_3341_keeps_short_term_loudness_at_minus_23() -> None:
    arrays = measure_levels([(-20, 1.34), (-30, 1.66)] * 5).arrays
    short_term = arrays["short_term_lufs"][arrays["short_term_present"]]
    assert short_term.size == 121
    np.testing.assert_allclose(short_term, -23.0, atol=0.1)


def test_case_12_of_ebu_tech_3341_keeps_momentary_loudness_at_minus_23() -> None:
    arrays = measure_levels([(-20, 0.18), (-30, 0.22)] * 25).arrays
    np.testing.assert_allclose(arrays["momentary_lufs"][10:], -23.0, atol=0.1)


@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize(
    ("share", "phase_deg", "amplitude", "expected"),
    [
        pytest.param(1 / 4, 0.0, 0.5, -6.0, id="case 15"),
        pytest.param(1 / 4, 45.0, 0.5, -6.0, id="case 16"),
        pytest.param(1 / 6, 60.0, 0.5, -6.0, id="case 17"),
        pytest.param(1 / 8, 67.5, 0.5, -6.0, id="case 18"),
        pytest.param(1 / 4, 45.0, 1.41, 3.0, id="case 19"),
    ],
)
def test_the_true_peaks_of_ebu_tech_3341_are_right_at_every_rate(
    rate_hz: int, share: float, phase_deg: float, amplitude: float, expected: float
) -> None:
    """Tolerance of the document: +0.2 dB, -0.4 dB. Its tones are faded, as ours are."""
    level = 20 * np.log10(amplitude)
    sine = make_sine(
        rate_hz, 0.5, frequency_hz=share * rate_hz, level_dbfs=level, phase_deg=phase_deg
    )
    fade = np.minimum(1.0, np.minimum(np.arange(sine.size), np.arange(sine.size)[::-1]) / 500)
    features = get_features(measure(FakeSound((sine * fade).astype(np.float32), rate_hz)))
    assert expected - 0.4 <= features["true_peak_dbtp"] <= expected + 0.2
    assert features["true_peak_dbtp"] == pytest.approx(level, abs=0.02)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([(-20, 20), (-30, 20)], 10.0, id="case 1"),
        pytest.param([(-20, 20), (-15, 20)], 5.0, id="case 2"),
        pytest.param([(-40, 20), (-20, 20)], 20.0, id="case 3"),
        pytest.param([(-50, 20), (-35, 20), (-20, 20), (-35, 20), (-50, 20)], 15.0, id="case 4"),
    ],
)
def test_the_loudness_ranges_of_ebu_tech_3342_are_right(
    steps: list[tuple[float, float]], expected: float
) -> None:
    """The document allows 1 LU; ours keeps a tenth of that."""
    features = get_features(measure_levels(steps))
    assert features["loudness_range_lu"] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    ("layout", "gains_db"),
    [
        ("mono", [0]),
        ("stereo", [0, 0]),
        ("5.1", [0, 0, 0, None, 1.5, 1.5]),
        ("5.1(side)", [0, 0, 0, None, 1.5, 1.5]),
        ("7.1", [0, 0, 0, None, 0, 0, 1.5, 1.5]),
    ],
)
def test_a_tone_in_one_channel_reads_by_that_channels_weight(
    layout: str, gains_db: list[float | None]
) -> None:
    """As the tones of ITU-R BS.2217: 997 Hz, one channel at a time."""
    sine = make_sine(RATE_HZ, 0.8, frequency_hz=997.0, level_dbfs=-20.0)
    for channel, gain_db in enumerate(gains_db):
        samples = np.zeros((len(gains_db), sine.size), np.float32)
        samples[channel] = sine
        result = measure(FakeSound(samples, RATE_HZ, channel_layout=layout))
        features = get_features(result)
        assert features["true_peak_dbtp"] == pytest.approx(-20.0, abs=0.05)
        if gain_db is None:
            assert not result.arrays["lufs_present"]
        else:
            assert features["integrated_lufs"] == pytest.approx(-23.01 + gain_db, abs=0.02)


@pytest.mark.parametrize(
    ("rate_hz", "tail"), [(48_000, 0), (48_000, 4_799), (44_100, 17), (8_000, 401), (96_000, 9_000)]
)
def test_noise_reads_as_an_independent_implementation_does_whatever_is_left_of_the_last_step(
    rate_hz: int, tail: int
) -> None:
    count = 3 * rate_hz + tail
    noise = np.stack([make_noise(rate_hz, 4.0, rms_dbfs=level)[:count] for level in (-20, -30)])
    noise[:, rate_hz : 2 * rate_hz] *= 0.02
    expected = measure_integrated_lufs(noise, rate_hz, (1.0, 1.0))
    features = get_features(measure(FakeSound(noise, rate_hz)))
    assert features["integrated_lufs"] == pytest.approx(expected, abs=0.001)


def test_seven_channels_read_as_an_independent_implementation_does() -> None:
    noise = np.stack([make_noise(RATE_HZ, 2.0, rms_dbfs=-20 - 2 * n, seed=n) for n in range(8)])
    expected = measure_integrated_lufs(noise, RATE_HZ, (1, 1, 1, 0, 1, 1, 1.41, 1.41))
    features = get_features(measure(FakeSound(noise, RATE_HZ, channel_layout="7.1")))
    assert features["integrated_lufs"] == pytest.approx(expected, abs=0.001)


def test_every_truth_of_the_corpus_is_met(media_corpus: Path) -> None:
    checked = 0
    for entry in json.loads((media_corpus / "index.json").read_text("utf-8"))["files"]:
        truth = entry["truth"]
        if "tolerance_lu" not in truth and "true_peak_dbtp" not in truth:
            continue
        features = get_features(measure(read_sound(media_corpus / entry["file"])))
        if "tolerance_lu" in truth:
            found = features["integrated_lufs"]
            assert found == pytest.approx(truth["integrated_lufs"], abs=truth["tolerance_lu"])
        if "lra_lu" in truth:
            assert features["loudness_range_lu"] == pytest.approx(truth["lra_lu"], abs=0.1)
        if "true_peak_dbtp" in truth:
            low, high = truth["tolerance_db"]
            assert low <= features["true_peak_dbtp"] - truth["true_peak_dbtp"] <= high
        checked += 1
    assert checked >= 5


@pytest.mark.parametrize("file", ["video/cockatoo.mp4", "video/silent_black_25s.mp4"])
def test_c6_silent_clips_of_the_corpus_are_ok_without_loudness(
    media_corpus: Path, file: str
) -> None:
    result = measure(read_sound(media_corpus / file))
    assert result.status == "ok"
    assert not result.arrays["lufs_present"]
    assert get_features(result)["silence_ratio"] == 1.0


def test_real_sound_of_5_1_channels_reads_as_an_independent_implementation_does(
    media_corpus: Path,
) -> None:
    sound = read_sound(media_corpus / "video/bigbuckbunny.mp4")
    samples = np.concatenate([block.samples for block in sound], axis=1)
    expected = measure_integrated_lufs(samples, sound.rate_hz, (1, 1, 1, 0, 1.41, 1.41))
    result = measure(sound)
    assert sound.channel_layout == "5.1"
    assert result.notes == ()
    assert get_features(result)["integrated_lufs"] == pytest.approx(expected, abs=0.001)
