"""Sounds made by code, whose level, timing or tempo is known by construction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

Strike = Callable[[int, np.random.Generator], np.ndarray]
"""Makes one hit: (rate_hz, source of noise) -> float64[n]."""

CLAP_SETTINGS: Mapping[str, object] = {
    "feature_size": 64,
    "sampling_rate": 48_000,
    "hop_length": 480,
    "max_length_s": 10,
    "fft_window_size": 1024,
    "frequency_min": 50,
    "frequency_max": 14_000,
    "top_db": None,
    "truncation": "rand_trunc",
    "padding": "repeatpad",
}
"""What the reference's feature extractor is made with: laion/clap-htsat-unfused's own settings
(docs/models.md, 6.2)."""


def make_sine(
    rate_hz: int,
    duration_sec: float,
    *,
    frequency_hz: float = 1000.0,
    level_dbfs: float = 0.0,
    phase_deg: float = 0.0,
) -> np.ndarray:
    """Return float32[n], a sine whose peak is at `level_dbfs`."""
    times = np.arange(round(duration_sec * rate_hz)) / rate_hz
    phase = 2.0 * np.pi * frequency_hz * times + np.deg2rad(phase_deg)
    return np.asarray(10.0 ** (level_dbfs / 20.0) * np.sin(phase), np.float32)


def make_levels(
    rate_hz: int, steps: Sequence[tuple[float, float]], *, frequency_hz: float = 1000.0
) -> np.ndarray:
    """Return float32[n], one unbroken sine that takes (level_dbfs, duration_sec) in turn."""
    gains = np.concatenate(
        [np.full(round(sec * rate_hz), 10.0 ** (level / 20.0)) for level, sec in steps]
    )
    phase = 2.0 * np.pi * frequency_hz * np.arange(gains.size) / rate_hz
    return (gains * np.sin(phase)).astype(np.float32)


def make_noise(
    rate_hz: int, duration_sec: float, *, rms_dbfs: float = -20.0, seed: int = 0
) -> np.ndarray:
    """Return float32[n], white Gaussian noise."""
    noise = np.random.default_rng(seed).standard_normal(round(duration_sec * rate_hz))
    return np.asarray(noise * 10.0 ** (rms_dbfs / 20.0), np.float32)


def add_noise(sound: np.ndarray, snr_db: float, *, seed: int = 0) -> np.ndarray:
    """Return the sound with white noise `snr_db` below the sound's own RMS."""
    rms_dbfs = 10.0 * np.log10(np.mean(np.square(sound, dtype=np.float64))) - snr_db
    noise = make_noise(1, sound.size, rms_dbfs=float(rms_dbfs), seed=seed)
    return np.asarray(sound + noise, np.float32)


def place_strikes(
    rate_hz: int,
    duration_sec: float,
    times_sec: np.ndarray,
    strikes: Sequence[Strike],
    *,
    gains: Sequence[float] = (1.0,),
    seed: int = 0,
) -> np.ndarray:
    """Return float32[n] with a hit at each time.

    Args:
        rate_hz: Sample rate.
        duration_sec: Length.
        times_sec: float64[K], when the hits start.
        strikes: What sounds, taken in turn.
        gains: How loud, taken in turn.
        seed: Seed of the noise in the hits.
    """
    random = np.random.default_rng(seed)
    sound = np.zeros(round(duration_sec * rate_hz))
    for number, time in enumerate(times_sec):
        start = round(time * rate_hz)
        hit = strikes[number % len(strikes)](rate_hz, random)[: max(sound.size - start, 0)]
        sound[start : start + hit.size] += hit * gains[number % len(gains)]
    return sound.astype(np.float32)


def make_beats(
    rate_hz: int,
    duration_sec: float,
    bpm: float,
    strikes: Sequence[Strike],
    *,
    offset_sec: float = 0.1,
    gains: Sequence[float] = (1.0,),
    seed: int = 0,
) -> np.ndarray:
    """Return float32[n] with one hit every 60 / bpm seconds from `offset_sec` on."""
    times = np.arange(offset_sec, duration_sec, 60.0 / bpm)
    return place_strikes(rate_hz, duration_sec, times, strikes, gains=gains, seed=seed)


def click(rate_hz: int, random: np.random.Generator) -> np.ndarray:  # noqa: ARG001 - a Strike
    """Return a click of 2 ms."""
    times = np.arange(round(0.002 * rate_hz)) / rate_hz
    return 0.9 * np.exp(-times / 0.0004) * np.cos(2.0 * np.pi * 4000.0 * times)


def beep(rate_hz: int, random: np.random.Generator) -> np.ndarray:  # noqa: ARG001 - a Strike
    """Return a tone of 1 kHz that dies away within 100 ms."""
    times = np.arange(round(0.1 * rate_hz)) / rate_hz
    return 0.6 * np.sin(2.0 * np.pi * 1000.0 * times) * np.exp(-times / 0.03)


def tone(rate_hz: int, random: np.random.Generator) -> np.ndarray:
    """Return 200 ms of a held note of random pitch, 220 to 880 Hz, with soft edges."""
    times = np.arange(round(0.2 * rate_hz)) / rate_hz
    edges = np.minimum(1.0, np.minimum(times / 0.01, (0.2 - times) / 0.03))
    pitch = 220.0 * 2.0 ** (random.integers(0, 24) / 12.0)
    return 0.4 * np.sin(2.0 * np.pi * pitch * times) * edges


def burst(rate_hz: int, random: np.random.Generator) -> np.ndarray:
    """Return a burst of noise that dies away within 150 ms."""
    times = np.arange(round(0.15 * rate_hz)) / rate_hz
    return 0.3 * random.standard_normal(times.size) * np.exp(-times / 0.03)


def kick(rate_hz: int, random: np.random.Generator) -> np.ndarray:  # noqa: ARG001 - a Strike
    """Return a bass drum: a falling tone around 50 Hz."""
    times = np.arange(round(0.25 * rate_hz)) / rate_hz
    phase = 2.0 * np.pi * (50.0 * times + 1.5 * (1.0 - np.exp(-times / 0.05)))
    return 0.8 * np.sin(phase) * np.exp(-times / 0.1)


def snare(rate_hz: int, random: np.random.Generator) -> np.ndarray:
    """Return a snare drum: noise over a tone of 190 Hz."""
    times = np.arange(round(0.2 * rate_hz)) / rate_hz
    rattle = 0.35 * random.standard_normal(times.size) * np.exp(-times / 0.06)
    return rattle + 0.3 * np.sin(2.0 * np.pi * 190.0 * times) * np.exp(-times / 0.05)


def hat(rate_hz: int, random: np.random.Generator) -> np.ndarray:
    """Return a closed hi-hat: bright noise of 60 ms."""
    times = np.arange(round(0.06 * rate_hz)) / rate_hz
    noise = np.diff(random.standard_normal(times.size), prepend=0.0)
    return 0.15 * noise * np.exp(-times / 0.015)


def build_clap_signals() -> dict[str, np.ndarray]:
    """Return sounds at 48 kHz over which spectrograms are compared: name -> float32[n], n >= 1."""
    rate_hz = 48_000
    times = np.arange(10 * rate_hz) / rate_hz
    chirp = 0.3 * np.sin(2.0 * np.pi * (20.0 * times + (23_000.0 - 20.0) / 20.0 * times**2))
    return {
        "tone": make_sine(rate_hz, 10.0, frequency_hz=440.0, level_dbfs=20 * np.log10(0.5)),
        "chirp": chirp.astype(np.float32),
        "noise": make_noise(rate_hz, 10.0),
        "silence": np.zeros(10 * rate_hz, np.float32),
        "faint": make_noise(rate_hz, 10.0, rms_dbfs=-110.0, seed=1),
        "short": make_noise(rate_hz, 3.0, seed=2),
        "short_odd": make_noise(rate_hz, 4.321, seed=3),
        "click": np.eye(1, 700, 350, dtype=np.float32)[0],
    }
