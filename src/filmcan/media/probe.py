"""What a source is: container, chosen streams, duration, digest.

One frame is decoded to find out: FFmpeg hands out the display matrix with frames only, and the
container may be wrong about size, pixel format and colour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.video.frame import VideoFrame

from filmcan.errors import BadMediaError
from filmcan.media.colour import name_matrix, name_range
from filmcan.media.limits import Limits, check_pixels, refuse_unknown_size
from filmcan.media.orientation import build_orientation, find_display_matrix
from filmcan.media.sound_layout import name_layout
from filmcan.media.source_file import STILL_PICTURE_FORMATS, SourceFile, find_source
from filmcan.media.stream_choice import (
    find_audio_stream,
    find_text_streams,
    find_video_stream,
    has_video_of_unknown_size,
)
from filmcan.media.stream_decoder import StreamDecoder

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream

_PACKETS_FOR_FIRST_FRAME = 64
"""A stream that gives no frame within so many packets is described as its container declares it."""

_CLOCK_RATE_HZ = 1000
"""What FFmpeg gives as frame rate of a Matroska file that states none: the clock's resolution."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}")
_PHOTO_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
_STILL_BRANDS = ("avif", "mif1", "heic", "heix")
"""Major brands of ISO files that hold one picture (ISO/IEC 23008-12, AVIF 1.1)."""


@dataclass(frozen=True, slots=True)
class VideoStream:
    """The chosen video stream.

    Attributes:
        index: Its number in the container.
        codec: FFmpeg's name of the codec.
        width: Stored width, pixels.
        height: Stored height, pixels.
        display_width: Width of the upright picture, pixels.
        display_height: Height of the upright picture, pixels.
        rotation_deg: Clockwise turn that makes it upright: 0, 90, 180 or 270.
        average_rate_hz: Frames per second, None when the container does not say.
        pixel_format: FFmpeg's name.
        colour_matrix: FFmpeg's name, `unspecified` when the stream does not say.
        colour_range: `limited`, `full` or `unspecified`.
        sample_aspect_ratio: Width to height of a pixel such as `4:3`, `unknown` when not said.
    """

    index: int
    codec: str
    width: int
    height: int
    display_width: int
    display_height: int
    rotation_deg: int
    average_rate_hz: float | None
    pixel_format: str
    colour_matrix: str
    colour_range: str
    sample_aspect_ratio: str


@dataclass(frozen=True, slots=True)
class AudioStream:
    """The chosen audio stream."""

    index: int
    codec: str
    rate_hz: int
    channels: int
    channel_layout: str


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """A text subtitle stream."""

    index: int
    codec: str
    language: str | None


@dataclass(frozen=True, slots=True)
class Probe:
    """A source as the container declares it. No folder, no URL and no metadata text is kept.

    Attributes:
        name: Base name of the file.
        size_bytes: Size of the source.
        sha256: Digest of all its bytes, lower-case hex.
        container: FFmpeg's name of the container format.
        duration_sec: Declared duration, None when the container does not say.
        video: The chosen video stream, None when there is none.
        audio: The chosen audio stream, None when there is none.
        subtitles: Text subtitle streams, in file order.
        is_still_picture: True for a picture file (one frame, no time).
    """

    name: str
    size_bytes: int
    sha256: str
    container: str
    duration_sec: float | None
    video: VideoStream | None
    audio: AudioStream | None
    subtitles: tuple[SubtitleStream, ...]
    is_still_picture: bool


def probe_source(path: Path, limits: Limits, sha256: str | None = None) -> Probe:
    """Find out what a source is.

    Args:
        path: The source.
        limits: What is refused.
        sha256: The digest of its bytes, where it is known already.

    Raises:
        BadMediaError: It is missing, no regular file, no media, of a kind filmcan does not
            open, beyond a limit, or holds neither a video nor an audio stream.
    """
    source = find_source(path)
    sha256 = source.sha256() if sha256 is None else sha256
    with source.open_container(limits) as container:
        probe = _describe(source, sha256, container, limits)
    if probe.video is None:
        return probe
    return replace(probe, video=_refine(probe.video, source, limits))


def _describe(source: SourceFile, sha256: str, container: InputContainer, limits: Limits) -> Probe:
    video = find_video_stream(container)
    audio = find_audio_stream(container)
    if video is None and audio is None:
        if has_video_of_unknown_size(container):
            raise refuse_unknown_size(limits, source.name)
        raise BadMediaError(
            "it holds no video and no audio stream that can be decoded",
            code="no_usable_stream",
            where=source.name,
            hint="Check that it is a complete video, sound or picture file.",
        )
    is_still = video is not None and audio is None and _is_still_picture(container, source.name)
    return Probe(
        name=source.name,
        size_bytes=source.size_bytes,
        sha256=sha256,
        container=container.format.name,
        duration_sec=None if is_still else _find_duration(container),
        video=(
            None
            if video is None
            else _describe_video(video, limits, source.name, is_still=is_still)
        ),
        audio=None if audio is None else _describe_audio(audio),
        subtitles=tuple(
            SubtitleStream(stream.index, _name_codec(stream), _find_language(stream))
            for stream in find_text_streams(container)
        ),
        is_still_picture=is_still,
    )


def _is_still_picture(container: InputContainer, name: str) -> bool:
    if container.format.name in STILL_PICTURE_FORMATS:
        return True
    if container.format.name == "mjpeg":
        # A photo with a second picture behind it looks like a stream of pictures.
        return Path(name).suffix.casefold() in _PHOTO_SUFFIXES
    return container.metadata.get("major_brand", "").strip() in _STILL_BRANDS


def _find_duration(container: InputContainer) -> float | None:
    if container.duration is None or container.duration <= 0:
        return None
    return container.duration / av.time_base


def _describe_video(
    stream: av.VideoStream, limits: Limits, name: str, *, is_still: bool
) -> VideoStream:
    codec = stream.codec_context
    check_pixels(codec.width, codec.height, limits, name)
    return VideoStream(
        index=stream.index,
        codec=_name_codec(stream),
        width=codec.width,
        height=codec.height,
        display_width=codec.width,
        display_height=codec.height,
        rotation_deg=0,
        average_rate_hz=None if is_still else _find_rate(stream),
        pixel_format=codec.pix_fmt or "unknown",
        colour_matrix=name_matrix(codec.colorspace),
        colour_range=name_range(codec.color_range),
        sample_aspect_ratio=_name_ratio(codec.sample_aspect_ratio),
    )


def _find_rate(stream: av.VideoStream) -> float | None:
    """Return the average frame rate, None where FFmpeg only repeats the clock's resolution."""
    rate = stream.average_rate
    return float(rate) if rate and rate < _CLOCK_RATE_HZ else None


def _describe_audio(stream: av.AudioStream) -> AudioStream:
    codec = stream.codec_context
    return AudioStream(
        index=stream.index,
        codec=_name_codec(stream),
        rate_hz=codec.sample_rate,
        channels=codec.layout.nb_channels,
        channel_layout=name_layout(codec.layout),
    )


def _refine(video: VideoStream, source: SourceFile, limits: Limits) -> VideoStream:
    """Return the stream as its first frame shows it; as it was when no frame comes soon."""
    frame = _decode_first_frame(video, source, limits)
    if frame is None:
        return video
    orientation = build_orientation(find_display_matrix(frame))
    display_width, display_height = orientation.turn_size((frame.width, frame.height))
    return replace(
        video,
        width=frame.width,
        height=frame.height,
        display_width=display_width,
        display_height=display_height,
        rotation_deg=orientation.rotation_deg,
        pixel_format=frame.format.name,
        colour_matrix=name_matrix(frame.colorspace),
        colour_range=name_range(frame.color_range),
    )


def _decode_first_frame(
    video: VideoStream, source: SourceFile, limits: Limits
) -> VideoFrame | None:
    asked = 0

    def is_stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > _PACKETS_FOR_FIRST_FRAME

    for frame in StreamDecoder(source, video.index, limits).frames(is_stopped):
        return frame if isinstance(frame, VideoFrame) else None
    return None


def _find_language(stream: Stream) -> str | None:
    """Return a stream's language tag when it is one: no other metadata text is kept."""
    tag = stream.language
    return tag if tag is not None and _LANGUAGE.fullmatch(tag) else None


def _name_codec(stream: Stream) -> str:
    return stream.codec_context.codec.canonical_name


def _name_ratio(ratio: Fraction | None) -> str:
    return f"{ratio.numerator}:{ratio.denominator}" if ratio else "unknown"
