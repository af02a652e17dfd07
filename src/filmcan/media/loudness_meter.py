"""Momentary and short-term loudness by FFmpeg's `ebur128` filter: samples in, a series out.

Used by the loudness extractor. FFmpeg does the K-weighting and the sliding windows, pair by pair
of channels that weigh the same; the weights are applied here, since FFmpeg's own differ from
ITU-R BS.1770-5 for more than five main channels. Gating, range and peaks are not taken from the
filter: it keeps the first two in a histogram of 0.01 LU that ends at +10 LUFS, and reports peaks
with three decimals of linear amplitude.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

FLOOR_LUFS = -100.0
"""Quieter windows have no reading: 30 LU below the absolute gate of BS.1770, and still far above
the rounding error that loud sound leaves in the filter's running sums."""

STEPS_PER_SEC = 10
"""Readings a second; the windows of BS.1770 overlap by 75 % of 400 ms."""

_OFFSET_LU = 0.691
"""Constant of BS.1770-5, Annex 1, equation (2)."""


@dataclass(frozen=True, slots=True)
class LoudnessSeries:
    """Loudness of sliding windows, one reading a step.

    Attributes:
        step_samples: Samples per step; reading k ends after (k + 1) * step_samples samples.
        momentary_lufs: float64[L], LUFS of the last 400 ms, NaN while the window is not full and
            below `FLOOR_LUFS`.
        short_term_lufs: float64[L], the same for the last 3 s.
    """

    step_samples: int
    momentary_lufs: np.ndarray
    short_term_lufs: np.ndarray


class LoudnessMeter:
    """Measures one stream.

    Args:
        rate_hz: Sample rate.
        weights: Weight of each channel's power, 0 for channels that do not count.
    """

    def __init__(self, rate_hz: int, weights: Sequence[float]) -> None:
        """Build one filter for each pair of channels with equal weights."""
        self._rate_hz = rate_hz
        self._sample_count = 0
        self._pairs = [
            (weight, channels, _PairMeter(rate_hz, len(channels)))
            for weight, channels in _pair_channels(weights)
        ]

    def add(self, samples: np.ndarray) -> None:
        """Measure the next samples: float32[channels, n], finite, full scale +-1."""
        self._sample_count += samples.shape[1]
        for _, channels, meter in self._pairs:
            meter.add(samples[channels])

    def finish(self) -> LoudnessSeries:
        """Return the whole series. Samples of an incomplete last step count in no window."""
        step = self._rate_hz // STEPS_PER_SEC
        momentary = np.zeros(self._sample_count // step)
        short_term = np.zeros(self._sample_count // step)
        for weight, _, meter in self._pairs:
            pair_momentary, pair_short_term = meter.finish()
            momentary += weight * pair_momentary
            short_term += weight * pair_short_term
        return LoudnessSeries(
            step_samples=step,
            momentary_lufs=_to_lufs(momentary, step, self._rate_hz * 2 // 5),
            short_term_lufs=_to_lufs(short_term, step, self._rate_hz * 3),
        )


class _PairMeter:
    """One filter over one or two channels; reports their summed, K-weighted mean square."""

    def __init__(self, rate_hz: int, channel_count: int) -> None:
        self._layout = "mono" if channel_count == 1 else "stereo"
        self._rate_hz = rate_hz
        self._time_base = Fraction(1, rate_hz)
        self._position = 0
        self._momentary: list[float] = []
        self._short_term: list[float] = []
        graph = Graph()
        source = graph.add(
            "abuffer",
            f"sample_rate={rate_hz}:sample_fmt=fltp:channel_layout={self._layout}"
            f":time_base=1/{rate_hz}",
        )
        meter = graph.add("ebur128", "metadata=1:framelog=quiet")
        sink = graph.add("abuffersink")
        source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        self._graph, self._source, self._sink = graph, source, sink

    def add(self, samples: np.ndarray) -> None:
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.float32), format="fltp", layout=self._layout
        )
        frame.sample_rate = self._rate_hz
        frame.time_base = self._time_base
        frame.pts = self._position
        self._position += samples.shape[1]
        self._source.push(frame)
        self._pull()

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the power of the last 400 ms and of the last 3 s, float64[L] each."""
        self._source.push(None)
        self._pull()
        return _to_power(self._momentary), _to_power(self._short_term)

    def _pull(self) -> None:
        while True:
            try:
                frame = self._sink.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            readings = frame.metadata
            if "lavfi.r128.M" in readings:  # an incomplete last step carries none
                self._momentary.append(float(readings["lavfi.r128.M"]))
                self._short_term.append(float(readings["lavfi.r128.S"]))


def _pair_channels(weights: Sequence[float]) -> Iterable[tuple[float, list[int]]]:
    """Yield (weight, one or two channels of that weight); channels that weigh 0 are left out."""
    for weight in sorted({weight for weight in weights if weight > 0}):
        alike = [channel for channel, other in enumerate(weights) if other == weight]
        for start in range(0, len(alike), 2):
            yield weight, alike[start : start + 2]


def _to_power(lufs: list[float]) -> np.ndarray:
    power = 10.0 ** ((np.asarray(lufs, np.float64) + _OFFSET_LU) / 10.0)
    return np.where(power > 0, power, 0.0)  # where rounding left the filter a NaN, nothing is heard


def _to_lufs(power: np.ndarray, step: int, window: int) -> np.ndarray:
    """Return loudness, NaN where the window is not full yet or nothing can be read."""
    is_full = (np.arange(len(power)) + 1) * step >= window
    is_heard = power >= 10.0 ** ((FLOOR_LUFS + _OFFSET_LU) / 10.0)
    lufs = 10.0 * np.log10(np.where(is_heard, power, 1.0)) - _OFFSET_LU
    return np.where(is_full & is_heard, lufs, np.nan)
