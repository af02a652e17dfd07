"""What the faces of a whole video come to: the tabular part of the artifact.

Called by `component.py`. Names, units and meaning stand in the schema; the order here is the
schema's, which a test holds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.overlap import compute_areas

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_LEAST_FRAMES_FOR_SPREAD = 2


def build_features(arrays: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return feature name -> value, NaN where there is nothing to measure.

    Args:
        arrays: The artifact's `frame_present`, `face_present`, `face_boxes`, `face_scores` and
            `landmarks_present`.
    """
    searched = arrays["frame_present"]
    faces = arrays["face_present"]
    counts = faces[searched].sum(axis=1).astype(np.float64)
    areas = compute_areas(np.clip(arrays["face_boxes"].astype(np.float64), 0.0, 1.0))
    with_face = faces.any(axis=1)
    largest = np.where(faces, areas, 0.0)[with_face].max(axis=1, initial=0.0)
    scores = arrays["face_scores"][~np.isnan(arrays["face_scores"])].astype(np.float64)
    return {
        "face_frame_count": float(counts.size),
        "face_frame_share": _mean(counts > 0),
        "face_count_mean": _mean(counts),
        "face_count_std": float(counts.std())
        if counts.size >= _LEAST_FRAMES_FOR_SPREAD
        else math.nan,
        "face_count_max": _max(counts),
        "face_score_mean": _mean(scores),
        "face_area_mean": _mean(areas[faces]),
        "largest_face_area_mean": _mean(largest),
        "largest_face_area_max": _max(largest),
        "landmarks_share": _mean(arrays["landmarks_present"][faces]),
    }


def _mean(values: NDArray) -> float:
    return float(values.mean()) if values.size else math.nan


def _max(values: NDArray) -> float:
    return float(values.max()) if values.size else math.nan
