"""A picture of any shape put into the square that YOLOX sees, and boxes brought back out of it.

Called by `yolox.py`. Source: YOLOX, `yolox/data/data_augment.py`, `preproc`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.resampling import resize_bilinear

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PAD = 114


def compute_ratio(picture_size: tuple[int, int], side: int) -> float:
    """Return by how much a picture of (width, height) is scaled to fit into the square."""
    width, height = picture_size
    return min(side / height, side / width)


def letterbox(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return the picture scaled into the TOP LEFT of a grey square.

    Args:
        picture: uint8[h, w, 3].
        side: Side of the square in pixels.

    Returns:
        uint8[side, side, 3]; the rest is 114.
    """
    height, width = picture.shape[:2]
    ratio = compute_ratio((width, height), side)
    # Truncated, not rounded, as in training; never nothing, however thin the picture is.
    columns, rows = max(1, int(width * ratio)), max(1, int(height * ratio))
    square = np.full((side, side, 3), _PAD, dtype=np.uint8)
    square[:rows, :columns] = resize_bilinear(picture, (columns, rows))
    return square
