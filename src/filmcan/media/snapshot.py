"""One frame of a video as a small JPEG, for people to look at. Never measured from.

Decodes from the key frame before the wanted moment, in the calling process: whoever serves
strangers' videos does that in a process of its own (threats B7).
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import VideoFrame

from filmcan.errors import BadMediaError
from filmcan.media.conversion import PictureConverter
from filmcan.media.frames import FrameView
from filmcan.media.limits import Limits, check_pixels
from filmcan.media.orientation import build_orientation, find_display_matrix
from filmcan.media.source_file import find_source
from filmcan.media.stream_choice import find_video_stream

_MAX_FRAMES = 2_000
"""Frames decoded from a key frame on before the last one is taken instead."""


def take_snapshot(path: Path, limits: Limits, at_sec: float, max_width: int) -> bytes:
    """Return the frame shown at a moment as JPEG, upright.

    Args:
        path: The source.
        limits: Of the source.
        at_sec: Seconds after the first frame; past the end the last frame is taken.
        max_width: Wider frames are shrunk.

    Raises:
        BadMediaError: There is no picture, or none of it decodes.
    """
    source = find_source(path)
    with source.open_container(replace(limits)) as container:
        stream = find_video_stream(container)
        if stream is None:
            raise BadMediaError("it has no picture", code="no_video", where=source.name)
        codec = stream.codec_context
        codec.options = {"max_pixels": str(limits.max_pixels)}
        tick_sec = float(stream.time_base or 1)
        zero = stream.start_time or 0
        wanted = zero + round(max(0.0, at_sec) / tick_sec)
        found: VideoFrame | None = None
        try:
            if at_sec > 0:
                container.seek(wanted, stream=stream, backward=True)
            for number, frame in enumerate(container.decode(stream)):
                check_pixels(frame.width, frame.height, limits, source.name)
                if found is not None and (frame.pts or 0) > wanted:
                    break
                found = frame
                if number >= _MAX_FRAMES:
                    break
        except FFmpegError as error:
            if found is None:
                raise _undecodable(source.name) from error
    if found is None:
        raise _undecodable(source.name)
    orientation = build_orientation(find_display_matrix(found))
    converter = PictureConverter((found.width, found.height), orientation)
    return _encode(converter.convert(found, FrameView("rgb", max_width=max_width)))


def _encode(picture: np.ndarray) -> bytes:
    output = BytesIO()
    height, width = picture.shape[:2]
    with av.open(output, "w", format="image2pipe") as container:
        stream = container.add_stream("mjpeg", rate=1)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p"
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return output.getvalue()


def _undecodable(name: str) -> BadMediaError:
    return BadMediaError("no frame of it decodes", code="no_frame", where=name)
