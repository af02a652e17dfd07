"""True peak: the greatest magnitude of the waveform between its samples.

Source: ITU-R BS.1770-5, Annex 2: oversample, then take the greatest magnitude. Ours oversamples
eight-fold at every rate (the standard asks for four at 48 kHz), with a longer filter. On a sine the
reading is at most 0.17 dB low up to 0.42 of the sample rate and never more than 0.01 dB high.
"""

from __future__ import annotations

import numpy as np

OVERSAMPLING = 8
_HALF_TAPS = 16
_KAISER_BETA = 7.0
_BLOCK = 32
"""Samples interpolated per row of the matrix product."""

_ROWS = 16
_CONTEXT = 2 * _HALF_TAPS - 1
"""Samples around a place, beyond the first, that its filter covers."""


class TruePeakMeter:
    """Finds the peak of a stream; silence is assumed before its start and after its end.

    Only rows whose samples could beat the greatest peak so far are interpolated: a value is at most
    the filter's absolute sum times the greatest magnitude under it.
    """

    def __init__(self) -> None:
        """Start with nothing measured."""
        filters = _design_filters()
        self._reach = float(np.abs(filters).sum(axis=0).max())
        self._matrix = _build_matrix(filters)
        self._tail: np.ndarray | None = None
        self._peak = 0.0

    def add(self, samples: np.ndarray) -> None:
        """Measure the next samples: float32[channels, n], finite, full scale +-1."""
        if self._tail is None:
            self._tail = np.zeros((samples.shape[0], _CONTEXT), np.float32)
        self._peak = max(self._peak, float(np.abs(samples).max(initial=0.0)))
        joined = np.concatenate([self._tail, samples], axis=1)
        done = (joined.shape[1] - _CONTEXT) // _BLOCK * _BLOCK
        self._tail = joined[:, done:].copy()
        if done:
            for channel in joined[:, : done + _CONTEXT]:
                self._scan(channel)

    def finish(self) -> float:
        """Return the peak, full scale 1; 0 for digital silence."""
        if self._tail is not None:
            self.add(np.zeros((self._tail.shape[0], _CONTEXT + _BLOCK), np.float32))
        return self._peak

    def _scan(self, channel: np.ndarray) -> None:
        """Interpolate whole blocks of places; each has its filter's full length around it."""
        width = _BLOCK + _CONTEXT
        windows = np.lib.stride_tricks.sliding_window_view(channel, width)[::_BLOCK]
        magnitudes = np.lib.stride_tricks.sliding_window_view(np.abs(channel), width)[::_BLOCK]
        tops = magnitudes.max(axis=1)
        chosen = np.flatnonzero(tops * self._reach > self._peak)
        if not chosen.size:
            return
        # products so small that BLAS runs each in one thread: with more, sums round otherwise
        rows = np.zeros((-(-chosen.size // _ROWS) * _ROWS, width), np.float32)
        rows[: chosen.size] = windows[chosen]
        values = rows.reshape(-1, _ROWS, width) @ self._matrix
        self._peak = max(self._peak, float(values.max()), float(-values.min()))


def _design_filters() -> np.ndarray:
    """Return float64[taps, OVERSAMPLING - 1]: a Kaiser-windowed sinc for each place in between."""
    taps = np.arange(1 - _HALF_TAPS, _HALF_TAPS + 1)
    places = np.arange(1, OVERSAMPLING) / OVERSAMPLING
    distance = taps[:, None] - places[None, :]
    shape = np.sqrt(np.maximum(0.0, 1.0 - (distance / _HALF_TAPS) ** 2))
    filters = np.sinc(distance) * np.i0(_KAISER_BETA * shape) / np.i0(_KAISER_BETA)
    return filters / filters.sum(axis=0)


def _build_matrix(filters: np.ndarray) -> np.ndarray:
    """Return float32[_BLOCK + taps - 1, _BLOCK * places]: the filters at each start in a row."""
    taps, places = filters.shape
    matrix = np.zeros((_BLOCK + taps - 1, _BLOCK, places), np.float32)
    for start in range(_BLOCK):
        matrix[start : start + taps, start] = filters
    return matrix.reshape(_BLOCK + taps - 1, _BLOCK * places)
