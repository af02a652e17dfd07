"""When does sound set in? Peaks of onset strength above its surroundings."""

from __future__ import annotations

import numpy as np

from filmcan.components.audio.tempo_extractor.onset_strength import (
    FRAME_RATE_HZ,
    FRAME_SAMPLES,
    HOP_SAMPLES,
)

_LOCAL_MEAN_SEC = 0.5
_LEAST_RISE_DB = 1.5
"""Rise above the local mean that makes an onset. Steady white noise passes it three times in 20 s,
a soft note of 200 ms reaches 1.9, a drum 7 to 20."""
_REACH_FRAMES = 8
"""46 ms to each side in which a peak must be the greatest: onsets closer than that are one."""

_EARLY_SAMPLES = 180
"""The strength of a hit peaks 8 ms before the hit is in the middle of its frame: median over made
clicks, tones and drums 5 to 10 ms."""


def smooth_and_level(strength: np.ndarray) -> np.ndarray:
    """Return onset strength smoothed over 10 ms, without its local mean over half a second.

    Args:
        strength: float32[n], dB.

    Returns:
        levelled: float64[n], dB, around 0; negative between onsets.
    """
    if not strength.size:
        return np.zeros(0)
    padded = np.pad(strength.astype(np.float64), 1, mode="edge")
    smooth = 0.25 * padded[:-2] + 0.5 * padded[1:-1] + 0.25 * padded[2:]
    reach = int(_LOCAL_MEAN_SEC * FRAME_RATE_HZ / 2.0)
    sums = np.concatenate([[0.0], np.cumsum(smooth)])
    places = np.arange(smooth.size)
    first = np.maximum(places - reach, 0)
    last = np.minimum(places + reach + 1, smooth.size)
    return smooth - (sums[last] - sums[first]) / (last - first)


def find_onsets(levelled: np.ndarray) -> np.ndarray:
    """Return the samples at which sound sets in.

    Args:
        levelled: float64[n], as `smooth_and_level` returns it.

    Returns:
        onsets: int64[O], strictly increasing, samples at `RATE_HZ`.
    """
    width = 2 * _REACH_FRAMES + 1
    if levelled.size == 0:
        return np.zeros(0, np.int64)
    padded = np.pad(levelled, _REACH_FRAMES, constant_values=-np.inf)
    around = np.lib.stride_tricks.sliding_window_view(padded, width)
    is_first = around.argmax(axis=1) == _REACH_FRAMES
    peaks = np.flatnonzero(is_first & (levelled >= _LEAST_RISE_DB))
    return peaks * HOP_SAMPLES + FRAME_SAMPLES // 2 + _EARLY_SAMPLES
