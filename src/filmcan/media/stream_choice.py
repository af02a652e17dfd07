"""Which streams of a container are used: FFmpeg's best ones, as far as they can be decoded.

An attached picture (the cover of a song) looks like a video stream to FFmpeg; it is never chosen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, TypeVar

from av.stream import Disposition, Stream

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.subtitles.stream import SubtitleStream
    from av.video.stream import VideoStream

_NO_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.dependent
"""Covers, and parts of a picture that mean nothing alone (the tiles of a HEIF photo)."""

_IMPAIRED = Disposition.hearing_impaired | Disposition.visual_impaired

S = TypeVar("S", bound=Stream)


def find_video_stream(container: InputContainer) -> VideoStream | None:
    """Return the video stream to use, None when there is none that can be decoded."""
    streams = [stream for stream in container.streams.video if _is_video(stream)]
    return _choose(container, "video", streams)


def find_audio_stream(container: InputContainer) -> AudioStream | None:
    """Return the audio stream to use, None when there is none that can be decoded."""
    streams = [stream for stream in container.streams.audio if _is_audio(stream)]
    return _choose(container, "audio", streams)


def find_text_streams(container: InputContainer) -> list[SubtitleStream]:
    """Return the subtitle streams that hold text, in file order."""
    return [
        stream
        for stream in container.streams.subtitles
        if has_decoder(stream) and stream.codec_context.codec.text_sub
    ]


def has_video_of_unknown_size(container: InputContainer) -> bool:
    """Return True when there is a video stream of which FFmpeg gives no frame size."""
    return any(
        has_decoder(stream)
        and not stream.disposition & _NO_VIDEO
        and not stream.codec_context.width
        for stream in container.streams.video
    )


def has_decoder(stream: Stream) -> bool:
    """Return True when FFmpeg can decode a stream; only then has it a codec context."""
    context: object = stream.codec_context
    return context is not None


def _is_video(stream: VideoStream) -> bool:
    if not has_decoder(stream) or stream.disposition & _NO_VIDEO:
        return False
    return stream.codec_context.width > 0


def _is_audio(stream: AudioStream) -> bool:
    if not has_decoder(stream):
        return False
    codec = stream.codec_context
    return codec.sample_rate > 0 and codec.layout.nb_channels > 0


def _choose(
    container: InputContainer, kind: Literal["video", "audio"], usable: list[S]
) -> S | None:
    """Return FFmpeg's best stream when it is usable, else the best of the usable ones.

    Source:
        FFmpeg, libavformat/avformat.c `av_find_best_stream`: by disposition, then bit rate, then
        order. Its count of frames seen while probing is not accessible here, hence FFmpeg first.
    """
    best = container.streams.best(kind)
    for stream in usable:
        if best is not None and stream.index == best.index:
            return stream
    return max(_first_to_last(usable), key=_rank, default=None)


def _first_to_last(streams: Iterable[S]) -> list[S]:
    return sorted(streams, key=lambda stream: stream.index)


def _rank(stream: Stream) -> tuple[int, int]:
    whole = not stream.disposition & _IMPAIRED
    default = bool(stream.disposition & Disposition.default)
    return (int(whole) + int(default), stream.codec_context.bit_rate or 0)
