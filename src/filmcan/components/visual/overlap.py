"""How far boxes overlap. Boxes are corners x1 y1 x2 y2 in any one unit; areas are plain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def compute_areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the area of each box, 0 for one whose corners are crossed.

    Args:
        boxes: float64[..., 4].

    Returns:
        float64[...], the boxes' unit squared.
    """
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def compute_overlaps(box: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intersection over union of one box with each of the others.

    Args:
        box: float64[4].
        boxes: float64[K, 4].

    Returns:
        float64[K], 0..1; 0 where both areas are 0.
    """
    shared = np.concatenate(
        [np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])], axis=1
    )
    common = compute_areas(shared)
    union = compute_areas(box) + compute_areas(boxes) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0.0)
