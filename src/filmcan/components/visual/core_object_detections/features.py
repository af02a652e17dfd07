"""What the objects of a whole video come to: the tabular part of the artifact.

Called by `component.py` with the arrays of an `ok` artifact. Names, units and meaning stand in the
schema; the order here is the schema's, which a test holds.
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
        arrays: The artifact's `frame_present` and all that `ObjectArrays.build` returns.
    """
    searched, present = arrays["frame_present"], arrays["box_present"]
    classes, names = arrays["class_ids"], arrays["class_names"].tolist()
    boxes, scores = (arrays[key][present].astype(np.float64) for key in ("boxes", "scores"))
    areas = compute_areas(boxes)
    persons = np.array([name.lower() == "person" for name in names], dtype=np.bool_)
    counts = arrays["det_count"][searched].astype(np.float64)
    person_counts = arrays["person_count"][searched].astype(np.float64)
    return {
        "detection_frame_count": float(counts.size),
        **_summarise("det_count", counts),
        **_summarise("person_count", person_counts),
        "person_frame_share": _mean(person_counts > 0),
        "class_count": float(np.unique(classes[present]).size),
        "score_mean": _mean(scores),
        "box_area_mean": _mean(areas),
        "person_area_mean": _mean(areas[persons[classes[present]]]),
        **{
            f"frame_share[{name}]": _mean((classes[searched] == place).any(axis=1))
            for place, name in enumerate(names)
        },
    }


def _summarise(name: str, values: NDArray) -> dict[str, float]:
    spread = float(values.std()) if values.size >= _LEAST_FRAMES_FOR_SPREAD else math.nan
    greatest = float(values.max()) if values.size else math.nan
    return {f"{name}_mean": _mean(values), f"{name}_std": spread, f"{name}_max": greatest}


def _mean(values: NDArray) -> float:
    return float(values.mean()) if values.size else math.nan
