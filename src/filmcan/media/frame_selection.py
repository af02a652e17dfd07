"""From decoded frames in order to the sampled ones: times, numbers, losses, choice. No decoder.

One frame behind the decoder: whether a frame is sampled is known when the next one's time is.
Holds three frames at most.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

from filmcan.media.packet_scan import PacketScan
from filmcan.media.timeline import FrameNumbers, FramePicker, Sampling

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class PlacedFrame(Generic[F]):
    """A frame with its place in the video.

    Attributes:
        index: Its number, from 0, lost frames counted.
        tick: Its presentation time in the stream's time base.
        frame: What was decoded, None when it was lost.
        previous: The decoded frame before it, None when there is none.
    """

    index: int
    tick: int
    frame: F | None
    previous: PlacedFrame[F] | None = None


class FrameSelector(Generic[F]):
    """Numbers the frames of one stream and yields the sampled ones.

    Attributes:
        decoded: Frames taken so far.
        first_tick: Presentation time of the first decoded frame, None before it.
        last_tick: That of the last decoded frame.
        skipped: Frames that were passed over.
        retimed: Frames whose own time did not rise, and which were put one tick after the last.
    """

    def __init__(self, scan: PacketScan, sampling: Sampling) -> None:
        """Plan for what the packets promise.

        Args:
            scan: The packets.
            sampling: Which moments are looked at.
        """
        self._scan = scan
        self._sampling = sampling
        self._numbers = FrameNumbers(scan.ticks, scan.doubtful)
        self._picker: FramePicker | None = None
        self._pending: PlacedFrame[F] | None = None
        self._before: PlacedFrame[F] | None = None
        self._count = 0
        self.decoded = 0
        self.first_tick: int | None = None
        self.last_tick: int | None = None
        self.skipped = 0
        self.retimed = 0

    @property
    def lost(self) -> int:
        """Frames that were expected and did not decode, so far."""
        return self._numbers.lost

    def zero_sec(self) -> Fraction:
        """Return the first decoded frame's time in the container's clock."""
        return (self.first_tick or 0) * self._scan.tick_sec

    def seconds(self, tick: int) -> float:
        """Return a presentation time in seconds after the first decoded frame."""
        return float((tick - (self.first_tick or 0)) * self._scan.tick_sec)

    def fraction_done(self) -> float:
        """Return the share of the expected span decoded so far, 0 to 1."""
        if self.first_tick is None or self.last_tick is None:
            return 0.0
        span = self._scan.ticks[-1] - self.first_tick if len(self._scan.ticks) else 0
        return min(1.0, (self.last_tick - self.first_tick) / span) if span > 0 else 1.0

    def take(self, frame: F, tick: int | None, *, damaged: bool) -> Iterator[PlacedFrame[F]]:
        """Take the next decoded frame; yield frames that turn out to be sampled.

        Args:
            frame: What was decoded.
            tick: Its own presentation time, None when it has none.
            damaged: True when the decoder has met an error so far.
        """
        place = self._place(tick)
        if self._picker is None:
            self._picker = self._plan(place, damaged=damaged)
        else:
            for lost in self._numbers.lost_before(place, damaged=damaged):
                yield from self._offer(lost, None)
        yield from self._offer(place, frame)
        self.decoded += 1
        self.last_tick = place

    def pass_over(self, tick: int | None) -> Iterator[PlacedFrame[F]]:
        """Count the frames before the one at `tick` that were not decoded since nobody wants them.

        One of them may be sampled, for no one: it is yielded without its picture.
        """
        if self._picker is None or tick is None:
            return
        for passed in self._numbers.pass_over(tick):
            yield from self._offer(passed, None)
            self.skipped += 1

    def end(self, *, damaged: bool) -> Iterator[PlacedFrame[F]]:
        """Say that no frame follows; yield the sampled frames that are left.

        Args:
            damaged: True when the decoder has met an error.
        """
        lost = self._numbers.lost_at_end(damaged=damaged)
        if self._picker is None:
            return
        for tick in lost:
            yield from self._offer(tick, None)
        if self._picker.close() and self._pending is not None:
            yield self._pending

    def _place(self, tick: int | None) -> int:
        """Return the time to go by, always later than the frame before."""
        ticks = self._scan.ticks
        if not self._scan.is_stamped:
            tick = ticks[self.decoded] if self.decoded < len(ticks) else None
        if self.last_tick is None:
            return tick if tick is not None else (ticks[0] if len(ticks) else 0)
        if tick is not None and tick > self.last_tick:
            return tick
        self.retimed += 1
        return self.last_tick + 1

    def _plan(self, first: int, *, damaged: bool) -> FramePicker:
        self.first_tick = first
        self._numbers.lost_before(first, damaged=damaged)  # counted, but without a number
        ticks = self._scan.ticks
        later = len(ticks) - bisect_left(ticks, first + 1)
        last = ticks[-1] if later else first
        return FramePicker.plan(first, last, later + 1, self._scan.tick_sec, self._sampling)

    def _offer(self, tick: int, frame: F | None) -> Iterator[PlacedFrame[F]]:
        pending = self._pending
        if pending is not None and tick <= pending.tick:
            return  # a lost frame whose place was taken by a retimed one
        if self._picker is not None and self._picker.offer(tick) and pending is not None:
            yield pending
        if pending is not None and pending.frame is not None:
            self._before = PlacedFrame(pending.index, pending.tick, pending.frame)
        self._pending = PlacedFrame(self._count, tick, frame, self._before)
        self._count += 1
