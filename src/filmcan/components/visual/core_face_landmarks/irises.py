"""The ten iris points 468..477, from MediaPipe's iris network run on each eye.

Called by `face_finder.py`. Source: MediaPipe, `modules/iris_landmark/
iris_landmark_left_and_right_cpu.pbtxt`; the depth, which that network does not measure, is the mean
of the eye's contour as in `modules/face_landmark/tensors_to_face_landmarks_with_attention.pbtxt`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.core_face_landmarks.landmark_regions import surround_eye
from filmcan.components.visual.resampling import PictureInput, warp_region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.models.tflite_network import TfliteNetwork

FILE = "iris_landmark.tflite"

POINTS = 5
"""Of one iris: centre, right, top, left, bottom."""

_SIZE = 64


@dataclass(frozen=True, slots=True)
class _Eye:
    """One eye among the 468 points.

    Attributes:
        corners: Its left and its right corner in an upright picture.
        contour: Its outline.
        is_mirrored: True for the eye of which the network must see the mirror image.
    """

    corners: tuple[int, int]
    contour: list[int]
    is_mirrored: bool


_RIGHT = _Eye(
    corners=(33, 133),
    contour=[33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173],
    is_mirrored=False,
)
_LEFT = _Eye(
    corners=(362, 263),
    contour=[263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398],
    is_mirrored=True,
)

_MIRRORED_ORDER = [0, 3, 2, 1, 4]
"""A mirror swaps right and left."""


class IrisNetwork:
    """The iris network, ready to run; belongs to one thread."""

    def __init__(self, network: TfliteNetwork) -> None:
        """Take the network opened from `FILE`."""
        self._network = network
        self._input = PictureInput(_SIZE, divisor=255.0)

    def fit(self, picture: NDArray[np.uint8], points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return centre, right, top, left and bottom of both irises.

        Args:
            picture: uint8[h, w, 3], RGB.
            points: float64[468, 3], the face's landmarks in pixels.

        Returns:
            float64[10, 3], x y z in pixels: first the subject's right eye, then the left one.
        """
        found = np.empty((2 * POINTS, 3))
        self._fit_eye(picture, points, _RIGHT, found[:POINTS])
        self._fit_eye(picture, points, _LEFT, found[POINTS:])
        return found

    def _fit_eye(
        self,
        picture: NDArray[np.uint8],
        points: NDArray[np.float64],
        eye: _Eye,
        found: NDArray[np.float64],
    ) -> None:
        region = surround_eye(points[eye.corners[0]], points[eye.corners[1]])
        crop = warp_region(picture, region, _SIZE, repeat_edge=True)
        outputs = self._network.run(
            {"input_1": self._input.fill(crop[:, ::-1] if eye.is_mirrored else crop)}
        )
        raw = outputs["output_iris"].reshape(POINTS, 3)[:, :2].astype(np.float64) / _SIZE
        if eye.is_mirrored:
            raw[:, 0] = 1.0 - raw[:, 0]
            raw = raw[_MIRRORED_ORDER]
        found[:, :2] = region.project(raw)
        found[:, 2] = points[eye.contour, 2].mean()
