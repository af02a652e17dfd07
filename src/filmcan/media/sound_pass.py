"""Decode the audio stream once, in a thread and a container of its own.

Times share the video's zero: the first decoded frame's time, which this thread waits for. A source
without a video stream, or of whose video nothing decodes and nothing is known, begins with its
own first sample. When no component asks for sound, it is decoded only where the video gave
nothing, as far as its first samples, to tell whether anything decodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from av.audio.frame import AudioFrame

from filmcan.errors import BadMediaError
from filmcan.media.limits import Limits
from filmcan.media.probe import AudioStream
from filmcan.media.queues import Channel, Opening, PassState
from filmcan.media.sound_conversion import SoundClock, SoundConverter
from filmcan.media.source_file import SourceFile
from filmcan.media.stream_decoder import StreamDecoder

if TYPE_CHECKING:
    from filmcan.media.sound import SoundBlock, SoundRequest

_PROGRESS_STEP = 0.005


@dataclass(frozen=True, slots=True)
class SoundTask:
    """What a sound pass is to do.

    Attributes:
        source: The file.
        stream: The audio stream.
        requests: Component -> what sound it wants.
        limits: What is refused.
        queue_size: Blocks in flight per component.
        duration_sec: Declared duration, for the progress; None when unknown.
    """

    source: SourceFile
    stream: AudioStream
    requests: Mapping[str, SoundRequest]
    limits: Limits
    queue_size: int
    duration_sec: float | None


class SoundFeed:
    """The sound of one component: a `SoundStream`."""

    def __init__(
        self,
        channel: Channel[SoundBlock],
        converter: SoundConverter,
        opening: Opening[bool],
    ) -> None:
        """Join a channel to what fills it.

        Args:
            channel: Where the blocks come.
            converter: What makes them.
            opening: Settled when the first samples decode.
        """
        self.channel = channel
        self._converter = converter
        self._opening = opening

    @property
    def rate_hz(self) -> int:
        """Sample rate of the blocks; known once `is_empty` has returned False."""
        return self._converter.rate_hz

    @property
    def channel_layout(self) -> str:
        """FFmpeg's name of the blocks' layout; known once `is_empty` has returned False."""
        return self._converter.channel_layout

    def __iter__(self) -> Iterator[SoundBlock]:
        """Yield the blocks; blocks until the decoder delivers."""
        return iter(self.channel)

    def is_empty(self) -> bool:
        """Block until the first samples or the end; True when nothing decoded at all."""
        return self._opening.wait() is None

    def close(self) -> None:
        """Say that no more is wanted."""
        self.channel.release()


class SoundPass:
    """The decoding of one audio stream.

    Attributes:
        feeds: Component -> its sound.
        decoded_samples: Samples decoded, per channel, at the stream's own rate.
        failed_packets: Packets that did not decode.
        last_sec: End of the last decoded sample, None when there is none.
        is_complete: True when the stream was decoded to its end.
        notes: What was unusual, for people.
    """

    def __init__(
        self,
        task: SoundTask,
        state: PassState,
        zero: Opening[Fraction] | None,
        on_progress: Callable[[float], None] | None,
    ) -> None:
        """Prepare the channels.

        Args:
            task: What to do.
            state: Of the media pass.
            zero: Settled by the video pass; None when the source has no video stream.
            on_progress: Told the share decoded so far.
        """
        self._task = task
        self._state = state
        self._video_zero = zero
        self._on_progress = on_progress
        self._reported = 0.0
        self._opening: Opening[bool] = Opening()
        self._converters = {request: SoundConverter(request) for request in task.requests.values()}
        self.feeds = {name: self._open_feed(request) for name, request in task.requests.items()}
        self.zero_sec: Fraction | None = None
        self.decoded_samples = 0
        self.failed_packets = 0
        self.last_sec: float | None = None
        self.is_complete = False
        self.notes: list[str] = []

    def run(self) -> None:
        """Decode: the thread's body."""
        error: BaseException | None = None
        try:
            if self.feeds:
                self._decode()
            else:
                self._decode_first()
        except BadMediaError as refused:
            error = refused  # the sound cannot be had; the pictures, if any, go on
            self.notes.append(f"The sound was given up: {refused.message}.")
            if self._video_zero is None:
                self._state.fail(refused)
        except BaseException as failure:  # noqa: BLE001 - raised again where sound is awaited
            self._state.fail(failure)
        finally:
            error = error or self._state.error
            self._opening.settle(None, error)
            for feed in self.feeds.values():
                feed.channel.end(error)
            self._state.mark_track_ended()

    def _open_feed(self, request: SoundRequest) -> SoundFeed:
        channel: Channel[SoundBlock] = Channel(self._task.queue_size)
        self._state.add_channel(channel)
        return SoundFeed(channel, self._converters[request], self._opening)

    def _open_decoder(self) -> StreamDecoder:
        return StreamDecoder(self._task.source, self._task.stream.index, self._task.limits)

    def _decode_first(self) -> None:
        """Decode as far as the first samples, unless the video has decoded."""
        if self._video_zero is not None:
            self._video_zero.wait()
        if self._state.has_decoded:
            return
        for frame in self._open_decoder().frames(self._state.is_stopped):
            if isinstance(frame, AudioFrame) and frame.samples:
                self._state.mark_decoded()
                return

    def _decode(self) -> None:
        decoder = self._open_decoder()
        clock = SoundClock()
        for frame in decoder.frames(self._is_over):
            if isinstance(frame, AudioFrame) and frame.samples and frame.sample_rate > 0:
                self._take(frame, clock, decoder.tick_sec)
        if decoder.has_ended:
            for request, converter in self._converters.items():
                self._hand_on(converter.flush(), request)
            self._report(1.0)
        self.is_complete = decoder.has_ended
        self.failed_packets = decoder.failed_packets
        self._add_notes(clock)

    def _is_over(self) -> bool:
        """Return True when the pass was stopped or no component wants another block."""
        if self._state.is_stopped():
            return True
        return self.decoded_samples > 0 and not any(map(self._is_wanted, self._converters))

    def _is_wanted(self, request: SoundRequest) -> bool:
        return any(
            not self.feeds[name].channel.is_released
            for name, wanted in self._task.requests.items()
            if wanted == request
        )

    def _take(self, frame: AudioFrame, clock: SoundClock, tick_sec: Fraction) -> None:
        stamp_sec = None if frame.pts is None else frame.pts * tick_sec
        if self.zero_sec is None:
            self.zero_sec = self._begin(frame, stamp_sec)
        start_sec, is_new_stretch = clock.place(stamp_sec, frame.samples, frame.sample_rate)
        self.decoded_samples += frame.samples
        start_sec -= self.zero_sec
        self.last_sec = float(start_sec + Fraction(frame.samples, frame.sample_rate))
        for request, converter in self._converters.items():
            if self._is_wanted(request):
                blocks = converter.add(frame, start_sec, is_new_stretch=is_new_stretch)
                self._hand_on(blocks, request)
        if self._task.duration_sec:
            self._report(min(1.0, self.last_sec / self._task.duration_sec))

    def _begin(self, frame: AudioFrame, stamp_sec: Fraction | None) -> Fraction:
        """Return time zero in the container's clock."""
        for converter in self._converters.values():
            converter.open(frame)
        self._state.mark_decoded()
        self._opening.settle(value=True)
        zero_sec = None if self._video_zero is None else self._video_zero.wait()
        return stamp_sec or Fraction(0) if zero_sec is None else zero_sec

    def _hand_on(self, blocks: Iterable[SoundBlock], request: SoundRequest) -> None:
        for block in blocks:
            for name, wanted in self._task.requests.items():
                if wanted == request:
                    self.feeds[name].channel.put(block)

    def _report(self, fraction: float) -> None:
        if self._on_progress is not None and fraction >= self._reported + _PROGRESS_STEP:
            self._reported = fraction
            self._on_progress(fraction)

    def _add_notes(self, clock: SoundClock) -> None:
        repaired = max((item.repaired for item in self._converters.values()), default=0)
        for what, count in (
            ("Damaged packets of sound, which did not decode", self.failed_packets),
            ("Places where sound is missing", clock.gaps),
            ("Samples that were no finite numbers, set to 0", repaired),
        ):
            if count:
                self.notes.append(f"{what}: {count}.")
