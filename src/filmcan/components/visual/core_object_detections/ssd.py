"""Objects of one picture by SSD MobileNetV2 over 23 classes of Open Images V4.

Called by `models.py`. Source: MediaPipe, `modules/objectron/object_detection_oid_v4_cpu.pbtxt`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.core_object_detections.detection import Objects, choose_objects
from filmcan.components.visual.core_object_detections.ssd_anchors import build_anchors
from filmcan.components.visual.resampling import PictureInput, cover_picture, warp_region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from filmcan.models.tflite_network import TfliteNetwork

LABEL_SET = "Open Images V4"

_SIDE = 300
_PICTURE = "normalized_input_image_tensor"
_BOXES = "raw_outputs/box_encodings"
_LOGITS = "raw_outputs/class_predictions"
_CENTRE_SCALE, _SIDE_SCALE = 10.0, 5.0
_GREATEST_LOGIT = 80.0
_GREATEST_LOG_SIDE = 10.0


class SsdDetector:
    """The SSD network, ready to run; belongs to one thread."""

    def __init__(
        self,
        network: TfliteNetwork,
        labels: Sequence[str],
        *,
        min_score: float,
        nms_iou: float,
        max_objects: int,
    ) -> None:
        """Take the open network and the names of its classes, the background first."""
        self.labels = tuple(labels[1:])
        self.label_set = LABEL_SET
        self.min_score = min_score
        self.nms_iou = nms_iou
        self.nms_scope = "all"
        self.used = network.used
        self.notes = network.notes
        self._network = network
        self._max_objects = max_objects
        self._input = PictureInput(_SIDE, divisor=127.5, offset=-1.0)
        self._anchors = build_anchors()

    def detect(self, picture: NDArray[np.uint8]) -> Objects:
        """Return the objects of a picture uint8[h, w, 3] in RGB."""
        # Squashed to a square: this network was trained without a letterbox.
        small = warp_region(picture, cover_picture(picture), _SIDE, repeat_edge=True)
        outputs = self._network.run({_PICTURE: self._input.fill(small)})
        logits = outputs[_LOGITS][0, :, 1:]
        class_ids = logits.argmax(axis=1)
        highest = np.take_along_axis(logits, class_ids[:, None], axis=1)[:, 0].astype(np.float64)
        best = 1.0 / (1.0 + np.exp(-np.clip(highest, -_GREATEST_LOGIT, _GREATEST_LOGIT)))
        chosen = best >= self.min_score
        raw = outputs[_BOXES][0, chosen].astype(np.float64)
        boxes = decode_boxes(raw, self._anchors[chosen])
        return choose_objects(
            Objects(boxes, best[chosen], class_ids[chosen]),
            scope=self.nms_scope,
            max_overlap=self.nms_iou,
            max_objects=self._max_objects,
        )


def decode_boxes(raw: NDArray[np.float64], anchors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return corners x1 y1 x2 y2 in fractions of the picture.

    Args:
        raw: float64[K, 4], the network's y x height width, relative to the anchors.
        anchors: float64[K, 4], as `build_anchors` gives them.
    """
    sides = anchors[:, 2:]
    centres = raw[:, :2] / _CENTRE_SCALE * sides + anchors[:, :2]
    halves = np.exp(np.minimum(raw[:, 2:] / _SIDE_SCALE, _GREATEST_LOG_SIDE)) * sides / 2
    corners = np.concatenate([centres - halves, centres + halves], axis=1)
    return corners[:, [1, 0, 3, 2]]
