"""A few small flow maps for display, spread evenly over a video of unknown length.

Called by `component.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SPARE = 4
"""At most this many times the wanted maps are held, so that memory does not grow with the video."""


class Previews:
    """Keeps every k-th map, doubling k whenever too many are held."""

    def __init__(self, count: int, width: int) -> None:
        """Prepare for `count` maps of at most `width` columns."""
        self._count = count
        self._width = width
        self._size: tuple[int, int] | None = None
        self._kept: list[tuple[int, int, NDArray[np.float16]]] = []
        self._stride = 1
        self._offered = 0

    def offer(self, position: int, velocity: NDArray[np.float32]) -> None:
        """Take the next map into account.

        Args:
            position: Its place among the samples, 0..N-1.
            velocity: float32[h, w, 2], fractions of the frame width per second.
        """
        rank = self._offered
        self._offered += 1
        if self._count == 0 or rank % self._stride:
            return
        if self._size is None:
            height, width = velocity.shape[:2]
            columns = min(self._width, width)
            self._size = columns, max(1, round(height * columns / width))
        small = cv2.resize(velocity, self._size, interpolation=cv2.INTER_AREA)
        self._kept.append((rank, position, small.astype(np.float16)))
        if len(self._kept) > _SPARE * self._count:
            self._kept = self._kept[::2]
            self._stride *= 2

    def build(self) -> tuple[NDArray[np.int32], NDArray[np.float16]]:
        """Return the chosen positions and maps.

        Returns:
            int32[K], increasing, and float16[K, h, w, 2], fractions of the frame width per second.
            K is the wanted count, or fewer when fewer were offered.
        """
        chosen = self._choose()
        columns, rows = self._size or (0, 0)
        maps = np.zeros((len(chosen), rows, columns, 2), dtype=np.float16)
        for place, index in enumerate(chosen):
            maps[place] = self._kept[index][2]
        positions = np.array([self._kept[index][1] for index in chosen], dtype=np.int32)
        return positions, maps

    def _choose(self) -> list[int]:
        """Pick the kept maps nearest to evenly spaced ranks, first and last included."""
        count = min(self._count, len(self._kept))
        if count == 0:
            return []
        ranks = np.array([rank for rank, _, _ in self._kept])
        wanted = np.linspace(0, self._offered - 1, count)
        nearest = np.abs(ranks[:, None] - wanted[None, :]).argmin(axis=0)
        return [int(index) for index in np.unique(nearest)]
