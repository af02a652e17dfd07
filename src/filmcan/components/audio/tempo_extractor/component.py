"""Measure the tempo of the sound: overall, its alternatives, over time, and the onsets.

Runs by the pipeline, once per video. Streams: of the sound, only onset strength is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from filmcan.components.audio.chunks import SoundChunks
from filmcan.components.audio.tempo_extractor.onset_strength import (
    FRAME_SAMPLES,
    HOP_SAMPLES,
    RATE_HZ,
    OnsetStrength,
)
from filmcan.components.audio.tempo_extractor.onsets import find_onsets, smooth_and_level
from filmcan.components.audio.tempo_extractor.periodicity import TempoGrid
from filmcan.components.audio.tempo_extractor.tempo_estimate import TempoAnalysis, analyse_tempo
from filmcan.components.base import Component, Result
from filmcan.components.parameters import get_float
from filmcan.contract.missing import AUDIO_MISSING, build_feature_names
from filmcan.errors import BadProfileError
from filmcan.media.sound import SoundRequest

if TYPE_CHECKING:
    from filmcan.components.base import Inputs, Parameters
    from filmcan.contract.manifest import Kind
    from filmcan.media.sound import SoundStream

SILENCE = "silence"
TOO_SHORT = "too_short"
NO_BEAT = "no_beat"
SHORT_SOUND = "short_sound"
OCTAVE_AMBIGUOUS = "octave_ambiguous"
TEMPO_VARIES = "tempo_varies"

MIN_DURATION_SEC = 2.0
"""Four beats of the most usual tempo, 120 bpm; less holds no period worth the name."""

_SHORT_SEC = 6.0
_SHORT_BEATS = 8
"""In less than 6 s chance repeats more: over 3 s of speech confidence reaches 0.46, over 5 s 0.26.
The confidence asked for grows as the sound gets shorter."""

_AMBIGUOUS_SCORE = 0.75
_VARIATION = 0.04
_LEAST_WINDOWS = 3
_CHUNK_SAMPLES = 512 * HOP_SAMPLES


@dataclass(frozen=True, slots=True)
class _Readings:
    """Everything measured on one sound, before it is laid out in arrays."""

    analysis: TempoAnalysis
    tempo_reason: str
    warnings: tuple[str, ...]
    windowed_times_sec: np.ndarray
    windowed_present: np.ndarray
    onset_times_sec: np.ndarray
    duration_sec: float


class TempoExtractor(Component):
    """Tempo by the product of autocorrelation and spectrum of onset strength."""

    name: ClassVar[str] = "tempo_extractor"
    kind: ClassVar[Kind] = "audio"
    schema_version: ClassVar[str] = "audio_npz_v1"
    producer_version: ClassVar[str] = "1"

    def __init__(self, parameters: Parameters) -> None:
        """Check the parameters.

        Raises:
            BadProfileError: A parameter is out of range; the message names it.
        """
        super().__init__(parameters)
        min_bpm = get_float(parameters, "min_bpm", low=10.0, high=400.0)
        max_bpm = get_float(parameters, "max_bpm", low=20.0, high=1000.0)
        if max_bpm < 2.0 * min_bpm:
            raise BadProfileError(
                f"max_bpm must be at least twice min_bpm ({min_bpm:g}), got {max_bpm:g}",
                where="max_bpm",
                hint="A range below one octave cannot hold every tempo.",
            )
        self._grid = TempoGrid.build(
            min_bpm,
            max_bpm,
            prior_bpm=get_float(parameters, "prior_bpm", low=20.0, high=500.0),
            prior_octaves=get_float(parameters, "prior_octaves", low=0.1, high=10.0),
        )
        self._window_sec = get_float(parameters, "window_sec", low=4.0, high=60.0)
        self._hop_sec = get_float(parameters, "window_hop_sec", low=0.5, high=60.0)
        self._min_confidence = get_float(parameters, "min_confidence", low=0.0, high=1.0)

    def sound_request(self) -> SoundRequest | None:
        """Ask for mono at 22.05 kHz: onsets live below 10 kHz."""
        return SoundRequest(rate_hz=RATE_HZ, mono=True)

    def run(self, inputs: Inputs) -> Result:
        """Measure the sound; empty when there is none."""
        if inputs.sound is None or inputs.sound.is_empty():
            return Result("empty", empty_reason=AUDIO_MISSING)
        return Result("ok", arrays=_build_arrays(self._measure(inputs.sound)))

    def _measure(self, sound: SoundStream) -> _Readings:
        chunks = SoundChunks(sound, _CHUNK_SAMPLES)
        onset_strength = OnsetStrength()
        for chunk in chunks:
            onset_strength.add(chunk[0])
        levelled = smooth_and_level(onset_strength.finish())
        duration_sec = chunks.sample_count / RATE_HZ
        is_too_short = duration_sec < MIN_DURATION_SEC
        analysis = analyse_tempo(
            levelled[:0] if is_too_short else levelled,
            self._grid,
            window_sec=self._window_sec,
            hop_sec=self._hop_sec,
        )
        needed = self._min_confidence * max(_SHORT_SEC / max(duration_sec, 1e-3), 1.0)
        present = analysis.windowed_confidence >= needed  # false for NaN
        if onset_strength.is_silent:
            reason = SILENCE
        elif is_too_short:
            reason = TOO_SHORT
        else:
            reason = "" if analysis.candidates and analysis.confidence >= needed else NO_BEAT
        centres = np.round(analysis.centres * HOP_SAMPLES).astype(np.int64) + FRAME_SAMPLES // 2
        return _Readings(
            analysis=analysis,
            tempo_reason=reason,
            warnings=_find_warnings(analysis, present, reason, duration_sec),
            windowed_times_sec=chunks.times_at(centres),
            windowed_present=present,
            onset_times_sec=chunks.times_at(find_onsets(levelled)),
            duration_sec=duration_sec,
        )


def _find_warnings(
    analysis: TempoAnalysis, present: np.ndarray, reason: str, duration_sec: float
) -> tuple[str, ...]:
    if reason:
        return (reason,)
    found = []
    beats = analysis.candidates[0][0] / 60.0 * duration_sec
    if duration_sec < _SHORT_SEC or beats < _SHORT_BEATS:
        found.append(SHORT_SOUND)
    if analysis.octave_score >= _AMBIGUOUS_SCORE:
        found.append(OCTAVE_AMBIGUOUS)
    windowed = analysis.windowed_bpm[present]
    if windowed.size >= _LEAST_WINDOWS and _spread(windowed) > _VARIATION * np.median(windowed):
        found.append(TEMPO_VARIES)
    return tuple(found)


def _build_arrays(readings: _Readings) -> dict[str, np.ndarray]:
    analysis = readings.analysis
    is_present = not readings.tempo_reason
    candidates = analysis.candidates if is_present else ()
    windowed_bpm = np.where(readings.windowed_present, analysis.windowed_bpm, np.nan)
    features = _build_features(readings, candidates)
    return {
        "feature_names": build_feature_names(list(features)),
        "feature_values": np.array(list(features.values()), np.float32),
        "tempo_present": np.array(is_present),
        "tempo_empty_reason": np.array(readings.tempo_reason),
        "tempo_estimates": np.array([bpm for bpm, _ in candidates], np.float32),
        "tempo_estimate_scores": np.array([score for _, score in candidates], np.float32),
        "windowed_times_sec": readings.windowed_times_sec.astype(np.float32),
        "windowed_bpm": windowed_bpm.astype(np.float32),
        "windowed_present": readings.windowed_present,
        "windowed_confidence": analysis.windowed_confidence.astype(np.float32),
        "onset_times_sec": readings.onset_times_sec.astype(np.float32),
        "warnings": np.array(readings.warnings, dtype=str),
    }


def _build_features(
    readings: _Readings, candidates: tuple[tuple[float, float], ...]
) -> dict[str, float]:
    """Return the tabular part in the schema's order, NaN where nothing was measured."""
    windowed = readings.analysis.windowed_bpm[readings.windowed_present]
    missing = (np.nan, np.nan)
    first = candidates[0] if candidates else missing
    second = candidates[1] if len(candidates) > 1 else missing
    total = readings.windowed_present.size
    return {
        "tempo_bpm": first[0],
        "tempo_confidence": readings.analysis.confidence,
        "second_tempo_bpm": second[0],
        "second_tempo_score": second[1],
        "windowed_bpm_median": float(np.median(windowed)) if windowed.size else np.nan,
        "windowed_bpm_spread": _spread(windowed) if windowed.size else np.nan,
        "beat_ratio": windowed.size / total if total else np.nan,
        "onset_rate_hz": readings.onset_times_sec.size / readings.duration_sec,
        "duration_sec": readings.duration_sec,
    }


def _spread(windowed_bpm: np.ndarray) -> float:
    low, high = np.percentile(windowed_bpm, [10, 90])
    return float(high - low)
