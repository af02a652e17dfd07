"""What the flow of a whole video comes to: the tabular part of the artifact.

Called by `component.py` with the per-sample series of an `ok` artifact. Names, units and meaning
stand in the schema; the order here is the schema's, which a test holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

STILL_PER_SEC = 0.01
"""Below one hundredth of the frame width per second nothing is seen to move; quiet moments of coded
film from fixed cameras measured 0.0001 to 0.004."""

_LEAST_PAIRS_FOR_SPREAD = 2


def build_features(
    series: Mapping[str, NDArray[np.float32]], matched: NDArray[np.bool_]
) -> dict[str, float]:
    """Return feature name -> value, NaN where nothing was measured.

    Args:
        series: The artifact's keys of the measured pairs alone, float32[P] each, P >= 1, together
            with `motion_mean_vector_per_sec` float32[P, 2], the mean displacement of all pixels.
        matched: bool[P], false for pairs across a cut or flash: they count in the first two
            features only, since what flow measures there is no motion.
    """
    kept = {name: values[matched].astype(np.float64) for name, values in series.items()}
    return {
        "flow_pair_count": float(matched.size),
        "unmatched_share": float(1.0 - matched.mean()),
        **_build_motion(kept),
        **_build_camera(kept),
        "camera_inlier_share_mean": _mean(kept["camera_inlier_share"]),
        "match_error_mean": _mean(kept["match_error"]),
        "match_error_max": _max(kept["match_error"]),
    }


def _build_motion(series: Mapping[str, Values]) -> dict[str, float]:
    motion, residual = series["motion_mean_per_sec"], series["residual_mean_per_sec"]
    camera = series["camera_mean_per_sec"]
    mean_x = _mean(series["motion_mean_vector_per_sec"][:, 0])
    mean_y = _mean(series["motion_mean_vector_per_sec"][:, 1])
    net = math.hypot(mean_x, mean_y)
    return {
        **_summarise("motion_mean_per_sec", motion),
        **_summarise("motion_p95_per_sec", series["motion_p95_per_sec"]),
        **_summarise("residual_mean_per_sec", residual),
        "motion_coherence": _divide(net, _mean(motion)),
        "net_motion_angle_rad": math.atan2(mean_y, mean_x) if net >= STILL_PER_SEC else math.nan,
        "still_share": _mean(motion < STILL_PER_SEC),
        "camera_motion_share": _divide(camera.sum(), camera.sum() + residual.sum()),
    }


def _build_camera(series: Mapping[str, Values]) -> dict[str, float]:
    pan, tilt = series["camera_translation_per_sec"].T
    scale, rotation = series["camera_scale_per_sec"], series["camera_rotation_rad_per_sec"]
    return {
        **_summarise("camera_speed_per_sec", np.hypot(pan, tilt)),
        "camera_pan_per_sec_mean": _mean(pan),
        "camera_tilt_per_sec_mean": _mean(tilt),
        "camera_scale_per_sec_mean": _mean(scale),
        "camera_scale_abs_per_sec_mean": _mean(np.abs(scale)),
        "camera_rotation_rad_per_sec_mean": _mean(rotation),
        "camera_rotation_abs_rad_per_sec_mean": _mean(np.abs(rotation)),
        "camera_unsteadiness_per_sec": math.hypot(_std(pan), _std(tilt)),
        "camera_still_share": _mean(series["camera_mean_per_sec"] < STILL_PER_SEC),
    }


def _summarise(name: str, values: Values) -> dict[str, float]:
    return {f"{name}_mean": _mean(values), f"{name}_std": _std(values), f"{name}_max": _max(values)}


def _mean(values: Values | NDArray[np.bool_]) -> float:
    return float(values.mean()) if values.size else math.nan


def _std(values: Values) -> float:
    """Return the population's standard deviation; one value has no spread to speak of."""
    return float(values.std()) if values.size >= _LEAST_PAIRS_FOR_SPREAD else math.nan


def _max(values: Values) -> float:
    return float(values.max()) if values.size else math.nan


def _divide(part: float, whole: float) -> float:
    """Return the share, at most 1, or NaN when there is nothing to share out."""
    return min(float(part / whole), 1.0) if whole > 0.0 else math.nan
