"""A few small flow maps for display, spread evenly over a video of unknown length.

Called by `component.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from filmcan.components.visual.spread import EvenSpread

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Previews:
    """Shrinks the flow maps that are shown."""

    def __init__(self, count: int, width: int) -> None:
        """Prepare for `count` maps of at most `width` columns."""
        self._width = width
        self._size: tuple[int, int] | None = None
        self._spread: EvenSpread[tuple[int, NDArray[np.float16]]] = EvenSpread(count)

    def offer(self, position: int, velocity: NDArray[np.float32]) -> None:
        """Take the next map into account.

        Args:
            position: Its place among the samples, 0..N-1.
            velocity: float32[h, w, 2], fractions of the frame width per second.
        """
        self._spread.offer(lambda: (position, self._shrink(velocity)))

    def build(self) -> tuple[NDArray[np.int32], NDArray[np.float16]]:
        """Return the chosen positions and maps.

        Returns:
            int32[K], increasing, and float16[K, h, w, 2], fractions of the frame width per second.
            K is the wanted count, or fewer when fewer were offered.
        """
        chosen = self._spread.choose()
        columns, rows = self._size or (0, 0)
        maps = np.zeros((len(chosen), rows, columns, 2), dtype=np.float16)
        for place, (_, small) in enumerate(chosen):
            maps[place] = small
        positions = np.array([position for position, _ in chosen], dtype=np.int32)
        return positions, maps

    def _shrink(self, velocity: NDArray[np.float32]) -> NDArray[np.float16]:
        """Return the map at the size that the first one settles."""
        if self._size is None:
            height, width = velocity.shape[:2]
            columns = min(self._width, width)
            self._size = columns, max(1, round(height * columns / width))
        small = cv2.resize(velocity, self._size, interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.float16)
