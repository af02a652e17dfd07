"""Which frames are looked at: the policy `uniform_v1`. Pure: whole numbers in, choices out.

n = clamp(floor(duration * rate_hz) + 1, 2, max_samples) instants are spread equally from the first
decoded frame's time to the last one's, both included. Each takes the nearest frame by
presentation time, the earlier one on a tie; a frame taken twice counts once. A video of at most n
frames gives all of them.

`duration` is the span the instants are spread over, from the first frame's time to the last
one's: it is what can be measured in any file, and it makes neighbours at least 1 / rate_hz apart.
The declared duration of a container would add the time the last frame stays on the screen, or
lie. `rate_hz` counts as the decimal number it is written as, and all comparisons are exact:
times are whole ticks of the stream's time base, never rounded.

`choose_frames` is the definition; `FramePicker` takes the same frames from a stream that is still
being decoded, one frame behind it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from filmcan.errors import BadProfileError

UNIFORM_V1 = "uniform_v1"
MIN_SAMPLES = 2


@dataclass(frozen=True, slots=True)
class Sampling:
    """The profile's section `sampling`.

    Attributes:
        policy: Name and version of the rule; only `uniform_v1` exists.
        rate_hz: Instants per second.
        max_samples: Never more instants than this.
    """

    policy: str
    rate_hz: float
    max_samples: int

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            BadProfileError: A setting is unknown or out of range.
        """
        if self.policy != UNIFORM_V1:
            raise BadProfileError(
                f"must be {UNIFORM_V1}, got {self.policy!r}", where="sampling.policy"
            )
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise BadProfileError(
                f"must be greater than 0, got {self.rate_hz!r}", where="sampling.rate_hz"
            )
        if self.max_samples < MIN_SAMPLES:
            raise BadProfileError(
                f"must be at least {MIN_SAMPLES}, got {self.max_samples!r}",
                where="sampling.max_samples",
            )


def count_instants(duration_sec: Fraction, sampling: Sampling) -> int:
    """Return n, the number of instants on a span of that length."""
    wanted = math.floor(duration_sec * Fraction(repr(float(sampling.rate_hz)))) + 1
    return min(max(wanted, MIN_SAMPLES), sampling.max_samples)


def choose_frames(ticks: Sequence[int], tick_sec: Fraction, sampling: Sampling) -> tuple[int, ...]:
    """Return the numbers of the sampled frames, rising.

    Args:
        ticks: Presentation time of every frame, strictly rising.
        tick_sec: Seconds of one tick.
        sampling: The policy.
    """
    if not ticks:
        return ()
    picker = FramePicker.plan(ticks[0], ticks[-1], len(ticks), tick_sec, sampling)
    taken = [number - 1 for number, tick in enumerate(ticks) if picker.offer(tick)]
    return (*taken, len(ticks) - 1) if picker.close() else tuple(taken)


class FramePicker:
    """Picks the sampled frames out of a stream, one frame behind it.

    Whether a frame is the nearest one to an instant is known once the next frame's time is.
    """

    def __init__(self, first_tick: int, last_tick: int, instants: int) -> None:
        """Plan the instants.

        Args:
            first_tick: Time of the first frame.
            last_tick: Time of the last frame.
            instants: How many instants to spread between them; 0 takes every frame.
        """
        self._first = first_tick
        self._span = last_tick - first_tick
        self._steps = instants - 1
        self._takes_all = instants == 0 or self._span <= 0
        self._next = 0
        self._last: int | None = None

    @classmethod
    def plan(
        cls,
        first_tick: int,
        last_tick: int,
        frame_count: int,
        tick_sec: Fraction,
        sampling: Sampling,
    ) -> FramePicker:
        """Plan for the frames that a stream is expected to deliver.

        Args:
            first_tick: Time of the first frame.
            last_tick: Time of the last frame.
            frame_count: How many there are, both included.
            tick_sec: Seconds of one tick.
            sampling: The policy.
        """
        instants = count_instants((last_tick - first_tick) * tick_sec, sampling)
        return cls(first_tick, last_tick, instants if frame_count > instants else 0)

    def offer(self, tick: int) -> bool:
        """Take the next frame's time; return whether the frame offered before it is sampled."""
        place = tick - self._first
        previous, self._last = self._last, place
        if previous is None:
            return False
        if self._takes_all:
            return True
        # Instant i lies at i * span / steps. It is nearer to the previous frame, or as near,
        # when twice its place is at most the sum of both frames' places.
        reached = (previous + place) * self._steps // (2 * self._span)
        if reached < self._next or self._next > self._steps:
            return False
        self._next = reached + 1
        return True

    def close(self) -> bool:
        """Return whether the last frame offered is sampled: it takes the instants that are left."""
        if self._last is None:
            return False
        return self._takes_all or self._next <= self._steps


class FrameNumbers:
    """Knows which frames were expected, and so which ones were lost on the way.

    Numbering starts with the first decoded frame. After it every frame counts, decoded or lost.
    An expected frame that never came counts as lost when a decode error was met before the
    next one came, or when its packet was doubtful from the start; without any such sign it was
    a frame that is never shown (a VP8 alternate reference, the second field of a pair), and
    does not count.
    """

    def __init__(self, expected: Sequence[int], doubtful: Collection[int] = ()) -> None:
        """Take what the container promises.

        Args:
            expected: Presentation times of all frames, strictly rising.
            doubtful: Those whose packet is cut short or missing.
        """
        self._expected = expected
        self._doubtful = doubtful
        self._place = 0
        self.lost = 0

    def lost_before(self, tick: int, *, damaged: bool) -> list[int]:
        """Return the times of the frames lost between the frame before and the one at `tick`.

        Args:
            tick: Time of the frame that just came.
            damaged: True when the decoder has met an error so far.
        """
        end = bisect_left(self._expected, tick, lo=self._place)
        lost = self._find_lost(self._expected[self._place : end], damaged=damaged)
        came = end < len(self._expected) and self._expected[end] == tick
        self._place = end + 1 if came else end
        return lost

    def pass_over(self, tick: int) -> Sequence[int]:
        """Return the times expected before `tick` that have not come, and never will: not lost."""
        end = bisect_left(self._expected, tick, lo=self._place)
        passed = self._expected[self._place : end]
        self._place = end
        return passed

    def lost_at_end(self, *, damaged: bool) -> list[int]:
        """Return the times of the frames lost after the last one that came."""
        lost = self._find_lost(self._expected[self._place :], damaged=damaged)
        self._place = len(self._expected)
        return lost

    def _find_lost(self, missing: Iterable[int], *, damaged: bool) -> list[int]:
        lost = [tick for tick in missing if damaged or tick in self._doubtful]
        self.lost += len(lost)
        return lost
