"""Decoded sound -> float32 blocks at the requested rate and layout, with exact times. No threads.

Times come from counting samples, from the first one on: containers round the time of each packet.
Only where the container's time runs ahead of the count by more than 10 ms, and by more than half
the longest packet so far, is sound missing (a lost packet, a hole in the recording); there a new
stretch begins at the container's time. Missing sound is not filled with silence, and time never
runs backwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av.audio.frame import AudioFrame
from av.error import BlockingIOError as NothingYetError
from av.error import EOFError as NothingLeftError
from av.error import FFmpegError
from av.filter import Graph

from filmcan.errors import BadMediaError
from filmcan.media.sound import SoundBlock, SoundRequest
from filmcan.media.sound_layout import is_count_only, name_layout

GAP_SEC = Fraction(1, 100)
"""Half a packet of the shortest common kind (20 ms), and ten times what Matroska's millisecond
times are off by. Vorbis in Ogg is off by up to 0.44 of its long packets wherever it changes to
short ones: hence the share of a packet."""

BLOCK_SAMPLES = 16384
"""A block is handed on once it has this many samples: larger than a packet, to spare handovers."""


class SoundClock:
    """Gives each decoded frame of sound its place in time.

    Attributes:
        gaps: How many times sound was missing.
    """

    def __init__(self) -> None:
        """Begin before the first sample."""
        self._next: Fraction | None = None
        self._longest = Fraction(0)
        self.gaps = 0

    def place(
        self, stamp_sec: Fraction | None, samples: int, rate_hz: int
    ) -> tuple[Fraction, bool]:
        """Return a frame's start and whether a new stretch begins with it.

        Args:
            stamp_sec: The frame's own time, None when it has none.
            samples: Its length.
            rate_hz: Its sample rate.
        """
        start, is_new = self._next, False
        length = Fraction(samples, rate_hz)
        self._longest = max(self._longest, length)
        if start is None:
            start, is_new = stamp_sec or Fraction(0), True
        elif stamp_sec is not None and stamp_sec - start > max(GAP_SEC, self._longest / 2):
            start, is_new = stamp_sec, True
            self.gaps += 1
        self._next = start + length
        return start, is_new


class SoundConverter:
    """Makes the blocks of one request.

    Attributes:
        rate_hz: Sample rate of the blocks; 0 before the first frame.
        channel_layout: Layout of the blocks; empty before the first frame.
        repaired: Samples that were no finite numbers and were set to 0.
    """

    def __init__(self, request: SoundRequest) -> None:
        """Take what is wanted."""
        self._request = request
        self._graph: Graph | None = None
        self._input: tuple[str, str, int] | None = None
        self._start = Fraction(0)
        self._sent = 0
        self._waiting: list[np.ndarray] = []
        self._waiting_samples = 0
        self.rate_hz = 0
        self.channel_layout = ""
        self.repaired = 0

    def open(self, frame: AudioFrame) -> None:
        """Settle the blocks' rate and layout by the first frame.

        A stream that changes its own later is brought to these.
        """
        self.rate_hz = self._request.rate_hz or frame.sample_rate
        self.channel_layout = "mono" if self._request.mono else name_layout(frame.layout)

    def add(
        self, frame: AudioFrame, start_sec: Fraction, *, is_new_stretch: bool
    ) -> Iterator[SoundBlock]:
        """Take a decoded frame; yield the blocks that are complete.

        Args:
            frame: The samples.
            start_sec: Its time after time zero.
            is_new_stretch: True when it does not follow on what came before.

        Raises:
            BadMediaError: FFmpeg cannot convert sound of that form.
        """
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        try:
            if is_new_stretch or form != self._input:
                yield from self.flush()
                self._graph = self._build_graph(frame)
                self._input = form
                self._start, self._sent = start_sec, 0
            if self._graph is not None:
                frame.pts = None  # counted here, not there
                self._graph.push(frame)
                self._pull(self._graph)
        except FFmpegError as error:
            raise BadMediaError(
                f"sound of {frame.sample_rate} Hz, {frame.layout.name}, cannot be converted",
                code="unknown_sound_format",
                hint="Convert the source's sound to a common format, for example stereo AAC.",
            ) from error
        if self._waiting_samples >= BLOCK_SAMPLES:
            yield self._build_block()

    def flush(self) -> Iterator[SoundBlock]:
        """Yield what is left of the stretch."""
        if self._graph is not None:
            self._graph.push(None)
            self._pull(self._graph)
            self._graph = None
        if self._waiting_samples:
            yield self._build_block()

    def _pull(self, graph: Graph) -> None:
        while True:
            try:
                converted = graph.pull()
            except (NothingYetError, NothingLeftError):
                return
            if isinstance(converted, AudioFrame):
                self._waiting.append(converted.to_ndarray().reshape(converted.samples, -1))
                self._waiting_samples += converted.samples

    def _build_block(self) -> SoundBlock:
        samples = np.ascontiguousarray(np.concatenate(self._waiting, dtype=np.float32).T)
        start_sec = float(self._start + Fraction(self._sent, self.rate_hz))
        self._sent += self._waiting_samples
        self._waiting, self._waiting_samples = [], 0
        finite = np.isfinite(samples)
        if not finite.all():
            self.repaired += int(samples.size - np.count_nonzero(finite))
            samples = np.where(finite, samples, np.float32(0))
        samples.flags.writeable = False
        return SoundBlock(samples, start_sec)

    def _build_graph(self, frame: AudioFrame) -> Graph:
        resampling = {
            "out_sample_rate": str(self.rate_hz),
            # Interleaved: of eight and more planes PyAV reads one too many.
            "out_sample_fmt": "flt",
            "out_chlayout": self.channel_layout,
            # Mixing is scaled so that it cannot exceed full scale: FFmpeg's default for whole
            # numbers, which it leaves out for floats.
            "rematrix_maxval": "1.0",
        }
        naming = ("channelmap", {"channel_layout": name_layout(frame.layout)})
        steps = [naming] if is_count_only(frame.layout) else []
        try:
            return _link_graph(frame, [*steps, ("aresample", resampling)])
        except FFmpegError:
            if not self._request.mono:
                raise
        # No known way to mix these channels down: all of them count alike.
        mixing = ("pan", {"args": _mix_evenly(frame.layout.nb_channels)})
        return _link_graph(frame, [mixing, ("aresample", resampling)])


def _link_graph(frame: AudioFrame, steps: list[tuple[str, dict[str, str]]]) -> Graph:
    graph = Graph()
    last = graph.add(
        "abuffer",
        sample_rate=str(frame.sample_rate),
        sample_fmt=frame.format.name,
        channel_layout=frame.layout.name,
        time_base=f"1/{frame.sample_rate}",
    )
    for name, options in [*steps, ("abuffersink", {})]:
        step = graph.add(name, **options)
        last.link_to(step)
        last = step
    graph.configure()
    return graph


def _mix_evenly(channels: int) -> str:
    share = 1 / channels
    return "mono|c0=" + "+".join(f"{share:.9f}*c{place}" for place in range(channels))
