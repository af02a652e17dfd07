"""468 landmarks of one face, and how sure it is that there is one, from MediaPipe's face mesh.

Called by `face_finder.py`. Source: MediaPipe, `modules/face_landmark/face_landmark_cpu.pbtxt`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.resampling import PictureInput, Region, warp_region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.models.tflite_network import TfliteNetwork

FILE = "face_landmark.tflite"
POINTS = 468

_SIZE = 192
_GREATEST_LOGIT = 80.0


class FaceMesh:
    """The landmark network, ready to run; belongs to one thread."""

    def __init__(self, network: TfliteNetwork) -> None:
        """Take the network opened from `FILE`."""
        self._network = network
        self._input = PictureInput(_SIZE, divisor=255.0)

    def fit(self, picture: NDArray[np.uint8], region: Region) -> tuple[NDArray[np.float64], float]:
        """Return the landmarks of the face in a region, be there one or not.

        Args:
            picture: uint8[h, w, 3], RGB.
            region: A square around the face, turned so that the eyes are level in it.

        Returns:
            float64[468, 3], x y z in pixels (smaller z is nearer, 0 near the middle of the head),
            and the probability that the region shows a face, 0..1. It does not judge how well the
            points lie.
        """
        crop = warp_region(picture, region, _SIZE, repeat_edge=True)
        outputs = self._network.run({"input_1": self._input.fill(crop)})
        raw = outputs["conv2d_21"].reshape(POINTS, 3).astype(np.float64) / _SIZE
        points = np.empty_like(raw)
        points[:, :2] = region.project(raw[:, :2])
        points[:, 2] = raw[:, 2] * region.width
        logit = float(np.clip(outputs["conv2d_31"].item(), -_GREATEST_LOGIT, _GREATEST_LOGIT))
        return points, 1.0 / (1.0 + math.exp(-logit))
