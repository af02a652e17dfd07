"""Sound -> the log-mel spectrogram that CLAP's audio tower takes, equal to the reference's.

Called by `audio_tower.py`. The settings are those of laion/clap-htsat-unfused's
`preprocessor_config.json` (truncation `rand_trunc`, padding `repeatpad`).
Source: HuggingFace transformers, `ClapFeatureExtractor`; Slaney, "Auditory Toolbox", 1998, for the
mel scale and the area norm.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE_HZ = 48_000
WINDOW_SAMPLES = 480_000
FRAMES = 1001
MELS = 64
FLOOR_DB = -100.0
"""What silence gives: 10 lg of the least power, 1e-10."""

_FFT = 1024
_HOP = 480
_LOW_HZ = 50.0
_HIGH_HZ = 14_000.0
_LEAST_POWER = 1e-10

_LINEAR_MELS_PER_HZ = 3 / 200
_KNEE_HZ = 1000.0
_KNEE_MEL = 15.0
_LOG_STEP = np.log(6.4) / 27
"""Slaney's scale: linear below 1 kHz, above it 27 mels for a factor of 6.4."""


def repeat_to_window(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 10 s: the sound as often as it fits in whole, then silence ("repeatpad").

    Args:
        samples: float32[n], 1 <= n <= 480000, at 48 kHz.

    Returns:
        float32[480000].
    """
    window = np.zeros(WINDOW_SAMPLES, np.float32)
    copies = WINDOW_SAMPLES // samples.size
    window[: copies * samples.size] = np.tile(samples, copies)
    return window


def compute_log_mel(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the power of 10 s of sound by time and mel, in dB.

    Args:
        window: float32[480000] at 48 kHz, full scale +-1.

    Returns:
        float32[1001, 64], dB, from -100 up.
    """
    padded = np.pad(window.astype(np.float64), _FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::_HOP]
    spectrum = np.fft.rfft(frames * _build_hann(), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    mel = np.maximum(power @ build_mel_bank(), _LEAST_POWER)
    return np.asarray(10.0 * np.log10(mel), dtype=np.float32)


@functools.cache
def build_mel_bank() -> NDArray[np.float64]:
    """Return the weights of each frequency in each mel band.

    Returns:
        float64[513, 64]: triangles in Hz between neighbouring centres, each of area 1.
    """
    edges = _from_mel(np.linspace(_to_mel(_LOW_HZ), _to_mel(_HIGH_HZ), MELS + 2))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    bins = np.linspace(0.0, RATE_HZ / 2, _FFT // 2 + 1)[:, None]
    rising = (bins - low) / (centre - low)
    falling = (high - bins) / (high - centre)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    bank = np.asarray(triangles * (2.0 / (high - low)))
    bank.flags.writeable = False
    return bank


@functools.cache
def _build_hann() -> NDArray[np.float64]:
    """Return the periodic Hann window."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_FFT) / _FFT)
    window.flags.writeable = False
    return np.asarray(window)


def _to_mel(hz: float) -> float:
    if hz < _KNEE_HZ:
        return hz * _LINEAR_MELS_PER_HZ
    return float(_KNEE_MEL + np.log(hz / _KNEE_HZ) / _LOG_STEP)


def _from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithmic = _KNEE_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _KNEE_MEL) - _KNEE_MEL))
    return np.asarray(np.where(mel < _KNEE_MEL, mel / _LINEAR_MELS_PER_HZ, logarithmic))
