"""Faces of one picture: boxes, six key points and a score each, from MediaPipe's detectors.

Called by `face_finder.py`; knows nothing of landmarks or of the frames before.
Source: MediaPipe, `modules/face_detection/*.pbtxt` and `tensors_to_detections_calculator.cc`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.core_face_landmarks.anchors import build_anchors
from filmcan.components.visual.core_face_landmarks.weighted_nms import merge_overlapping
from filmcan.components.visual.resampling import PictureInput, Region, frame_square, warp_region

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from filmcan.models.tflite_network import TfliteNetwork

RIGHT_EYE = 0
LEFT_EYE = 1
"""Key points; right and left are the subject's own. The others are nose tip, mouth, right ear and
left ear."""

SAME_FACE_OVERLAP = 0.3
"""Boxes that overlap by more (intersection over union) are taken for one face."""

_KEY_POINTS = 6
_GREATEST_LOGIT = 80.0
"""Beyond it float32 overflows in exp; real pictures reach it."""


@dataclass(frozen=True, slots=True)
class DetectorForm:
    """What tells one of the detectors from the other.

    Attributes:
        file: Its file in the asset.
        size: Side of its picture in pixels.
        grids: As for `build_anchors`.
        picture, places, logits: Names of its tensors.
    """

    file: str
    size: int
    grids: tuple[tuple[int, int], ...]
    picture: str
    places: str
    logits: str


FORMS: Mapping[str, DetectorForm] = {
    "full_range": DetectorForm(
        "face_detection_full_range_sparse.tflite",
        192,
        ((48, 1),),
        "input_1",
        "Identity",
        "Identity_1",
    ),
    "short_range": DetectorForm(
        "face_detection_short_range.tflite",
        128,
        ((16, 2), (8, 6)),
        "input",
        "regressors",
        "classificators",
    ),
}
"""By their name in the profile. The short range loses faces below about a tenth of the longer side
of the frame, which wide film frames are full of."""


@dataclass(frozen=True, slots=True)
class FaceDetection:
    """One face.

    Attributes:
        box: float64[4], corners x1 y1 x2 y2 in pixels; may reach beyond the picture.
        key_points: float64[6, 2], x y in pixels.
        score: 0..1.
    """

    box: NDArray[np.float64]
    key_points: NDArray[np.float64]
    score: float


class FaceDetector:
    """One of the two detectors, ready to run; belongs to one thread."""

    def __init__(self, network: TfliteNetwork, form: DetectorForm, min_score: float) -> None:
        """Take the open network.

        Args:
            network: Opened from `form.file`.
            form: Which detector it is.
            min_score: Detections below this score are dropped, 0..1.
        """
        self._network = network
        self._form = form
        self._min_score = min_score
        self._input = PictureInput(form.size, divisor=127.5, offset=-1.0)
        self._anchors = build_anchors(form.grids)

    def detect(self, picture: NDArray[np.uint8]) -> list[FaceDetection]:
        """Return the faces of a picture uint8[h, w, 3] in RGB, best first."""
        form = self._form
        region = frame_square(picture)
        small = warp_region(picture, region, form.size, repeat_edge=False)
        outputs = self._network.run({form.picture: self._input.fill(small)})
        places, scores = decode_detections(
            outputs[form.places][0],
            outputs[form.logits][0, :, 0],
            self._anchors,
            size=form.size,
            min_score=self._min_score,
        )
        places, scores = merge_overlapping(places, scores, SAME_FACE_OVERLAP)
        return [
            _place(row, score, region) for row, score in zip(places, scores.tolist(), strict=True)
        ]


def decode_detections(
    raw: NDArray[np.float32],
    logits: NDArray[np.float32],
    anchors: NDArray[np.float64],
    *,
    size: int,
    min_score: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the detections above the threshold, not yet merged.

    Args:
        raw: float32[rows, 16], offsets of centre x y, width and height, then x y of six key points,
            in pixels of the network's picture, relative to the anchor.
        logits: float32[rows].
        anchors: float64[rows, 2].
        size: Side of the network's picture.
        min_score: Least score kept.

    Returns:
        float64[K, 16], corners x1 y1 x2 y2 and x y of the key points in fractions of the network's
        picture, and their scores float64[K]. Boxes of negative width or height are dropped.
    """
    # Most rows see nothing: only those that may count are looked at more closely.
    likely = np.flatnonzero(logits >= _invert_sigmoid(min_score))
    likely = likely[(raw[likely, 2:4] >= 0.0).all(axis=1)]
    clipped = np.clip(logits[likely].astype(np.float64), -_GREATEST_LOGIT, _GREATEST_LOGIT)
    scores = 1.0 / (1.0 + np.exp(-clipped))
    offsets = raw[likely].astype(np.float64) / size
    centres = anchors[likely]
    middle, half = offsets[:, :2] + centres, offsets[:, 2:4] / 2
    points = offsets[:, 4:].reshape(-1, _KEY_POINTS, 2) + centres[:, None, :]
    places = np.concatenate(
        [middle - half, middle + half, points.reshape(-1, 2 * _KEY_POINTS)], axis=1
    )
    return places, scores


def _invert_sigmoid(score: float) -> float:
    return math.log(score / (1.0 - score)) if score < 1.0 else _GREATEST_LOGIT


def _place(row: NDArray[np.float64], score: float, region: Region) -> FaceDetection:
    points = region.project(row.reshape(-1, 2))
    return FaceDetection(points[:2].ravel(), points[2:], score)
