"""Tempo against signals made at a known tempo, and against the corpus."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filmcan.components.audio.tempo_extractor.component import TempoExtractor
from filmcan.components.base import Result
from filmcan.testing.component_suite import get_default_parameters, get_features
from filmcan.testing.fake_media import FakeSound, build_inputs, read_sound
from filmcan.testing.made_sound import (
    Strike,
    add_noise,
    beep,
    burst,
    click,
    hat,
    kick,
    make_beats,
    snare,
    tone,
)

MakePattern = Callable[[float], np.ndarray]

RATE_HZ = 22_050
ALL_BPM = range(60, 201, 5)
"""Every tempo that must be exact on plain clicks."""


def measure(sound: FakeSound) -> Result:
    return TempoExtractor(get_default_parameters("tempo_extractor")).run(build_inputs(sound=sound))


def find_bpm(samples: np.ndarray) -> float:
    return get_features(measure(FakeSound(samples, RATE_HZ, block_sizes=(1 << 16,))))["tempo_bpm"]


@pytest.mark.parametrize("strike", [click, beep, burst, tone, kick])
def test_plain_beats_from_60_to_200_bpm_are_right_within_half_a_percent(strike: Strike) -> None:
    """5 s each, odd ones under noise 20 dB below the sound, at shifting offsets."""
    for number, bpm in enumerate(ALL_BPM):
        sound = make_beats(RATE_HZ, 5.0, bpm, [strike], offset_sec=0.02 + number * 0.016)
        found = find_bpm(add_noise(sound, 20.0, seed=bpm) if number % 2 else sound)
        assert found == pytest.approx(bpm, rel=0.005), bpm


@pytest.mark.parametrize("gains", [(1.0, 0.5, 0.5, 0.5), (1.0, 0.5, 0.5), (1.0, 0.7)])
def test_accents_do_not_change_the_tempo(gains: tuple[float, ...]) -> None:
    for bpm in ALL_BPM[::2]:
        found = find_bpm(make_beats(RATE_HZ, 6.0, bpm, [beep], gains=gains))
        assert found == pytest.approx(bpm, rel=0.005), bpm


def test_a_longer_sound_is_right_within_a_thousandth() -> None:
    for bpm in (61.3, 93.7, 128.4, 171.3):
        assert find_bpm(make_beats(RATE_HZ, 20.0, bpm, [snare])) == pytest.approx(bpm, rel=0.001)


def make_rock(bpm: float) -> np.ndarray:
    hats = make_beats(RATE_HZ, 10.0, 2 * bpm, [hat])
    return np.asarray(make_beats(RATE_HZ, 10.0, bpm, [kick, snare]) + hats)


def make_house(bpm: float) -> np.ndarray:
    hats = make_beats(RATE_HZ, 10.0, bpm, [hat], offset_sec=0.1 + 30.0 / bpm, gains=(1.5,))
    return np.asarray(make_beats(RATE_HZ, 10.0, bpm, [kick]) + hats)


def make_eighths(bpm: float) -> np.ndarray:
    return make_beats(RATE_HZ, 10.0, 2 * bpm, [beep], gains=(1.0, 0.4))


@pytest.mark.parametrize(
    ("make", "lowest"), [(make_rock, 80), (make_house, 105), (make_eighths, 90)]
)
def test_between_beats_the_octave_holds_in_the_middle_of_the_range(
    make: MakePattern, lowest: int
) -> None:
    """Below, the beat between the beats is taken for the beat, as a listener may: see next test."""
    for bpm in range(lowest, 181, 10):
        assert find_bpm(make(bpm)) == pytest.approx(bpm, rel=0.005), bpm


@pytest.mark.parametrize("make", [make_rock, make_house, make_eighths])
def test_where_the_octave_is_not_the_made_one_the_made_one_is_a_candidate(
    make: MakePattern,
) -> None:
    for bpm in (60, 70, 80, 190, 200):
        result = measure(FakeSound(make(bpm), RATE_HZ))
        ratios = result.arrays["tempo_estimates"] / bpm
        assert np.abs(ratios - 1.0).min() < 0.01, bpm
        assert np.abs(np.log2(ratios[0]) - np.round(np.log2(ratios[0]))) < 0.01, bpm


@given(bpm=st.floats(65.0, 190.0), stretch=st.floats(0.8, 1.25), offset_sec=st.floats(0.0, 0.3))
@settings(max_examples=15, deadline=None)
def test_stretching_time_divides_the_tempo(bpm: float, stretch: float, offset_sec: float) -> None:
    stretched = min(max(bpm / stretch, 62.0), 198.0)
    before = find_bpm(make_beats(RATE_HZ, 6.0, bpm, [burst], offset_sec=offset_sec))
    after = find_bpm(make_beats(RATE_HZ, 6.0, stretched, [burst], offset_sec=offset_sec))
    assert after / before == pytest.approx(stretched / bpm, rel=0.005)


def test_every_tempo_of_the_corpus_is_right(media_corpus: Path) -> None:
    """Within 1 % from 5 s on; the clip of 3 s is right too, and says that it is short."""
    checked = []
    for entry in json.loads((media_corpus / "index.json").read_text("utf-8"))["files"]:
        if "bpm" not in entry["truth"]:
            continue
        sound = read_sound(media_corpus / entry["file"], rate_hz=RATE_HZ, mono=True)
        result = measure(sound)
        assert get_features(result)["tempo_bpm"] == pytest.approx(entry["truth"]["bpm"], rel=0.01)
        is_short = get_features(result)["duration_sec"] < 5.0
        assert ("short_sound" in result.arrays["warnings"].tolist()) == is_short
        checked.append(entry["file"])
    assert len(checked) >= 3


def test_real_music_agrees_with_another_library(media_corpus: Path) -> None:
    """Its grid reads 129.2; ours, without one, the whole 130."""
    file = media_corpus / "audio/music_vibe_ace.ogg"
    result = measure(read_sound(file, rate_hz=RATE_HZ, mono=True))
    assert get_features(result)["tempo_bpm"] == pytest.approx(129.2, rel=0.015)
    assert get_features(result)["tempo_bpm"] == pytest.approx(130.0, rel=0.002)
    assert get_features(result)["beat_ratio"] == 1.0
    windowed = result.arrays["windowed_bpm"]
    assert np.median(np.abs(windowed / 130.0 - 1.0)) < 0.01


@pytest.mark.parametrize(
    "file",
    [
        "audio/speech_jfk.flac",
        "audio/ebu_seq-3341-1-16bit.wav",
        "audio/sine_1k_m23_44100_stereo.flac",
        "video/bigbuckbunny.mp4",
        "video/cockatoo.mp4",
        "video/silent_black_25s.mp4",
        "video/grid_bbaf2n.mpg",
        "video/grid_lwbsza.mpg",
        "video/grid_pwij3p.mpg",
        "video/nasa_13013.mp4",
        "video/rotated_90_phone_dog.mp4",
        "video/rotated_90_vfr_paper.mp4",
    ],
)
def test_speech_tones_noise_and_silence_of_the_corpus_have_no_tempo(
    media_corpus: Path, file: str
) -> None:
    result = measure(read_sound(media_corpus / file, rate_hz=RATE_HZ, mono=True))
    assert result.status == "ok"
    assert not result.arrays["tempo_present"]
    assert result.arrays["warnings"].tolist()[0] in ("silence", "no_beat", "too_short")
