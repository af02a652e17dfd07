"""Objects of one picture by YOLOX: what its exports expect and how their rows are read.

Called by `models.py`. Source: YOLOX 0.1.1rc0, `yolox/data/data_augment.py` and
`demo/ONNXRuntime/onnx_inference.py`. Other than that demo we let only boxes of one class exclude
each other, measure areas plainly, and keep scores from 0.3 up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.network_form import FLOATS, get_tensor
from filmcan.components.visual.core_object_detections import coco
from filmcan.components.visual.core_object_detections.detection import Objects, choose_objects
from filmcan.components.visual.core_object_detections.letterbox import compute_ratio, letterbox
from filmcan.errors import AssetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.models.onnx_network import OnnxNetwork

LABEL_SET = "COCO"

_STRIDES = (8, 16, 32)
_BOX_COLUMNS = 5
"""x, y, width, height, then whether there is any object."""

_LEAST_LOG_SIDE = -20.0
_GREATEST_LOG_SIDE = 10.0
"""exp(10) cells are wider than any picture: a raw side beyond it is no logarithm."""


class YoloxDetector:
    """A YOLOX network with 80 classes, ready to run."""

    def __init__(
        self, network: OnnxNetwork, *, min_score: float, nms_iou: float, max_objects: int
    ) -> None:
        """Take an open network.

        Raises:
            AssetError: The network has not the inputs and outputs of a YOLOX export.
        """
        self.labels = coco.LABELS
        self.label_set = LABEL_SET
        self.min_score = min_score
        self.nms_iou = nms_iou
        self.nms_scope = "class"
        self.used = network.used
        self.notes = network.notes
        self._network = network
        self._max_objects = max_objects
        where = network.used.model_name
        picture = get_tensor(network.inputs, "images", (1, 3, None, None), FLOATS, where)
        self._side = _find_side(picture.shape, where)
        self._planes = np.empty((1, 3, self._side, self._side), dtype=np.float32)
        self._grid, self._stride = build_grid(self._side)
        columns = _BOX_COLUMNS + len(coco.LABELS)
        get_tensor(network.outputs, "output", (1, len(self._grid), columns), FLOATS, where)

    def detect(self, picture: NDArray[np.uint8]) -> Objects:
        """Return the objects of a picture uint8[h, w, 3] in RGB.

        Raises:
            AssetError: The network decodes its boxes itself.
        """
        height, width = picture.shape[:2]
        square = letterbox(picture, self._side)
        np.copyto(self._planes[0], square[:, :, ::-1].transpose(2, 0, 1))  # BGR, 0..255
        rows = self._network.run({"images": self._planes}, ["output"])["output"][0]
        boxes, scores, class_ids = self._decode(rows)
        boxes = boxes / compute_ratio((width, height), self._side) / (width, height, width, height)
        return choose_objects(
            Objects(boxes, scores, class_ids),
            scope=self.nms_scope,
            max_overlap=self.nms_iou,
            max_objects=self._max_objects,
        )

    def _decode(
        self, rows: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
        """Return boxes in pixels of the square, scores and classes of the rows that count."""
        scores, class_ids = score_rows(rows)
        chosen = scores >= self.min_score
        raw = rows[chosen, :4].astype(np.float64)
        if raw.size and raw[:, 2:].max() > _GREATEST_LOG_SIDE:
            raise AssetError(
                f"expected logarithms of width and height, got {raw[:, 2:].max():.1f}: "
                "this export decodes its boxes itself",
                code="network_form",
                where=self.used.model_name,
                hint="Take an export made without --decode_in_inference.",
            )
        boxes = decode_boxes(raw, self._grid[chosen], self._stride[chosen])
        return boxes, scores[chosen], class_ids[chosen]


def build_grid(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the cell and the stride of each row of the output.

    Args:
        side: Side of the network's square in pixels, a multiple of 32.

    Returns:
        float64[rows, 2], x y of the cell, row by row, x fastest, fine level first; and
        float64[rows, 1], pixels per cell.
    """
    cells, strides = [], []
    for stride in _STRIDES:
        count = side // stride
        x, y = np.meshgrid(np.arange(count), np.arange(count))
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((count * count, 1), stride))
    return np.concatenate(cells).astype(np.float64), np.concatenate(strides).astype(np.float64)


def score_rows(rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the score of each row's best class, float64[rows], and that class, int64[rows].

    Args:
        rows: float32[rows, 85]; objectness and classes are probabilities already.
    """
    class_ids = rows[:, _BOX_COLUMNS:].argmax(axis=1)
    best = np.take_along_axis(rows[:, _BOX_COLUMNS:], class_ids[:, None], axis=1)[:, 0]
    scores = rows[:, _BOX_COLUMNS - 1].astype(np.float64) * best.astype(np.float64)
    return np.clip(scores, 0.0, 1.0), class_ids


def decode_boxes(
    raw: NDArray[np.float64], grid: NDArray[np.float64], stride: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return corners x1 y1 x2 y2 in pixels of the square.

    Args:
        raw: float64[K, 4], centre within its cell, logarithm of the sides, all in cells.
        grid: float64[K, 2], as `build_grid` gives it.
        stride: float64[K, 1].
    """
    centres = (raw[:, :2] + grid) * stride
    halves = np.exp(np.clip(raw[:, 2:], _LEAST_LOG_SIDE, _GREATEST_LOG_SIDE)) * stride / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)


def _find_side(shape: tuple[int | None, ...], where: str) -> int:
    height, width = shape[2:]
    if height is None or height != width or height % _STRIDES[-1]:
        raise AssetError(
            f"expected a square input of a fixed size, a multiple of 32, got {height}x{width}",
            code="network_form",
            where=where,
            hint="Export with a fixed test size, for example 416x416.",
        )
    return height
