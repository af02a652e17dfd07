"""Turn a decoded picture upright, exactly as FFmpeg's autorotate does.

The display matrix comes from the container, from a JPEG's EXIF or from the coded video; FFmpeg
attaches it to each decoded frame whatever its origin.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from av.error import FFmpegError
from av.filter import Graph
from av.sidedata.sidedata import SideData

if TYPE_CHECKING:
    from av import VideoFrame

_MATRIX = struct.Struct("=9i")
_FIXED_POINT = 65536.0
_SIDE_DATA_KINDS = 64
"""FFmpeg 8 numbers its kinds of side data 0 to 31; the rest is room for later ones."""

_DISPLAY_MATRIX_KIND = 6
"""AV_FRAME_DATA_DISPLAYMATRIX."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """What makes a stored picture upright: transpose it, then mirror it, then turn it over.

    Attributes:
        transposed: Rows become columns.
        mirrored: Then left and right are exchanged.
        flipped: Then top and bottom are exchanged.
        rotation_deg: The clockwise turn that the matrix asks for, one of 0, 90, 180, 270.
        skipped_deg: A turn that is no multiple of 90 degrees and is therefore not applied, None
            when there is none. FFmpeg would fill the corners with black.
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False
    rotation_deg: int = 0
    skipped_deg: float | None = None

    def turn_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (width, height) after the turn, or before it: the same exchange."""
        return (size[1], size[0]) if self.transposed else size

    def turn(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture upright, contiguous.

        Args:
            picture: uint8[h, w] or uint8[h, w, 3] as stored.
        """
        if self.transposed:
            picture = picture.swapaxes(0, 1)
        if self.mirrored:
            picture = picture[:, ::-1]
        if self.flipped:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


def build_orientation(matrix: Sequence[int] | None) -> Orientation:
    """Return what a display matrix asks for.

    Args:
        matrix: The nine numbers of FFmpeg's display matrix, None when there is none.

    Source:
        FFmpeg, fftools/cmdutils.c `get_rotation`, fftools/ffmpeg_filter.c
        `configure_input_video_filter`, libavutil/display.c `av_display_rotation_get`. Different
        here: a turn that is no multiple of 90 degrees is not applied.
    """
    if matrix is None:
        return Orientation()
    angle = _find_clockwise_angle(matrix)
    if angle is None:
        return Orientation()
    if abs(angle - 90) < 1:
        if matrix[3] > 0:
            return Orientation(transposed=True, rotation_deg=90)
        return Orientation(transposed=True, mirrored=True, rotation_deg=90)
    if abs(angle - 180) < 1:
        return Orientation(mirrored=matrix[0] < 0, flipped=matrix[4] < 0, rotation_deg=180)
    if abs(angle - 270) < 1:
        if matrix[3] < 0:
            return Orientation(transposed=True, mirrored=True, flipped=True, rotation_deg=270)
        return Orientation(transposed=True, flipped=True, rotation_deg=270)
    if abs(angle) > 1:
        return Orientation(skipped_deg=angle)
    return Orientation(flipped=matrix[4] < 0)


def find_display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    """Return the nine numbers of a frame's display matrix, None when it has none.

    PyAV's `frame.side_data` must not be read directly: on side data that carries a text of its
    own (a PNG's named colour profile) it frees memory twice, and on kinds newer than itself it
    raises. So all other kinds are removed first, by FFmpeg's own filter.
    """
    try:
        matrix = _strip_side_data(frame).side_data.get("DISPLAYMATRIX")
    except FFmpegError:
        return None
    if not isinstance(matrix, SideData) or matrix.buffer_size < _MATRIX.size:
        return None
    return _MATRIX.unpack_from(bytes(matrix))


def _strip_side_data(frame: VideoFrame) -> VideoFrame:
    graph = Graph()
    last = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
    )
    for kind in range(_SIDE_DATA_KINDS):
        if kind != _DISPLAY_MATRIX_KIND:
            step = graph.add("sidedata", f"mode=delete:type={kind}")
            last.link_to(step)
            last = step
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    graph.vpush(frame)
    return graph.vpull()


def _find_clockwise_angle(matrix: Sequence[int]) -> float | None:
    """Return the clockwise turn in degrees, from 0 below 360; None for a degenerate matrix."""
    a, b, c, d = (matrix[place] / _FIXED_POINT for place in (0, 1, 3, 4))
    across, down = math.hypot(a, c), math.hypot(b, d)
    if across == 0 or down == 0:
        return None
    angle = float(round(math.degrees(math.atan2(b / down, a / across))))
    return angle - 360 * math.floor(angle / 360 + 0.9 / 360)
