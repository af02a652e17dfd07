"""Which matrix and range turn a stored picture into RGB: the rules of the design, section 2.

The stream's own matrix and range; where the matrix is not stated, BT.709 from 720 lines up, else
BT.601; where the range is not stated, what the pixel format means by itself. Transfer curves are
not touched: a picture in PQ or HLG stays so.
"""

from __future__ import annotations

HD_LINES = 720

_MATRIX_NAMES = {
    0: "rgb", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco",
    9: "bt2020nc", 10: "bt2020c", 11: "smpte2085", 12: "chroma_derived_nc",
    13: "chroma_derived_c", 14: "ictcp",
}  # fmt: skip
_RANGE_NAMES = {1: "limited", 2: "full"}

BT709 = 1
BT601 = 5
LIMITED = 1
FULL = 2

_SWSCALE_MATRICES = {1: BT709, 4: 4, 5: BT601, 6: BT601, 7: 7, 9: 9, 10: 9}
"""AVCOL_SPC_* -> SWS_CS_*: the matrices that libswscale knows. BT.2020 of constant luminance is
read with the matrix of the other BT.2020, as FFmpeg does."""


def name_matrix(colour_space: int) -> str:
    """Return FFmpeg's name of a matrix (AVCOL_SPC_*), `unspecified` when it is not stated."""
    return _MATRIX_NAMES.get(colour_space, "unspecified")


def name_range(colour_range: int) -> str:
    """Return `limited`, `full` or `unspecified` for an AVCOL_RANGE_*."""
    return _RANGE_NAMES.get(colour_range, "unspecified")


def choose_matrix(colour_space: int, lines: int) -> int:
    """Return libswscale's number of the matrix to read a frame with.

    Args:
        colour_space: The frame's AVCOL_SPC_*.
        lines: Its height as stored, before any rotation.
    """
    return _SWSCALE_MATRICES.get(colour_space, BT709 if lines >= HD_LINES else BT601)


def choose_range(colour_range: int, pixel_format: str, *, has_chroma: bool) -> int:
    """Return LIMITED or FULL for a frame.

    Args:
        colour_range: The frame's AVCOL_RANGE_*.
        pixel_format: FFmpeg's name of its pixel format.
        has_chroma: True for luma and chroma, False for RGB and for gray, whose values fill
            their range unless the frame says otherwise.
    """
    if colour_range in (LIMITED, FULL):
        return colour_range
    return LIMITED if has_chroma and not pixel_format.startswith("yuvj") else FULL
