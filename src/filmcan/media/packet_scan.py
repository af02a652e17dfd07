"""Read all packets of the video stream without decoding one: when frames are to be expected.

Three kinds of stream are told apart. `stamped`: packets carry presentation times; this is nearly
everything. `slotted`: the container stores times in coding order only (AVI), so the k-th frame
shown takes the k-th time. `unstamped`: there are no times (a raw H.264 file), or they start again
part-way (recordings put end to end); frame k is shown at k / frame rate. The last two say so in
the notes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from filmcan.media.limits import Limits, check_frame_count
from filmcan.media.packet_kinds import drop_open_starts, find_packet_kinds
from filmcan.media.source_file import SourceFile
from filmcan.media.stream_decoder import read_packets, select_stream

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

DEFAULT_RATE_HZ = Fraction(25)
"""Assumed when a stream has neither times nor a frame rate, as FFmpeg does."""

_CLOCK_RATE_HZ = 1000
"""A rate of a thousand is the clock's resolution, which FFmpeg gives for want of a frame rate."""

_STAMPED_SHARE = 0.9
"""A stream counts as stamped when at least this share of its packets has a time of its own."""


@dataclass(frozen=True, slots=True)
class PacketScan:
    """What the packets promise.

    Attributes:
        ticks: Expected presentation times of frames, strictly rising.
        tick_sec: Seconds of one tick.
        last_packet_tick: The latest of them whose packet is in the file.
        is_stamped: True when a decoded frame's own time can be trusted.
        doubtful: Expected times whose packet is cut short or not in the file.
        keyframes: (time, number of its packet) of each keyframe, by packet number.
        notes: What was unusual, for people.
        coded: Presentation time of each packet's frame, in coding order; empty where packets and
            expected frames are not one to one.
        clean_starts: Numbers of the packets at which decoding can begin with nothing before them;
            empty likewise, and where the codec does not tell.
    """

    ticks: Sequence[int]
    tick_sec: Fraction
    last_packet_tick: int
    is_stamped: bool
    doubtful: frozenset[int]
    keyframes: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]
    coded: Sequence[int] = ()
    clean_starts: tuple[int, ...] = ()

    def find_restart(self, tick: int) -> int:
        """Return the number of the packet to decode from so as to get all frames after `tick`."""
        return max((number for time, number in self.keyframes if time <= tick), default=0)


@dataclass(slots=True)
class _Packets:
    """Times of packets in coding order; None where there is none."""

    presented: array[int] = field(default_factory=lambda: array("q"))
    coded: array[int] = field(default_factory=lambda: array("q"))
    keyframes: list[tuple[int, int]] = field(default_factory=list)
    clean_starts: list[int] = field(default_factory=list)
    cut_short: set[int] = field(default_factory=set)
    count: int = 0
    read: int = 0


def scan_packets(
    source: SourceFile, stream_index: int, limits: Limits, is_stopped: Callable[[], bool]
) -> PacketScan:
    """Return what the packets of a video stream promise.

    Raises:
        BadMediaError: The container does not open again, or promises too many frames.
    """
    with source.open_container(limits) as container:
        stream: VideoStream = select_stream(container, stream_index, source.name)  # type: ignore[assignment]
        tick_sec = stream.time_base or 1 / DEFAULT_RATE_HZ
        rate_hz = _find_rate(stream)
        reorders = stream.codec_context.reorder_depth > 0
        is_avi = container.format.name == "avi"
        packets = _read(source, container, stream, limits, is_stopped)
        missing = _find_missing(container, stream, packets)
        check_frame_count(packets.count + len(missing), source.size_bytes, limits, source.name)
    if len(set(packets.presented)) < packets.count * _STAMPED_SHARE or not packets.count:
        return _scan_unstamped(packets, rate_hz)
    if is_avi and reorders and _rises(packets.presented):
        return _scan_slotted(packets, tick_sec)
    return _scan_stamped(packets, missing, tick_sec)


def _read(
    source: SourceFile,
    container: InputContainer,
    stream: VideoStream,
    limits: Limits,
    is_stopped: Callable[[], bool],
) -> _Packets:
    found = _Packets()
    kinds = find_packet_kinds(stream.codec_context)
    with closing(read_packets(container, stream)) as packets:
        for number, packet in enumerate(packets):
            if is_stopped():
                break
            found.read = number + 1
            if packet.is_discard:
                continue  # outside an edit list: decoded, never shown
            found.count += 1
            check_frame_count(found.count, source.size_bytes, limits, source.name)
            if packet.dts is not None:
                found.coded.append(packet.dts)
            if packet.pts is None:
                continue
            found.presented.append(packet.pts)
            if packet.is_keyframe:
                found.keyframes.append((packet.pts, number))
                if kinds is not None and kinds.is_clean_start(bytes(packet)):
                    found.clean_starts.append(number)
            if packet.is_corrupt:
                found.cut_short.add(packet.pts)
    return found


def _find_missing(container: InputContainer, stream: VideoStream, packets: _Packets) -> list[int]:
    """Return the coding times of frames that an MP4's index lists beyond the end of the file."""
    if not container.format.name.startswith("mov,"):
        return []
    entries = stream.index_entries
    return [
        entries[place].timestamp
        for place in range(packets.read, len(entries))
        if entries[place].size and not entries[place].is_discard
    ]


def _scan_stamped(packets: _Packets, missing: list[int], tick_sec: Fraction) -> PacketScan:
    notes = []
    doubtful = set(packets.cut_short)
    ticks = set(packets.presented)
    if missing:
        lost = _guess_times(packets, missing)
        doubtful |= lost
        ticks |= lost
        notes.append(f"The file ends early: {len(missing)} frames of its index are not in it.")
    is_one_to_one = not doubtful and len(ticks) == len(packets.presented) == packets.read
    coded = packets.presented if is_one_to_one else ()
    return PacketScan(
        ticks=array("q", sorted(ticks)),
        tick_sec=tick_sec,
        last_packet_tick=max(packets.presented),
        is_stamped=True,
        doubtful=frozenset(doubtful),
        keyframes=tuple(packets.keyframes),
        notes=tuple(notes),
        coded=coded,
        clean_starts=drop_open_starts(packets.clean_starts, coded) if coded else (),
    )


def _guess_times(packets: _Packets, missing: list[int]) -> set[int]:
    """Return presentation times for frames of which the file has only the coding times.

    The k-th frame shown is taken to come as long after the k-th one coded as the first does;
    those times that no packet has are the missing frames'. Exact at a constant frame rate.
    """
    presented = set(packets.presented)
    coded = sorted({*packets.coded, *missing})
    shift = min(presented) - coded[0]
    free = [tick + shift for tick in coded if tick + shift not in presented]
    return set(free[-len(missing) :])


def _scan_slotted(packets: _Packets, tick_sec: Fraction) -> PacketScan:
    ticks = array("q", sorted(set(packets.coded)))
    return PacketScan(
        ticks=ticks,
        tick_sec=tick_sec,
        last_packet_tick=ticks[-1],
        is_stamped=False,
        doubtful=frozenset(),
        keyframes=(),
        notes=("The container stores no presentation times: frames take its times in order.",),
    )


def _scan_unstamped(packets: _Packets, rate_hz: Fraction) -> PacketScan:
    tick_sec = 1 / rate_hz
    return PacketScan(
        ticks=range(packets.count),
        tick_sec=tick_sec,
        last_packet_tick=packets.count - 1,
        is_stamped=False,
        doubtful=frozenset(),
        keyframes=(),
        notes=(
            f"Frame times are missing or start again: made from a rate of {float(rate_hz):g} Hz.",
        ),
    )


def _find_rate(stream: VideoStream) -> Fraction:
    # The coded stream's own word first: of a raw file the demuxer knows none and says 25.
    for rate in (stream.codec_context.framerate, stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate < _CLOCK_RATE_HZ:
            return Fraction(rate)
    return DEFAULT_RATE_HZ


def _rises(times: Sequence[int]) -> bool:
    return all(times[place] < times[place + 1] for place in range(len(times) - 1))
