"""Measure how loud the sound is: loudness, range, true peak, level, silence.

Runs by the pipeline, once per video. Streams: one chunk of a second is held at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from filmcan.components.audio.chunks import SoundChunks
from filmcan.components.audio.loudness_extractor.channels import (
    find_layout_channels,
    weigh_channels,
)
from filmcan.components.audio.loudness_extractor.gating import (
    LoudnessRange,
    find_integrated_lufs,
    find_loudness_range,
)
from filmcan.components.audio.loudness_extractor.levels import LevelMeter, to_decibels
from filmcan.components.audio.loudness_extractor.true_peak import TruePeakMeter
from filmcan.components.base import Component, Result
from filmcan.components.parameters import get_float
from filmcan.contract.missing import AUDIO_MISSING, build_feature_names
from filmcan.media.loudness_meter import STEPS_PER_SEC, LoudnessMeter, LoudnessSeries
from filmcan.media.sound import SoundRequest

if TYPE_CHECKING:
    from filmcan.components.base import Inputs, Parameters
    from filmcan.contract.manifest import Kind
    from filmcan.media.sound import SoundStream

SILENCE = "silence"
TOO_SHORT = "too_short"
BELOW_ABSOLUTE_GATE = "below_absolute_gate"

_SELF_EVIDENT = ("mono", "stereo")
"""Layouts that one or two channels have when nobody named them (WAV files often do not)."""


@dataclass(frozen=True, slots=True)
class _Readings:
    """Everything measured on one stream, before it is laid out in arrays."""

    series: LoudnessSeries
    times_sec: np.ndarray
    levels: LevelMeter
    true_peak: float
    channel_count: int
    duration_sec: float


class LoudnessExtractor(Component):
    """Loudness after ITU-R BS.1770-5 and EBU R 128, mono to 7.1 and beyond."""

    name: ClassVar[str] = "loudness_extractor"
    kind: ClassVar[Kind] = "audio"
    schema_version: ClassVar[str] = "audio_npz_v1"
    producer_version: ClassVar[str] = "1"

    def __init__(self, parameters: Parameters) -> None:
        """Check the parameters.

        Raises:
            BadProfileError: A parameter is out of range; the message names it.
        """
        super().__init__(parameters)
        self._silence_threshold_dbfs = get_float(
            parameters, "silence_threshold_dbfs", low=-200.0, high=0.0
        )

    def sound_request(self) -> SoundRequest | None:
        """Ask for all channels at the stream's own rate: nothing may be mixed or resampled."""
        return SoundRequest()

    def run(self, inputs: Inputs) -> Result:
        """Measure the sound; empty when there is none."""
        if inputs.sound is None or inputs.sound.is_empty():
            return Result("empty", empty_reason=AUDIO_MISSING)
        readings, notes = self._measure(inputs.sound)
        return Result("ok", arrays=_build_arrays(readings), notes=notes)

    def _measure(self, sound: SoundStream) -> tuple[_Readings, tuple[str, ...]]:
        step = sound.rate_hz // STEPS_PER_SEC
        chunks = SoundChunks(sound, step * STEPS_PER_SEC)
        levels = LevelMeter(step, self._silence_threshold_dbfs)
        peak = TruePeakMeter()
        meter: LoudnessMeter | None = None
        for chunk in chunks:
            if meter is None:
                weights = weigh_channels(sound.channel_layout, chunks.channel_count)
                meter = LoudnessMeter(sound.rate_hz, weights)
            meter.add(chunk)
            levels.add(chunk)
            peak.add(chunk)
        series = (meter or LoudnessMeter(sound.rate_hz, ())).finish()
        ends = (np.arange(series.momentary_lufs.size) + 1) * series.step_samples
        readings = _Readings(
            series=series,
            times_sec=chunks.times_at(ends - 1) + 1 / sound.rate_hz,
            levels=levels,
            true_peak=peak.finish(),
            channel_count=chunks.channel_count,
            duration_sec=chunks.sample_count / sound.rate_hz,
        )
        return readings, _build_notes(sound, chunks)


def _build_notes(sound: SoundStream, chunks: SoundChunks) -> tuple[str, ...]:
    notes = []
    names = find_layout_channels(sound.channel_layout, chunks.channel_count)
    if names is None and chunks.channel_count > len(_SELF_EVIDENT):
        notes.append(
            f"The layout {sound.channel_layout!r} names no channels; the usual weights for "
            f"{chunks.channel_count} channels were used."
        )
    if chunks.repaired_count:
        notes.append(
            f"{chunks.repaired_count} samples were not finite or beyond +60 dBFS; they were "
            "read as zero or limited."
        )
    return tuple(notes)


def _build_arrays(readings: _Readings) -> dict[str, np.ndarray]:
    momentary = readings.series.momentary_lufs
    short_term = readings.series.short_term_lufs
    integrated = find_integrated_lufs(momentary)
    spread = find_loudness_range(short_term)
    has_signal = readings.levels.peak > 0
    features = _build_features(readings, integrated, spread)
    return {
        "feature_names": build_feature_names(list(features)),
        "feature_values": np.array(list(features.values()), np.float32),
        "signal_present": np.array(has_signal),
        "signal_empty_reason": np.array("" if has_signal else SILENCE),
        "lufs_present": np.array(integrated is not None),
        "lufs_empty_reason": _find_reason(readings, integrated, window_sec=0.4),
        "loudness_range_present": np.array(spread is not None),
        "loudness_range_empty_reason": _find_reason(readings, spread, window_sec=3.0),
        "times_sec": readings.times_sec.astype(np.float32),
        "momentary_lufs": momentary.astype(np.float32),
        "momentary_present": ~np.isnan(momentary),
        "short_term_lufs": short_term.astype(np.float32),
        "short_term_present": ~np.isnan(short_term),
    }


def _build_features(
    readings: _Readings, integrated: float | None, spread: LoudnessRange | None
) -> dict[str, float]:
    """Return the tabular part in the schema's order, NaN where nothing was measured."""
    levels = readings.levels
    true_peak_dbtp = to_decibels(readings.true_peak)
    sample_peak_dbfs = to_decibels(levels.peak)
    lufs = np.nan if integrated is None else integrated
    momentary = readings.series.momentary_lufs
    return {
        "integrated_lufs": lufs,
        "loudness_range_lu": spread.range_lu if spread else np.nan,
        "true_peak_dbtp": true_peak_dbtp,
        "momentary_max_lufs": np.nan if integrated is None else float(np.nanmax(momentary)),
        "short_term_max_lufs": spread.max_lufs if spread else np.nan,
        "loudness_range_low_lufs": spread.low_lufs if spread else np.nan,
        "loudness_range_high_lufs": spread.high_lufs if spread else np.nan,
        "peak_to_loudness_lu": true_peak_dbtp - lufs,
        "sample_peak_dbfs": sample_peak_dbfs,
        "rms_dbfs": levels.rms_dbfs,
        "crest_factor_db": sample_peak_dbfs - levels.rms_dbfs,
        "silence_ratio": levels.silence_ratio,
        "clipped_ratio": levels.clipped_ratio,
        "channel_count": readings.channel_count,
        "duration_sec": readings.duration_sec,
    }


def _find_reason(readings: _Readings, found: object, *, window_sec: float) -> np.ndarray:
    """Return why a reading that needs a full window is missing, as a 0-d str array."""
    if found is not None:
        return np.array("")
    if readings.levels.peak == 0:
        return np.array(SILENCE)
    is_short = readings.duration_sec < window_sec
    return np.array(TOO_SHORT if is_short else BELOW_ABSOLUTE_GATE)
