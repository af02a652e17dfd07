"""Decode one stream of a source, packet by packet, past whatever is damaged.

A damaged packet is counted and skipped. FFmpeg's objects never leave this module but as decoded
frames: anything else would be freed with the container under its user's hands.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

from av.audio.frame import AudioFrame
from av.codec.context import ThreadType
from av.error import BlockingIOError as InputRefusedError
from av.error import FFmpegError
from av.stream import Discard
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from filmcan.errors import BadMediaError
from filmcan.media.decoding_plan import LAST_WANTED, PASS_OVER, REFERENCE
from filmcan.media.limits import Limits, check_pixels
from filmcan.media.packet_kinds import find_packet_kinds
from filmcan.media.source_file import SourceFile
from filmcan.media.stream_choice import has_decoder

if TYPE_CHECKING:
    from av.codec.context import CodecContext
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream

Frame: TypeAlias = VideoFrame | AudioFrame

_MAX_READ_ERRORS = 16
"""Reading is given up after this many errors in a row of the demuxer."""


class StreamDecoder:
    """One decoding of one stream. `frames` may be called once.

    With more than one thread, an error in one of the last packets ends the drain, and frames
    that were still inside the decoder are lost: PyAV gives no way to ask for the rest. With one
    thread an error shows at its own packet and nothing else is lost.

    Attributes:
        threads: Decoder threads.
        failed_packets: How many packets did not decode so far.
        has_ended: True when the stream was decoded to its end.
        tick_sec: Seconds of one unit of a frame's `pts`; known once a frame came.
    """

    def __init__(
        self, source: SourceFile, stream_index: int, limits: Limits, threads: int = 1
    ) -> None:
        """Name the stream.

        Args:
            source: The file.
            stream_index: The stream's number in the container.
            limits: Of frame size.
            threads: Decoder threads, each working on a frame of its own.
        """
        self._source = source
        self._stream_index = stream_index
        self._limits = limits
        self.threads = threads
        self.failed_packets = 0
        self.has_ended = False
        self._unanswered = 0
        self.tick_sec = Fraction(1)

    def frames(
        self, is_stopped: Callable[[], bool], first_packet: int = 0, steps: bytes | None = None
    ) -> Iterator[Frame]:
        """Yield decoded frames in presentation order.

        Args:
            is_stopped: Asked before each packet whether to end.
            first_packet: Packets before this one are passed over.
            steps: What to do with each packet, as `decoding_plan` names it; None: decode all.

        Raises:
            BadMediaError: The container does not open again, or a frame is beyond a limit.
        """
        with self._source.open_container(self._limits) as container:
            stream = select_stream(container, self._stream_index, self._source.name)
            self.tick_sec = stream.time_base or self.tick_sec
            codec = stream.codec_context
            codec.thread_type = ThreadType.FRAME
            codec.thread_count = self.threads
            codec.options = {"max_pixels": str(self._limits.max_pixels)}
            with closing(read_packets(container, stream)) as packets:
                for number, packet in enumerate(packets):
                    if is_stopped():
                        return
                    if steps is not None:
                        step = steps[number] if number < len(steps) else PASS_OVER
                        yield from self._take_step(codec, packet, step)
                    elif number >= first_packet:
                        yield from self._decode(codec, packet)
            yield from self._decode(codec, None)
            self.has_ended = True

    def _take_step(self, codec: CodecContext, packet: Packet[Stream], step: int) -> Iterator[Frame]:
        """Decode a packet if its step says so; a group whose packets are not all frames failed."""
        if step == PASS_OVER:
            return
        if step == REFERENCE:
            kinds = find_packet_kinds(codec)
            if kinds is not None and kinds.is_disposable(bytes(packet)):
                return
        self._unanswered += 1
        for frame in self._decode(codec, packet):
            self._unanswered -= 1
            yield frame
        if step == LAST_WANTED:
            for frame in self._decode(codec, None):
                self._unanswered -= 1
                yield frame
            codec.flush_buffers()
            self.failed_packets += self._unanswered != 0
            self._unanswered = 0

    def _decode(self, codec: CodecContext, packet: Packet[Stream] | None) -> Iterator[Frame]:
        try:
            frames: list[Frame] = codec.decode(packet)  # type: ignore[attr-defined] # of both kinds
        except InputRefusedError:
            codec.flush_buffers()  # a decoder stuck with its last input starts afresh
            self.failed_packets += 1
            return
        except FFmpegError:
            self.failed_packets += 1
            if isinstance(codec, VideoCodecContext):
                check_pixels(codec.width, codec.height, self._limits, self._source.name)
            return
        for frame in frames:
            if isinstance(frame, VideoFrame):
                check_pixels(frame.width, frame.height, self._limits, self._source.name)
            yield frame


def select_stream(container: InputContainer, index: int, name: str) -> Stream:
    """Return a stream of a container, and have the others passed over when reading.

    Raises:
        BadMediaError: There is no such stream, or no decoder for it.
    """
    for other in container.streams:
        if other.index != index:
            other.discard = Discard.all
    if index >= len(container.streams) or not has_decoder(container.streams[index]):
        raise BadMediaError(f"stream {index} cannot be decoded", where=name)
    return container.streams[index]


def read_packets(
    container: InputContainer, stream: Stream
) -> Generator[Packet[Stream], None, None]:
    """Yield the packets of a stream that hold data.

    An empty packet is no frame (AVI says by one that the last frame stays), and a decoder given
    one would take it for the end of the stream.
    """
    errors = 0
    while errors < _MAX_READ_ERRORS:
        try:
            for packet in container.demux(stream):
                if packet.size:
                    errors = 0
                    yield packet
        except FFmpegError:
            errors += 1
        except IndexError:
            return  # PyAV stumbles at the end over a stream that appeared part-way
        else:
            return
