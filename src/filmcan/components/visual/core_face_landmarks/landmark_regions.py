"""Which part of a picture the landmark networks look at: around a face, around an eye.

Called by `face_mesh.py`, `irises.py` and `face_finder.py`. Source: MediaPipe, `modules/
face_landmark/face_detection_front_detection_to_roi.pbtxt`, `face_landmark_landmarks_to_roi.pbtxt`,
`modules/iris_landmark/iris_landmark_landmarks_to_roi.pbtxt`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from filmcan.components.visual.core_face_landmarks.detector import (
    LEFT_EYE,
    RIGHT_EYE,
    FaceDetection,
)
from filmcan.components.visual.resampling import Region

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FACE_MARGIN = 1.5
_EYE_MARGIN = 2.3
_RIGHT_EYE_CORNER = 33
_LEFT_EYE_CORNER = 263
"""Outer corners of the subject's eyes among the 468 points."""


def surround_detection(detection: FaceDetection) -> Region:
    """Return the square in which to look for the landmarks of a detected face."""
    x1, y1, x2, y2 = detection.box.tolist()
    rotation_rad = _turn(detection.key_points[RIGHT_EYE], detection.key_points[LEFT_EYE])
    return _square((x1 + x2) / 2, (y1 + y2) / 2, max(x2 - x1, y2 - y1), rotation_rad)


def surround_landmarks(points: NDArray[np.float64]) -> Region:
    """Return the square in which to look for a face again, from where it was seen last.

    Args:
        points: float64[468, 3], x y z in pixels.
    """
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    center_x, center_y = ((low + high) / 2).tolist()
    rotation_rad = _turn(points[_RIGHT_EYE_CORNER], points[_LEFT_EYE_CORNER])
    return _square(center_x, center_y, float((high - low).max()), rotation_rad)


def surround_eye(first: NDArray[np.float64], second: NDArray[np.float64]) -> Region:
    """Return the square in which to look for an iris.

    Args:
        first: float64[2 or 3], the eye's corner that is left in an upright picture, in pixels.
        second: Likewise its right corner.
    """
    (x1, y1), (x2, y2) = first[:2].tolist(), second[:2].tolist()
    side = _EYE_MARGIN * max(abs(x2 - x1), abs(y2 - y1))
    return Region((x1 + x2) / 2, (y1 + y2) / 2, side, side, _turn(first, second))


def _square(center_x: float, center_y: float, size: float, rotation_rad: float) -> Region:
    side = _FACE_MARGIN * size
    return Region(center_x, center_y, side, side, rotation_rad)


def _turn(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Return the rotation of the line from one point to the other, -pi up to pi, 0 for level."""
    across, down = float(right[0] - left[0]), float(right[1] - left[1])
    angle = -math.atan2(-down, across)
    return angle - 2 * math.pi * math.floor((angle + math.pi) / (2 * math.pi))
