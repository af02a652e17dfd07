"""Loudness by the book, slowly: an independent referee for the loudness extractor.

Source: ITU-R BS.1770-5, Annex 1. At 48 kHz with the coefficients of its tables 1 and 2; at other
rates with the analogue prototypes that those coefficients come from, through the bilinear
transform.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Biquad = tuple[tuple[float, float, float], tuple[float, float]]
"""(b0, b1, b2), (a1, a2)."""

_SHELF_48K: Biquad = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (-1.69065929318241, 0.73248077421585),
)
_HIGH_PASS_48K: Biquad = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))


def measure_integrated_lufs(samples: np.ndarray, rate_hz: int, weights: Sequence[float]) -> float:
    """Return the gated loudness of float[channels, n], NaN when nothing passes the gates."""
    powers = _measure_blocks(samples, rate_hz, weights)
    loudness = _to_lufs(powers)
    gated = powers[loudness > -70.0]
    if not gated.size:
        return float("nan")
    threshold = _to_lufs(gated.mean()) - 10.0
    return float(_to_lufs(powers[(loudness > -70.0) & (loudness > threshold)].mean()))


def measure_gain(frequency_hz: float, rate_hz: int) -> float:
    """Return the magnitude of the K-weighting at one frequency."""
    z = np.exp(-2j * np.pi * frequency_hz / rate_hz)
    gain = 1.0
    for (b0, b1, b2), (a1, a2) in _design(rate_hz):
        gain *= abs((b0 + b1 * z + b2 * z**2) / (1.0 + a1 * z + a2 * z**2))
    return gain


def _measure_blocks(samples: np.ndarray, rate_hz: int, weights: Sequence[float]) -> np.ndarray:
    weighted = _weigh_frequencies(np.atleast_2d(samples).astype(np.float64), rate_hz)
    length, step = round(0.4 * rate_hz), round(0.1 * rate_hz)
    starts = range(0, weighted.shape[1] - length + 1, step)
    squares = np.square(weighted)
    return np.array(
        [np.dot(weights, squares[:, start : start + length].mean(axis=1)) for start in starts]
    )


def _weigh_frequencies(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Filter by convolution with 2 s of the filters' impulse response (then under -300 dB)."""
    response = [1.0] + [0.0] * (2 * rate_hz - 1)
    for biquad in _design(rate_hz):
        response = _run_biquad(response, biquad)
    size = 1 << (samples.shape[1] + len(response)).bit_length()
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[:, : samples.shape[1]]


def _run_biquad(values: Sequence[float], biquad: Biquad) -> list[float]:
    (b0, b1, b2), (a1, a2) = biquad
    x1 = x2 = y1 = y2 = 0.0
    filtered = []
    for x0 in values:
        y0 = b0 * x0 + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2
        filtered.append(y0)
        x1, x2, y1, y2 = x0, x1, y0, y1
    return filtered


def _design(rate_hz: int) -> tuple[Biquad, Biquad]:
    if rate_hz == 48_000:
        return _SHELF_48K, _HIGH_PASS_48K
    return _design_shelf(rate_hz), _design_high_pass(rate_hz)


def _design_shelf(rate_hz: int) -> Biquad:
    k, q = np.tan(np.pi * 1681.974450955533 / rate_hz), 0.7071752369554196
    high = 10.0 ** (3.999843853973347 / 20.0)
    band = high**0.4996667741545416
    a0 = 1.0 + k / q + k * k
    return (
        (
            (high + band * k / q + k * k) / a0,
            2.0 * (k * k - high) / a0,
            (high - band * k / q + k * k) / a0,
        ),
        (2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0),
    )


def _design_high_pass(rate_hz: int) -> Biquad:
    k, q = np.tan(np.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    a0 = 1.0 + k / q + k * k
    return (1.0, -2.0, 1.0), (2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0)


def _to_lufs(power: np.ndarray | float) -> np.ndarray:
    return -0.691 + 10.0 * np.log10(np.maximum(power, 1e-30))
