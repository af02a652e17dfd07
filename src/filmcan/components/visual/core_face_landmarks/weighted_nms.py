"""Many overlapping detections of one face made into one, by weighted non-maximum suppression.

Called by `detector.py`. Source: MediaPipe, `non_max_suppression_calculator.cc`, WEIGHTED.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.overlap import compute_overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray


def merge_overlapping(
    places: NDArray[np.float64], scores: NDArray[np.float64], threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return one detection for each group that overlaps.

    The best detection left gathers all that overlap it by more than the threshold; the mean of
    their places, weighted by score, stands for the group, with the best one's own score.

    Args:
        places: float64[K, 4 + n], the corners x1 y1 x2 y2 of a box, then whatever moves with it.
        scores: float64[K], above 0.
        threshold: Intersection over union, 0..1.

    Returns:
        float64[G, 4 + n] and float64[G], in falling order of the score; equal scores keep their
        order.
    """
    left = np.argsort(-scores, kind="stable")
    merged: list[NDArray[np.float64]] = []
    best_scores: list[float] = []
    while left.size:
        best = left[0]
        grouped = compute_overlaps(places[best, :4], places[left, :4]) > threshold
        grouped[0] = True  # a box without area does not overlap even itself
        group = left[grouped]
        weights = scores[group]
        merged.append(weights @ places[group] / weights.sum())
        best_scores.append(float(scores[best]))
        left = left[~grouped]
    return np.array(merged).reshape(-1, places.shape[1]), np.array(best_scores)
