"""The motion of every pixel between two pictures, by dense inverse search (OpenCV's DIS).

Called by `component.py`; knows nothing of videos, times or the keys of an artifact.

Source: Kroeger, Timofte, Dai, Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016,
as implemented in OpenCV with its variational refinement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}

LEAST_SIDE_PX = 8
"""A picture with a shorter side has too few pixels for a displacement to mean anything."""

_LEAST_SEARCH_SIDE_PX = 32
"""Smaller pictures are enlarged to this before the search.

OpenCV 5.0 reads out of bounds (a crash, or NaN) when the shorter side allows fewer pyramid levels
than the longer one asks for; seen at 8x64, 12x256 and 24x256. From 32 up all presets were sound in
784 sizes from 32x32 to 640x640 and at 32x4000.
"""

_WINDOW = (15, 15)
_PLAIN_SLOPE = 4.0
_PLAIN_RATIO = 1.35

_UNMATCHED_LUMA = 0.03
_UNMATCHED_CONTRAST = 0.4
"""A pair is unmatched above both: mean luma error as a fraction of the range, and of the contrast.
Measured on 20 clips: ten hard cuts 0.15 to 0.34 and 0.7 to 1.9 times the contrast; all other pairs,
fast hand-held ones included, at most 0.035 and 0.24 times."""

_SOBEL_GAIN = 8.0
"""OpenCV's 3x3 Sobel weighs a slope eightfold."""


class DenseFlow:
    """Measures pairs of pictures; keeps OpenCV's work buffers, so one instance per thread."""

    def __init__(self, preset: str) -> None:
        """Choose between speed and accuracy by a name of `PRESETS`."""
        self._preset = PRESETS[preset]
        self._search: cv2.DISOpticalFlow | None = None
        self._shape: tuple[int, ...] = ()

    def measure(
        self, previous: NDArray[np.uint8], current: NDArray[np.uint8]
    ) -> NDArray[np.float32] | None:
        """Return where each pixel of `previous` went in `current`.

        Args:
            previous: uint8[h, w], luma.
            current: uint8[h, w], luma.

        Returns:
            float32[h, w, 2], pixels, x to the right then y down; None when the pictures are too
            small, differ in size, or the search gave no finite answer.
        """
        if previous.shape != current.shape or min(previous.shape) < LEAST_SIDE_PX:
            return None
        height, width = previous.shape
        factor = -(-_LEAST_SEARCH_SIDE_PX // min(height, width))
        if factor > 1:
            size = (width * factor, height * factor)
            previous = _enlarge(previous, size)
            current = _enlarge(current, size)
        # The stubs forget that OpenCV makes the flow when none is given (one given is a start).
        flow = self._search_for(previous.shape).calc(previous, current, None)  # type: ignore[call-overload]
        if not np.isfinite(flow).all():
            return None
        if factor > 1:
            flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) / factor
        return np.asarray(flow, dtype=np.float32)

    def _search_for(self, shape: tuple[int, ...]) -> cv2.DISOpticalFlow:
        # For small pictures OpenCV overwrites its own scales, so no object may see two sizes.
        if self._search is None or self._shape != shape:
            self._search = cv2.DISOpticalFlow.create(self._preset)
            self._shape = shape
        return self._search


def _enlarge(picture: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Explanation:
    """How well a flow field explains the second picture.

    Attributes:
        mismatch: Mean absolute luma difference between the first picture and the second fetched
            along the flow, as a fraction of the full luma range: 0..1.
        matched: False when the second picture is not the first one moved: a cut, a flash.
        plain: bool[h, w], true where the picture is so even that standing still explains it as
            well.
    """

    mismatch: float
    matched: bool
    plain: NDArray[np.bool_]


def explain(
    previous: NDArray[np.uint8], current: NDArray[np.uint8], flow: NDArray[np.float32]
) -> Explanation:
    """Judge a flow field by the pictures it was measured on.

    Even areas show no motion, and the search fills them with their neighbours': a square that moves
    before a plain wall would seem to take the wall along. Such places are found where, in a 15x15
    window, the mean squared luma slope is below 4 (steps per pixel, squared; an even surface with
    film grain of 3 steps has about 3) and standing still leaves at most 1.35 times the difference
    that following the flow leaves, which interpolation alone does to grain. Set on made pictures
    with grain of 0 to 3 steps; RubberWhale, where all moves, has no such place.
    """
    height, width = previous.shape
    columns = flow[..., 0] + np.arange(width, dtype=np.float32)
    rows = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    fetched = cv2.remap(current, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = cv2.absdiff(previous, fetched)
    mismatch = float(cv2.sumElems(moved)[0]) / (255.0 * height * width)
    contrast = float(np.abs(previous - previous.mean(dtype=np.float32)).mean()) / 255.0
    matched = mismatch <= max(_UNMATCHED_LUMA, _UNMATCHED_CONTRAST * contrast)
    slope_x, slope_y = cv2.spatialGradient(previous)
    energy = cv2.add(
        cv2.sqrBoxFilter(slope_x, cv2.CV_32F, _WINDOW),
        cv2.sqrBoxFilter(slope_y, cv2.CV_32F, _WINDOW),
    )
    at_rest = cv2.boxFilter(cv2.absdiff(previous, current), cv2.CV_32F, _WINDOW)
    along = cv2.boxFilter(moved, cv2.CV_32F, _WINDOW)
    even = energy < _PLAIN_SLOPE * _SOBEL_GAIN**2
    plain = even & (at_rest <= _PLAIN_RATIO * along)
    return Explanation(mismatch, matched, np.asarray(plain, dtype=np.bool_))
