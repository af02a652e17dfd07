"""Integrated loudness and loudness range from the readings of sliding windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

ABSOLUTE_GATE_LUFS = -70.0
"""BS.1770-5, Annex 1, equation (5); EBU Tech 3342, section 3."""

_RELATIVE_GATE_LU = -10.0
"""BS.1770-5, Annex 1, equation (6)."""

_RANGE_GATE_LU = -20.0
_RANGE_LOW, _RANGE_HIGH = 0.10, 0.95
"""EBU Tech 3342, section 3: relative gate and percentiles."""


@dataclass(frozen=True, slots=True)
class LoudnessRange:
    """The spread of short-term loudness.

    Attributes:
        low_lufs: 10th percentile.
        high_lufs: 95th percentile.
        max_lufs: Greatest reading.
    """

    low_lufs: float
    high_lufs: float
    max_lufs: float

    @property
    def range_lu(self) -> float:
        """Loudness range, LU."""
        return self.high_lufs - self.low_lufs


def find_integrated_lufs(momentary_lufs: np.ndarray) -> float | None:
    """Return the gated loudness of a whole, None when nothing is above the absolute gate.

    Source: ITU-R BS.1770-5, Annex 1, equations (3) to (7); the gating blocks are the momentary
    readings, 400 ms every 100 ms. An incomplete block at the end does not count.

    Args:
        momentary_lufs: float64[L], LUFS, NaN where there is no reading.
    """
    loud = momentary_lufs[momentary_lufs > ABSOLUTE_GATE_LUFS]
    if not loud.size:
        return None
    kept = loud[loud > _mean_lufs(loud) + _RELATIVE_GATE_LU]
    return _mean_lufs(kept)


def find_loudness_range(short_term_lufs: np.ndarray) -> LoudnessRange | None:
    """Return the loudness range, None when no reading reaches the absolute gate.

    Source: EBU Tech 3342, section 3 and its example code (percentiles by the nearest rank); its
    windows may start every second, ours start every 100 ms.

    Args:
        short_term_lufs: float64[L], LUFS, NaN where there is no reading.
    """
    loud = short_term_lufs[short_term_lufs >= ABSOLUTE_GATE_LUFS]
    if not loud.size:
        return None
    kept = np.sort(loud[loud >= _mean_lufs(loud) + _RANGE_GATE_LU])
    low, high = (
        float(kept[math.floor((kept.size - 1) * share + 0.5)])
        for share in (_RANGE_LOW, _RANGE_HIGH)
    )
    return LoudnessRange(low_lufs=low, high_lufs=high, max_lufs=float(kept[-1]))


def _mean_lufs(lufs: np.ndarray) -> float:
    """Return the loudness of the mean power; the constant of BS.1770 cancels out."""
    return float(10.0 * np.log10(np.mean(10.0 ** (lufs / 10.0))))
