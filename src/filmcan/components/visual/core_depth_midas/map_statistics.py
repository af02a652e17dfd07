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

LEAST_RANGE = 1e-4
"""A range p05..p95 below this share of p95 is none. Rounding alone leaves a few 1e-7 on a flat
picture (measured on a network of one layer), and dividing by it would make nonsense of it."""

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
        return self.depth_std / _find_range(self.depth_p05, self.depth_p95)


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
    p05, p95 = np.percentile(values, [_FAR_PERCENT, _NEAR_PERCENT]).tolist()
    spread = _find_range(p05, p95)
    height, width = values.shape
    down, across = np.gradient(values)
    slopes = np.hypot(across * width, down * (height / aspect))
    near = float((values > (p05 + p95) / 2).mean())
    return MapStatistics(
        depth_mean=float(values.mean()),
        depth_std=float(values.std()),
        depth_p05=p05,
        depth_p95=p95,
        depth_gradient_mean=float(slopes.mean()) / spread,
        foreground_fraction=math.nan if math.isnan(spread) else near,
    )


def _find_range(p05: float, p95: float) -> float:
    """Return the distance of the two ends, NaN when it is no more than rounding."""
    return p95 - p05 if p95 - p05 > LEAST_RANGE * abs(p95) else math.nan
