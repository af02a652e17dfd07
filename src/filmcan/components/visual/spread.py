"""A few of many things, spread evenly, without knowing beforehand how many will come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

_SPARE = 4
"""At most this many times the wanted things are held: memory does not grow with the video."""

T = TypeVar("T")


class EvenSpread(Generic[T]):
    """Keeps every k-th thing, doubling k whenever too many are held."""

    def __init__(self, count: int) -> None:
        """Prepare to choose `count` things."""
        self._count = count
        self._kept: list[tuple[int, T]] = []
        self._stride = 1
        self._offered = 0

    def offer(self, make: Callable[[], T]) -> None:
        """Take the next thing into account; it is made only when it is kept."""
        rank = self._offered
        self._offered += 1
        if self._count == 0 or rank % self._stride:
            return
        self._kept.append((rank, make()))
        if len(self._kept) > _SPARE * self._count:
            self._kept = self._kept[::2]
            self._stride *= 2

    def choose(self) -> list[T]:
        """Return the kept things nearest to evenly spaced ranks, first and last included.

        As many as wanted, or fewer when fewer were offered.
        """
        count = min(self._count, len(self._kept))
        if count == 0:
            return []
        ranks = np.array([rank for rank, _ in self._kept])
        wanted = np.linspace(0, self._offered - 1, count)
        nearest = np.abs(ranks[:, None] - wanted[None, :]).argmin(axis=0)
        return [self._kept[index][1] for index in np.unique(nearest)]
