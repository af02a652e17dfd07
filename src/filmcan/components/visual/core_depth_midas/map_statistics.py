"""What one depth map comes to, in a few numbers.

Called by `component.py`. Scale and shift of a map are unknown: the last two numbers depend on
neither and compare between frames, the others do not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FAR_PERCENT, _NEAR_PERCENT = 5, 95


@dataclass(frozen=True, slots=True)
class MapStatistics:
    """The keys of one frame; names and units as in the schema."""

    depth_mean: float
    depth_std: float
    depth_p05: float
    depth_p95: float
    depth_gradient_mean: float
    foreground_fraction: float

    @property
    def relative_std(self) -> float:
        """`depth_std` in units of the range; NaN for a map without any."""
        spread = self.depth_p95 - self.depth_p05
        return self.depth_std / spread if spread > 0.0 else math.nan


def measure_map(depth: NDArray[np.float32], aspect: float) -> MapStatistics:
    """Return the statistics of a map.

    Args:
        depth: float32[h, w], relative inverse depth.
        aspect: Height over width of the upright frame that was squashed to the map.

    Returns:
        `depth_gradient_mean` is the mean length of the gradient (central differences, one-sided
        at the edges) of the map with its range p05..p95 scaled to 0..1, per frame width, in the
        frame's own proportions. `foreground_fraction` is the share of pixels above the middle of
        that range. Both are NaN for a map without any range.
    """
    values = depth.astype(np.float64)
    p05, p95 = np.percentile(values, [_FAR_PERCENT, _NEAR_PERCENT])
    gradient = share = math.nan
    if p95 > p05:
        height, width = values.shape
        down, across = np.gradient(values)
        slopes = np.hypot(across * width, down * (height / aspect))
        gradient = float(slopes.mean() / (p95 - p05))
        share = float((values > (p05 + p95) / 2).mean())
    return MapStatistics(
        depth_mean=float(values.mean()),
        depth_std=float(values.std()),
        depth_p05=float(p05),
        depth_p95=float(p95),
        depth_gradient_mean=gradient,
        foreground_fraction=share,
    )
