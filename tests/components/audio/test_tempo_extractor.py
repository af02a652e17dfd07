"""What the tempo extractor gives, and when it gives nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import pytest

from filmcan.components.audio.tempo_extractor.component import TempoExtractor
from filmcan.components.base import Inputs, Result
from filmcan.errors import BadProfileError
from filmcan.media.sound import SoundRequest
from filmcan.testing.component_suite import (
    Cases,
    ComponentSuite,
    assert_same_arrays,
    get_default_parameters,
    get_features,
)
from filmcan.testing.fake_media import FakeSound, build_inputs
from filmcan.testing.made_sound import (
    beep,
    burst,
    hat,
    kick,
    make_beats,
    make_noise,
    make_sine,
    snare,
)

RATE_HZ = 22_050


def measure(samples: np.ndarray, **options: object) -> Result:
    extractor = TempoExtractor(get_default_parameters("tempo_extractor"))
    return extractor.run(build_inputs(sound=FakeSound(samples, RATE_HZ, **options)))  # type: ignore[arg-type]


def give(samples: np.ndarray, **options: object) -> Callable[[], Inputs]:
    return lambda: build_inputs(sound=FakeSound(samples, RATE_HZ, **options))  # type: ignore[arg-type]


class TestTempoExtractor(ComponentSuite):
    component_name: ClassVar[str] = "tempo_extractor"

    def make_cases(self) -> Cases:
        beats = make_beats(RATE_HZ, 8.0, 100.0, [kick, snare])
        return {
            "typical": give(beats),
            "several windows": give(np.tile(beats, 3)),
            "silence": give(np.zeros(4 * RATE_HZ, np.float32)),
            "one sample": give(np.full(1, 0.5, np.float32)),
            "under one frame": give(beats[:1000]),
            "under 2 s": give(beats[:40_000]),
            "3 s": give(beats[: 3 * RATE_HZ]),
            "noise": give(make_noise(RATE_HZ, 5.0)),
            "a tone": give(make_sine(RATE_HZ, 5.0)),
            "not finite": give(np.where(beats > 0.5, np.inf, beats)),
            "starts early": give(beats, start_sec=-1.25),
        }


def test_it_asks_for_mono_at_22_khz() -> None:
    extractor = TempoExtractor(get_default_parameters("tempo_extractor"))
    assert extractor.sound_request() == SoundRequest(rate_hz=RATE_HZ, mono=True)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        pytest.param(np.zeros(5 * RATE_HZ, np.float32), "silence", id="digital silence"),
        pytest.param(np.zeros(RATE_HZ, np.float32), "silence", id="short digital silence"),
        pytest.param(make_noise(RATE_HZ, 5.0, rms_dbfs=-110.0), "silence", id="dither"),
        pytest.param(make_noise(RATE_HZ, 10.0), "no_beat", id="noise"),
        pytest.param(make_sine(RATE_HZ, 30.0, frequency_hz=440.0), "no_beat", id="a tone"),
        pytest.param(make_beats(RATE_HZ, 1.9, 120.0, [kick]), "too_short", id="under 2 s"),
    ],
)
def test_c6_without_a_beat_it_is_ok_and_the_reason_stands_in_warnings(
    samples: np.ndarray, reason: str
) -> None:
    result = measure(samples)
    features = get_features(result)
    assert result.status == "ok"
    assert not result.arrays["tempo_present"]
    assert result.arrays["warnings"].tolist() == [reason]
    assert result.arrays["tempo_empty_reason"] == reason
    assert result.arrays["tempo_estimates"].shape == (0,)
    assert not result.arrays["windowed_present"].any()
    assert np.isnan([features["tempo_bpm"], features["windowed_bpm_median"]]).all()


def test_hits_at_random_have_no_tempo() -> None:
    rng = np.random.default_rng(4)
    for seed in range(6):
        times = np.sort(rng.uniform(0.0, 10.0, 25))
        hits = np.zeros(10 * RATE_HZ, np.float32)
        for time in times:
            start = int(time * RATE_HZ)
            hit = beep(RATE_HZ, rng)[: hits.size - start]
            hits[start : start + hit.size] += hit.astype(np.float32)
        assert measure(hits).arrays["warnings"].tolist() == ["no_beat"], seed


def test_the_first_candidate_is_the_tempo_and_the_others_are_named_by_falling_score() -> None:
    result = measure(make_beats(RATE_HZ, 15.0, 125.0, [kick, snare]))
    features = get_features(result)
    estimates = result.arrays["tempo_estimates"]
    scores = result.arrays["tempo_estimate_scores"]
    assert features["tempo_bpm"] == estimates[0]
    assert features["second_tempo_bpm"] == estimates[1] == pytest.approx(62.5, rel=0.01)
    assert scores[0] == 1.0
    assert (np.diff(scores) <= 0).all()
    assert features["second_tempo_score"] == scores[1]


def test_windows_follow_a_change_of_tempo_and_it_is_told() -> None:
    slow = make_beats(RATE_HZ, 30.0, 100.0, [beep])
    fast = make_beats(RATE_HZ, 30.0, 140.0, [beep])
    result = measure(np.concatenate([slow, fast]), start_sec=5.0)
    times, bpm = result.arrays["windowed_times_sec"], result.arrays["windowed_bpm"]
    assert times[0] == pytest.approx(11.0, abs=0.05)
    assert (np.diff(times) > 0).all()
    assert times[-1] == pytest.approx(59.0, abs=1.0)
    np.testing.assert_allclose(bpm[times < 29.0], 100.0, rtol=0.01)
    np.testing.assert_allclose(bpm[times > 41.0], 140.0, rtol=0.01)
    assert "tempo_varies" in result.arrays["warnings"].tolist()
    assert get_features(result)["windowed_bpm_spread"] == pytest.approx(40.0, abs=1.0)


def test_windows_without_a_beat_have_no_tempo() -> None:
    beats = make_beats(RATE_HZ, 24.0, 125.0, [kick, snare])
    result = measure(np.concatenate([beats, make_noise(RATE_HZ, 24.0, rms_dbfs=-20.0)]))
    times, present = result.arrays["windowed_times_sec"], result.arrays["windowed_present"]
    assert present[times < 18.5].all()
    assert not present[times > 30.5].any()
    assert get_features(result)["beat_ratio"] == pytest.approx(present.mean())
    assert get_features(result)["tempo_bpm"] == pytest.approx(125.0, rel=0.01)


def test_a_beat_before_long_silence_keeps_its_tempo_and_confidence() -> None:
    beats = make_beats(RATE_HZ, 16.0, 125.0, [kick, snare])
    alone = get_features(measure(beats))
    followed = get_features(measure(np.concatenate([beats, np.zeros_like(beats)])))
    assert followed["tempo_bpm"] == pytest.approx(alone["tempo_bpm"], rel=0.005)
    assert followed["tempo_confidence"] > 0.6


def test_a_short_sound_says_so() -> None:
    result = measure(make_beats(RATE_HZ, 3.0, 120.0, [beep]))
    assert get_features(result)["tempo_bpm"] == pytest.approx(120.0, rel=0.01)
    assert "short_sound" in result.arrays["warnings"].tolist()
    longer = measure(make_beats(RATE_HZ, 10.0, 120.0, [beep]))
    assert longer.arrays["warnings"].tolist() == []


def test_a_short_sound_needs_more_confidence() -> None:
    """Of 3 s, twice the confidence is asked that 6 s need."""
    sound = make_beats(RATE_HZ, 6.0, 120.0, [beep]) + make_noise(RATE_HZ, 6.0, rms_dbfs=-21.0)
    whole, half = measure(sound), measure(sound[: 3 * RATE_HZ])
    assert 0.25 < get_features(half)["tempo_confidence"] < 0.5
    assert not half.arrays["tempo_present"]
    assert whole.arrays["tempo_present"]


def test_onsets_are_counted_and_timed() -> None:
    result = measure(make_beats(RATE_HZ, 10.0, 150.0, [beep], offset_sec=0.2), start_sec=-1.0)
    onsets = result.arrays["onset_times_sec"]
    np.testing.assert_allclose(onsets, np.arange(0.2, 10.0, 0.4) - 1.0, atol=0.01)
    assert get_features(result)["onset_rate_hz"] == pytest.approx(2.5, abs=0.05)


@pytest.mark.parametrize("block_sizes", [(1,), (127, 129, 1000), (65_536,), (10**6,)])
def test_the_same_sound_gives_the_same_arrays_however_its_blocks_fall(
    block_sizes: tuple[int, ...],
) -> None:
    sound = make_beats(RATE_HZ, 4.0, 101.0, [burst])
    expected = measure(sound).arrays
    assert_same_arrays(measure(sound, block_sizes=block_sizes).arrays, expected, str(block_sizes))


def test_the_tempo_does_not_depend_on_the_level() -> None:
    sound = make_beats(RATE_HZ, 10.0, 133.3, [kick, snare, hat])
    for gain_db in (0.0, -20.0, -40.0):
        features = get_features(measure(sound * np.float32(10 ** (gain_db / 20))))
        assert features["tempo_bpm"] == pytest.approx(133.3, rel=0.005)


def test_an_hour_of_sound_is_kept_as_one_number_per_hop() -> None:
    """What grows with the sound is 4 bytes per 128 samples."""
    import tracemalloc

    def find_peak(minutes: int) -> int:
        minute = np.tile(make_noise(RATE_HZ, 1.0), 10)
        stream = FakeSound(
            np.broadcast_to(np.tile(minute, minutes * 6), (1, minutes * 60 * RATE_HZ)),
            RATE_HZ,
            block_sizes=(1 << 16,),
        )
        tracemalloc.start()
        TempoExtractor(get_default_parameters("tempo_extractor")).run(build_inputs(sound=stream))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert find_peak(3) - find_peak(1) < 6_000_000


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"min_bpm": 5.0}, "min_bpm"),
        ({"min_bpm": 200.0, "max_bpm": 300.0}, "max_bpm"),
        ({"window_sec": 1.0}, "window_sec"),
        ({"window_hop_sec": 0.0}, "window_hop_sec"),
        ({"min_confidence": 1.5}, "min_confidence"),
        ({"prior_bpm": "fast"}, "prior_bpm"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(changes: dict[str, object], named: str) -> None:
    with pytest.raises(BadProfileError, match=named):
        TempoExtractor({**get_default_parameters("tempo_extractor"), **changes})


def test_tempos_outside_the_asked_range_are_not_given() -> None:
    parameters = {**get_default_parameters("tempo_extractor"), "min_bpm": 50.0, "max_bpm": 110.0}
    sound = FakeSound(make_beats(RATE_HZ, 10.0, 160.0, [beep]), RATE_HZ)
    result = TempoExtractor(parameters).run(build_inputs(sound=sound))
    assert get_features(result)["tempo_bpm"] == pytest.approx(80.0, rel=0.01)
