"""A few small depth maps for display, spread evenly over a video of unknown length.

Called by `component.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.core_depth_midas.map_statistics import LEAST_RANGE
from filmcan.components.visual.spread import EvenSpread

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DARK_PERCENT, _LIGHT_PERCENT = 2, 98
_FLAT = 0.5
_MAX_SIDE_PX = 1024


class Previews:
    """Scales and shrinks the depth maps that are shown."""

    def __init__(self, count: int, width: int, aspect: float) -> None:
        """Prepare for `count` maps of `width` columns, in the proportions of the frame.

        Args:
            count: How many.
            width: Columns of each.
            aspect: Height over width of the upright frame.
        """
        self._size = width, min(max(1, round(width * aspect)), _MAX_SIDE_PX)
        self._spread: EvenSpread[tuple[int, NDArray[np.float16]]] = EvenSpread(count)

    def offer(self, position: int, depth: NDArray[np.float32]) -> None:
        """Take the next map into account.

        Args:
            position: Its place among the samples, 0..N-1.
            depth: float32[h, w], relative inverse depth.
        """
        self._spread.offer(lambda: (position, self._shrink(depth)))

    def build(self) -> tuple[NDArray[np.int32], NDArray[np.float16]]:
        """Return the chosen positions, int32[K], increasing, and maps, float16[K, h, w], 0..1."""
        chosen = self._spread.choose()
        columns, rows = self._size
        maps = np.zeros((len(chosen), rows, columns), dtype=np.float16)
        for place, (_, small) in enumerate(chosen):
            maps[place] = small
        return np.array([position for position, _ in chosen], dtype=np.int32), maps

    def _shrink(self, depth: NDArray[np.float32]) -> NDArray[np.float16]:
        import cv2

        dark, light = np.percentile(depth, [_DARK_PERCENT, _LIGHT_PERCENT])
        if light - dark > LEAST_RANGE * abs(light):
            shown = np.clip((depth - dark) / (light - dark), 0.0, 1.0)
        else:
            shown = np.full(depth.shape, _FLAT)
        small = cv2.resize(shown.astype(np.float32), self._size, interpolation=cv2.INTER_AREA)
        return np.asarray(np.clip(small, 0.0, 1.0), dtype=np.float16)
