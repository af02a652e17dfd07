"""How strongly sound sets in, moment by moment: the rise of the log spectrum (spectral flux).

Fed chunk by chunk; keeps one number per 5.8 ms and nothing else, so hours of sound take little.

Source: S. Dixon, "Onset detection revisited", DAFx 2006 (spectral flux); S. Boeck and
G. Widmer, "Maximum filter vibrato suppression for onset detection", DAFx 2013 (log bands,
difference over more than one frame). Ours differs in two floors, so that neither a whisper of
noise nor the last 20 dB of a decay count as onsets: one absolute, one below the recent maximum.
Bands are spaced evenly in log frequency from 40 Hz on: a bass drum rises in as many as a snare.
"""

from __future__ import annotations

import numpy as np

RATE_HZ = 22_050
HOP_SAMPLES = 128
FRAME_RATE_HZ = RATE_HZ / HOP_SAMPLES
FRAME_SAMPLES = 1024
LAG_FRAMES = 2

_BANDS = 40
_LOW_HZ, _HIGH_HZ = 40.0, 10_000.0
_FLOOR_DB = -80.0
"""Band level against a full-scale sine below which nothing is heard."""

_RANGE_DB = 45.0
"""Levels further below the recent maximum of all bands do not count. 40 to 50 gave the most right
octaves over 210 made patterns (clicks, tones, drums, accents, 60 to 200 bpm)."""

_FORGET_DB_PER_SEC = 3.0
"""How fast that maximum falls when the sound gets quieter."""

_ROWS = 8
"""Frames per matrix product."""


class OnsetStrength:
    """Turns chunks of mono sound into onset strength.

    Attributes:
        is_silent: True while no band has risen above the floor.
    """

    def __init__(self) -> None:
        """Start before the first sample."""
        self._window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES)
        scale = np.float64(2.0) / self._window.sum()
        self._window = (self._window * scale).astype(np.float32)
        self._bank = _build_bank()
        self._tail = np.zeros(0, np.float32)
        self._last_levels = np.zeros((0, _BANDS), np.float32)
        self._recent_db = _FLOOR_DB
        self._rises: list[np.ndarray] = []
        self.is_silent = True

    def add(self, samples: np.ndarray) -> None:
        """Take the next samples: float32[n], full scale +-1."""
        joined = np.concatenate([self._tail, samples])
        count = max((joined.size - FRAME_SAMPLES) // HOP_SAMPLES + 1, 0)
        self._tail = joined[count * HOP_SAMPLES :]
        if count == 0:
            return
        frames = np.lib.stride_tricks.sliding_window_view(joined, FRAME_SAMPLES)[::HOP_SAMPLES]
        spectrum = np.fft.rfft(frames * self._window, axis=1)
        power = self._sum_bands(np.square(spectrum.real) + np.square(spectrum.imag))
        levels = 10.0 * np.log10(np.maximum(power, 10.0 ** (_FLOOR_DB / 10.0)))
        self._compare(levels)

    def finish(self) -> np.ndarray:
        """Return the onset strength.

        Returns:
            strength: float32[frames], mean rise of a band in dB over two frames, >= 0; frame i is
                centred on sample `i * HOP_SAMPLES + FRAME_SAMPLES / 2`.
        """
        return np.concatenate(self._rises) if self._rises else np.zeros(0, np.float32)

    def _sum_bands(self, power: np.ndarray) -> np.ndarray:
        """Return float32[frames, bands] from float32[frames, bins].

        In products so small that BLAS runs each in one thread: with more, sums round otherwise.
        """
        count, bins = power.shape
        padded = np.zeros((-(-count // _ROWS) * _ROWS, bins), np.float32)
        padded[:count] = power
        products = padded.reshape(-1, _ROWS, bins) @ self._bank
        return products.reshape(-1, _BANDS)[:count]

    def _compare(self, levels: np.ndarray) -> None:
        """Append the rise of each frame over the one two frames before."""
        if not self._rises:
            self._last_levels = np.repeat(levels[:1], LAG_FRAMES, axis=0)
        tops = levels.max(axis=1)
        self.is_silent = self.is_silent and bool(tops.max() <= _FLOOR_DB)
        fall = np.arange(1, tops.size + 1) * (_FORGET_DB_PER_SEC / FRAME_RATE_HZ)
        recent = np.maximum(np.maximum.accumulate(tops + fall), self._recent_db) - fall
        self._recent_db = float(recent[-1])
        floors = np.maximum(recent - _RANGE_DB, _FLOOR_DB)[:, None].astype(np.float32)
        before = np.concatenate([self._last_levels, levels])
        rises = np.maximum(levels, floors) - np.maximum(before[: tops.size], floors)
        self._rises.append(np.maximum(rises, 0.0).mean(axis=1))
        self._last_levels = before[-LAG_FRAMES:]


def _build_bank() -> np.ndarray:
    """Return float32[bins, bands]: triangles even in log frequency, a bin wide at least."""
    bins_hz = np.arange(FRAME_SAMPLES // 2 + 1) * (RATE_HZ / FRAME_SAMPLES)
    edges = np.geomspace(_LOW_HZ, _HIGH_HZ, _BANDS + 2)
    low = np.minimum(edges[:-2], edges[1:-1] - bins_hz[1])
    high = np.maximum(edges[2:], edges[1:-1] + bins_hz[1])
    rising = (bins_hz[:, None] - low) / (edges[1:-1] - low)
    falling = (high - bins_hz[:, None]) / (high - edges[1:-1])
    return np.maximum(np.minimum(rising, falling), 0.0).astype(np.float32)
