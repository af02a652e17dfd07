"""Where the face detectors' rows look: the centres of their grids.

Called by `detector.py`. The networks' anchors are centres only, all of width and height 1.
Source: MediaPipe, `modules/face_detection/face_detection_short_range.pbtxt` and
`face_detection_full_range.pbtxt`, with `ssd_anchors_calculator.cc`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def build_anchors(grids: Sequence[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the centre of each row of a detector's output.

    Args:
        grids: (cells per side, rows per cell), in the order of the rows. Cells go row by row, x
            fastest; the rows of one cell are neighbours.

    Returns:
        float64[rows, 2], x y in fractions of the network's picture.
    """
    return np.concatenate([_build_grid(side, copies) for side, copies in grids])


def _build_grid(side: int, copies: int) -> NDArray[np.float64]:
    along = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(along, along)
    return np.repeat(np.stack([x.ravel(), y.ravel()], axis=1), copies, axis=0)
