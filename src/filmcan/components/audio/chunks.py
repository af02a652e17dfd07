"""Regroup a sound stream into chunks of one size, so that no result depends on block borders.

Used by every component that listens. Also the one place that guards against samples no decoder
should give: NaN, infinities and absurd levels, one of which spoils a recursive filter for good.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from filmcan.errors import InternalError

if TYPE_CHECKING:
    from filmcan.media.sound import SoundBlock, SoundStream

MAX_LEVEL = 1024.0
"""Samples beyond +60 dBFS are limited: no recording holds them, and the loudness filter's running
sums (double, 1e-12 of full scale resolved) would keep their rounding error for ever."""

_MAX_CLOCK_ERROR_SEC = 0.02
"""A block that starts later than this after the samples before it marks a gap in the sound."""


class SoundChunks:
    """The chunks of a stream; iterate once.

    Attributes:
        sample_count: Samples per channel seen so far.
        channel_count: Channels; 0 until the first block.
        repaired_count: Samples that were not finite (now 0) or beyond `MAX_LEVEL` (now limited).
    """

    def __init__(self, stream: SoundStream, chunk_samples: int) -> None:
        """Take a stream; `chunk_samples` is the length of every chunk but the last."""
        self._stream = stream
        self._chunk_samples = chunk_samples
        self._anchor_samples: list[int] = []
        self._anchor_secs: list[float] = []
        self.sample_count = 0
        self.channel_count = 0
        self.repaired_count = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield float32[channels, n]; n is `chunk_samples`, less only in the last chunk.

        A chunk is a buffer of its own, valid until the next one is asked for.
        """
        chunk = np.empty((0, 0), np.float32)
        filled = 0
        for block in self._stream:
            if block.samples.shape[1] == 0:
                continue
            if not self._anchor_samples:
                self.channel_count = block.samples.shape[0]
                chunk = np.empty((self.channel_count, self._chunk_samples), np.float32)
            self._note_time(block)
            taken = 0
            while taken < block.samples.shape[1]:
                part = block.samples[:, taken : taken + self._chunk_samples - filled]
                chunk[:, filled : filled + part.shape[1]] = part
                taken += part.shape[1]
                filled += part.shape[1]
                if filled == self._chunk_samples:
                    self._repair(chunk)
                    yield chunk
                    filled = 0
        if filled:
            last = chunk[:, :filled].copy()
            self._repair(last)
            yield last

    def times_at(self, samples: np.ndarray) -> np.ndarray:
        """Return when given samples play.

        Gaps between blocks, as a damaged source leaves them, are kept; a block that claims to
        start before the end of the one before it is taken to follow on.

        Args:
            samples: int64[K], numbers of samples counted from 0.

        Returns:
            times_sec: float64[K], seconds, relative to the first decoded video frame.
        """
        anchors = np.asarray(self._anchor_samples)
        place = np.maximum(np.searchsorted(anchors, samples, side="right") - 1, 0)
        offset = (samples - anchors[place]) / self._stream.rate_hz
        return np.asarray(self._anchor_secs)[place] + offset

    def _note_time(self, block: SoundBlock) -> None:
        channels, count = block.samples.shape
        if channels != self.channel_count:
            raise InternalError(
                f"a block of sound has {channels} channels, the first had {self.channel_count}",
                where=f"at {block.start_sec:.3f} s",
            )
        if not self._anchor_samples:
            self._anchor_samples.append(0)
            self._anchor_secs.append(block.start_sec)
        else:
            elapsed = (self.sample_count - self._anchor_samples[-1]) / self._stream.rate_hz
            expected = self._anchor_secs[-1] + elapsed
            if block.start_sec > expected + _MAX_CLOCK_ERROR_SEC:
                self._anchor_samples.append(self.sample_count)
                self._anchor_secs.append(block.start_sec)
        self.sample_count += count

    def _repair(self, chunk: np.ndarray) -> None:
        peak = np.abs(chunk).max()
        if peak <= MAX_LEVEL:  # false for NaN too
            return
        bad = ~(np.abs(chunk) <= MAX_LEVEL)
        self.repaired_count += int(bad.sum())
        chunk[~np.isfinite(chunk)] = 0.0
        np.clip(chunk, -MAX_LEVEL, MAX_LEVEL, out=chunk)
