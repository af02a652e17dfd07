"""Level of the samples themselves: RMS, peak, clipping, and how much of the sound is silent."""

from __future__ import annotations

import math

import numpy as np

FULL_SCALE_PEAK = 32767.0 / 32768.0
"""The greatest positive 16-bit sample; nothing encoded in 16 bits reads higher unclipped."""


class LevelMeter:
    """Sums up chunks; chunks must hold whole stretches, but for the last one.

    Args:
        stretch_samples: Length of a stretch for the silence ratio.
        silence_threshold_dbfs: A stretch with a lower RMS is silent.
    """

    def __init__(self, stretch_samples: int, silence_threshold_dbfs: float) -> None:
        """Start with nothing measured."""
        self._stretch_samples = stretch_samples
        self._silent_power = 10.0 ** (silence_threshold_dbfs / 10.0)
        self._power_sum = 0.0
        self._value_count = 0
        self._silent_count = 0
        self._clipped_count = 0
        self._peak = 0.0

    def add(self, samples: np.ndarray) -> None:
        """Measure the next samples: float32[channels, n], finite, full scale +-1."""
        magnitudes = np.abs(samples)
        self._peak = max(self._peak, float(magnitudes.max()))
        self._clipped_count += int(np.count_nonzero(magnitudes >= FULL_SCALE_PEAK))
        powers = np.square(samples, dtype=np.float64).sum(axis=0)
        starts = np.arange(0, samples.shape[1], self._stretch_samples)
        sums = np.add.reduceat(powers, starts)
        sizes = np.diff(np.append(starts, samples.shape[1])) * samples.shape[0]
        self._power_sum += float(sums.sum())
        self._value_count += samples.size
        self._silent_count += int(sizes[sums < self._silent_power * sizes].sum())

    @property
    def peak(self) -> float:
        """Greatest magnitude of a sample, full scale 1."""
        return self._peak

    @property
    def rms_dbfs(self) -> float:
        """RMS over all samples of all channels, dBFS; NaN for digital silence."""
        return to_decibels(math.sqrt(self._power_sum / max(self._value_count, 1)))

    @property
    def silence_ratio(self) -> float:
        """Share of the time in silent stretches, 0 to 1."""
        return self._silent_count / max(self._value_count, 1)

    @property
    def clipped_ratio(self) -> float:
        """Share of the samples at or beyond full scale, 0 to 1."""
        return self._clipped_count / max(self._value_count, 1)


def to_decibels(magnitude: float) -> float:
    """Return a magnitude against full scale 1 in dB; NaN for zero, which has no level."""
    return 20.0 * math.log10(magnitude) if magnitude > 0 else math.nan
