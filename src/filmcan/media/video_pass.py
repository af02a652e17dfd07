"""Decode the video stream once: find the sampled frames and hand them on.

One thread decodes (FFmpeg's own threads work below it), a second one converts. Between them and
towards each component lie bounded channels, so that memory does not grow with the duration. When
no component asks for frames, decoding ends with the first frame: it settles time zero and whether
anything decodes. When few frames are wanted of a stream that allows it, the others are not decoded
(see `decoding_plan`); at the first sign that something is not as the packets promised, all is
decoded from the beginning, so that what is measured is the same either way.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from av.video.frame import VideoFrame

from filmcan.media.conversion import PictureConverter
from filmcan.media.decoding_plan import find_wanted, plan_decoding
from filmcan.media.frame_feed import FrameConverter, FrameFeed, SampledFrame
from filmcan.media.frame_selection import FrameSelector, PlacedFrame
from filmcan.media.limits import Limits, check_frame_count
from filmcan.media.orientation import build_orientation, find_display_matrix
from filmcan.media.packet_scan import PacketScan, scan_packets
from filmcan.media.probe import VideoStream
from filmcan.media.queues import Channel, Opening, PassState
from filmcan.media.source_file import SourceFile
from filmcan.media.stream_decoder import Frame, StreamDecoder
from filmcan.media.timeline import Sampling

if TYPE_CHECKING:
    from filmcan.media.frames import FrameRequest, FrameSample

_FRAMES_BEFORE_CONVERTER = 2
"""Sampled frames waiting for the converter; each may be as large as a frame of the source."""

_PROGRESS_STEP = 0.005
_SQUARE_RATIOS = ("1:1", "unknown")
_HDR_CURVES = {16: "PQ", 18: "HLG"}
"""AVCOL_TRC_* of the transfer curves that would need tone mapping to look right in 8 bits."""


@dataclass(frozen=True, slots=True)
class VideoTask:
    """What a video pass is to do.

    Attributes:
        source: The file.
        stream: The video stream.
        is_still_picture: True to take one frame, at time 0.
        requests: Component -> what frames it wants.
        sampling: Which moments are looked at.
        limits: What is refused.
        decode_threads: FFmpeg's threads.
        queue_size: Samples in flight per component.
    """

    source: SourceFile
    stream: VideoStream
    is_still_picture: bool
    requests: Mapping[str, FrameRequest]
    sampling: Sampling
    limits: Limits
    decode_threads: int
    queue_size: int


class VideoPass:
    """The decoding of one video stream.

    Attributes:
        feeds: Component -> its frames.
        decoded: Frames decoded, first frames taken only to settle time zero not counted.
        failed: Frames that were expected and did not decode.
        skipped: Frames that were not decoded because nobody wants them.
        last_sec: Time of the last decoded frame, None when there is none.
        is_complete: True when the stream was decoded to its end.
        notes: What was unusual, for people.
    """

    def __init__(
        self,
        task: VideoTask,
        state: PassState,
        zero: Opening[Fraction],
        on_progress: Callable[[float], None] | None,
    ) -> None:
        """Prepare the channels.

        Args:
            task: What to do.
            state: Of the media pass.
            zero: To be settled with the first decoded frame's time in the container's clock.
            on_progress: Told the share decoded so far.
        """
        self._task = task
        self._state = state
        self._zero = zero
        self._on_progress = on_progress
        self._reported = 0.0
        self._opening: Opening[PictureConverter] = Opening()
        self._jobs: Channel[SampledFrame] = Channel(_FRAMES_BEFORE_CONVERTER)
        state.add_channel(self._jobs)
        self.feeds = {name: self._open_feed(request) for name, request in task.requests.items()}
        self._keeps_previous = any(item.with_previous for item in task.requests.values())
        self._samples = 0
        self._handed_on = 0
        self._damaged_frames = 0
        self._size: tuple[int, int] | None = None
        self._was_resized = False
        self.decoded = 0
        self.failed = 0
        self.skipped = 0
        self.last_sec: float | None = None
        self.is_complete = False
        self.notes: list[str] = []

    def run_decoder(self) -> None:
        """Decode: the body of the first thread."""
        try:
            if self.feeds:
                self._decode()
            else:
                self._decode_first()
        except BaseException as error:  # noqa: BLE001 - raised again where frames are awaited
            self._state.fail(error)
        finally:
            self._zero.settle(None, self._state.error)
            self._opening.settle(None, self._state.error)
            self._jobs.end()
            self._state.mark_track_ended()

    def run_converter(self) -> None:
        """Convert: the body of the second thread."""
        FrameConverter(self.feeds, self._jobs, self._opening, self._state).run()

    def _open_feed(self, request: FrameRequest) -> FrameFeed:
        channel: Channel[FrameSample] = Channel(self._task.queue_size)
        self._state.add_channel(channel)
        stream = self._task.stream
        declared_size = (stream.display_width, stream.display_height)
        return FrameFeed(request, channel, self._opening, declared_size)

    def _open_decoder(self, threads: int) -> StreamDecoder:
        task = self._task
        return StreamDecoder(task.source, task.stream.index, task.limits, threads)

    def _decode(self) -> None:
        task = self._task
        scan = scan_packets(task.source, task.stream.index, task.limits, self._state.is_stopped)
        if self._decode_wanted(scan):
            return
        selector: FrameSelector[VideoFrame] = FrameSelector(scan, task.sampling)
        decoder = self._open_decoder(task.decode_threads)
        for frame in decoder.frames(self._is_over):
            if self._shows_damage(frame, decoder):
                break
            self._take(frame, selector, damaged=decoder.failed_packets > 0)
            if task.is_still_picture:
                break  # what follows in a picture file is a thumbnail or a second view
        if self._must_go_on_alone(decoder, scan, selector):
            decoder = self._decode_rest(scan, selector)
        self.is_complete = decoder.has_ended or (task.is_still_picture and self.decoded > 0)
        if self.is_complete:
            if selector.first_tick is None and scan.ticks:
                self._zero.settle(scan.ticks[0] * scan.tick_sec)
            self._emit(selector.end(damaged=decoder.failed_packets > 0), selector)
            self._report(1.0)
        self.failed = selector.lost
        self._add_notes(scan, selector)

    def _decode_wanted(self, scan: PacketScan) -> bool:
        """Decode only what somebody wants; return False to have everything decoded instead.

        What was handed on until then is what the full pass gives, and is not handed on again.
        """
        task = self._task
        if task.is_still_picture or not scan.clean_starts:
            return False
        wanted = find_wanted(scan, task.sampling, task.requests.values())
        plan = plan_decoding(scan, wanted)
        if plan is None:
            return False
        selector: FrameSelector[VideoFrame] = FrameSelector(scan, task.sampling)
        decoder = self._open_decoder(task.decode_threads)
        due = deque(plan.wanted)
        for frame in decoder.frames(self._is_over, steps=plan.steps):
            if decoder.failed_packets or not _is_as_promised(frame, scan, due):
                self._forget()
                return False
            self._emit(selector.pass_over(frame.pts), selector)
            self._take(frame, selector, damaged=False)
            if due[0] == frame.pts:
                due.popleft()
        if decoder.failed_packets or (decoder.has_ended and due):
            self._forget()
            return False
        self.skipped = selector.skipped
        self.is_complete = decoder.has_ended
        if self.is_complete:
            self._emit(selector.end(damaged=False), selector)
            self._report(1.0)
        self._add_notes(scan, selector)
        return True

    def _forget(self) -> None:
        """Begin again; only what was handed on stays."""
        self.decoded = self._samples = self._damaged_frames = 0
        self.last_sec = None
        self.notes.clear()

    def _shows_damage(self, frame: Frame, decoder: StreamDecoder) -> bool:
        """Return True at the first sign that several threads must not go on."""
        return decoder.threads > 1 and (decoder.failed_packets > 0 or frame.is_corrupt)

    def _must_go_on_alone(
        self, decoder: StreamDecoder, scan: PacketScan, selector: FrameSelector[VideoFrame]
    ) -> bool:
        if decoder.threads == 1 or self._is_over():
            return False
        if self._task.is_still_picture:
            return self.decoded == 0
        last = selector.last_tick
        tail_is_missing = scan.is_stamped and (last is None or last < scan.last_packet_tick)
        return not decoder.has_ended or decoder.failed_packets > 0 or tail_is_missing

    def _decode_rest(self, scan: PacketScan, selector: FrameSelector[VideoFrame]) -> StreamDecoder:
        """Decode what is left from the last good frame on, with one thread.

        Several threads patch damage over in another way than one does, and lose frames at the
        end (see `StreamDecoder`); but their number must not change what is measured. What
        remains is that frames shown before a damaged one but coded after it, at most a few, are
        patched over already when the damage shows.
        """
        decoder = self._open_decoder(threads=1)
        last, known = selector.last_tick, selector.decoded
        restart = 0 if last is None or not scan.is_stamped else scan.find_restart(last)
        for number, frame in enumerate(decoder.frames(self._is_over, restart)):
            if scan.is_stamped:
                is_new = last is None or frame.pts is None or frame.pts > last
            else:
                is_new = number >= known
            if is_new:
                self._take(frame, selector, damaged=decoder.failed_packets > 0)
        return decoder

    def _decode_first(self) -> None:
        """Decode as far as the first frame, for its time."""
        task = self._task
        decoder = self._open_decoder(threads=1)
        for frame in decoder.frames(self._state.is_stopped):
            self._state.mark_decoded()
            self._zero.settle((frame.pts or 0) * decoder.tick_sec)
            return
        scan = scan_packets(task.source, task.stream.index, task.limits, self._state.is_stopped)
        if scan.ticks:
            self._zero.settle(scan.ticks[0] * scan.tick_sec)

    def _is_over(self) -> bool:
        """Return True when the pass was stopped or no component wants another frame."""
        if self._state.is_stopped():
            return True
        return self.decoded > 0 and all(feed.channel.is_released for feed in self.feeds.values())

    def _take(self, frame: Frame, selector: FrameSelector[VideoFrame], *, damaged: bool) -> None:
        if not isinstance(frame, VideoFrame):
            return
        self.decoded += 1
        check_frame_count(
            self.decoded, self._task.source.size_bytes, self._task.limits, self._task.source.name
        )
        self._damaged_frames += frame.is_corrupt
        is_first = selector.first_tick is None
        if (frame.width, frame.height) != self._size:
            self._was_resized = self._size is not None
            self._size = (frame.width, frame.height)
        self._emit(selector.take(frame, frame.pts, damaged=damaged), selector)
        if is_first:
            self._begin(frame, selector.zero_sec())
        self.last_sec = selector.seconds(selector.last_tick or 0)
        self._report(selector.fraction_done())

    def _begin(self, frame: VideoFrame, zero_sec: Fraction) -> None:
        orientation = build_orientation(find_display_matrix(frame))
        if orientation.skipped_deg is not None:
            self.notes.append(
                f"A rotation of {orientation.skipped_deg:g} degrees is no quarter turn: ignored."
            )
        if frame.color_trc in _HDR_CURVES:
            self.notes.append(f"High dynamic range ({_HDR_CURVES[frame.color_trc]}): not mapped.")
        self._state.mark_decoded()
        self._zero.settle(zero_sec)
        self._opening.settle(PictureConverter((frame.width, frame.height), orientation))

    def _emit(
        self,
        sampled: Iterable[PlacedFrame[VideoFrame]],
        selector: FrameSelector[VideoFrame],
    ) -> None:
        for placed in sampled:
            number = self._samples
            self._samples += 1
            names = tuple(
                name
                for name, feed in self.feeds.items()
                if number % feed.request.every == 0 and not feed.channel.is_released
            )
            if not names or number < self._handed_on:
                continue
            self._handed_on = self._samples
            before = placed.previous if self._keeps_previous else None
            self._jobs.put(
                SampledFrame(
                    names=names,
                    index=placed.index,
                    time_sec=selector.seconds(placed.tick),
                    frame=placed.frame,
                    previous_index=None if before is None else before.index,
                    previous_time_sec=None if before is None else selector.seconds(before.tick),
                    previous=None if before is None else before.frame,
                )
            )

    def _report(self, fraction: float) -> None:
        if self._on_progress is not None and fraction >= self._reported + _PROGRESS_STEP:
            self._reported = fraction
            self._on_progress(fraction)

    def _add_notes(self, scan: PacketScan, selector: FrameSelector[VideoFrame]) -> None:
        self.notes += scan.notes
        ratio = self._task.stream.sample_aspect_ratio
        if ratio not in _SQUARE_RATIOS:
            self.notes.append(f"Pixels are not square ({ratio}): not corrected.")
        for what, count in (
            ("Damaged or missing frames, which did not decode", selector.lost),
            ("Frames decoded with damage patched over", self._damaged_frames),
            ("Frames without a rising presentation time, put in order", selector.retimed),
        ):
            if count:
                self.notes.append(f"{what}: {count}.")
        if self._was_resized:
            self.notes.append("The frame size changes: all frames are brought to the first's.")


def _is_as_promised(frame: Frame, scan: PacketScan, due: deque[int]) -> bool:
    """Tell whether a frame of a skipping pass is one that the packets promised, whole, in order.

    Two fields may come in two packets; then packets are not frames.
    """
    tick = frame.pts
    if not isinstance(frame, VideoFrame) or tick is None or not due or tick > due[0]:
        return False
    place = bisect_left(scan.ticks, tick)
    is_expected = place < len(scan.ticks) and scan.ticks[place] == tick
    return is_expected and not frame.is_corrupt and not frame.interlaced_frame
