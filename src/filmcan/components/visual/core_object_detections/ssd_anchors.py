"""The default boxes of the SSD MobileNetV2 detector.

Called by `ssd.py`. Source: Liu et al., "SSD: Single Shot MultiBox Detector", ECCV 2016, section
2.2, with the numbers of MediaPipe's `modules/objectron/object_detection_oid_v4_cpu.pbtxt` and the
order of its `ssd_anchors_calculator.cc`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PICTURE_SIDE = 300
_STRIDES = (16, 32, 64, 128, 256, 512)
_LEAST_SCALE, _GREATEST_SCALE = 0.2, 0.95
_RATIOS = (1.0, 2.0, 0.5, 3.0, 0.3333)
_FIRST_SHAPES = ((0.1, 1.0), (_LEAST_SCALE, 2.0), (_LEAST_SCALE, 0.5))
"""(scale, ratio) of the finest layer, which has fewer boxes than the others."""


def build_anchors() -> NDArray[np.float64]:
    """Return the boxes of all six layers.

    Returns:
        float64[1917, 4], centre y x, height, width, fractions of the picture; cells row by row, x
        fastest, the boxes of one cell neighbours.
    """
    return np.concatenate(
        [
            _build_layer(math.ceil(_PICTURE_SIDE / stride), _choose_shapes(layer))
            for layer, stride in enumerate(_STRIDES)
        ]
    )


def _choose_shapes(layer: int) -> tuple[tuple[float, float], ...]:
    """Return scale and ratio (width over height) of each box of a cell."""
    if layer == 0:
        return _FIRST_SHAPES
    scale, coarser = _scale(layer), _scale(layer + 1)
    return (*((scale, ratio) for ratio in _RATIOS), (math.sqrt(scale * coarser), 1.0))


def _scale(layer: int) -> float:
    last = len(_STRIDES) - 1
    if layer > last:
        return 1.0
    return _LEAST_SCALE + (_GREATEST_SCALE - _LEAST_SCALE) * layer / last


def _build_layer(cells: int, shapes: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    along = (np.arange(cells) + 0.5) / cells
    x, y = np.meshgrid(along, along)
    centres = np.repeat(np.stack([y.ravel(), x.ravel()], axis=1), len(shapes), axis=0)
    sides = [(scale / math.sqrt(ratio), scale * math.sqrt(ratio)) for scale, ratio in shapes]
    return np.concatenate([centres, np.tile(sides, (cells * cells, 1))], axis=1)
