"""What one pair of neighbouring frames says: its flow field, summed up and split in two.

Called by `component.py` for each sampled frame; knows nothing of the artifact.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.core_optical_flow.camera_motion import (
    Places,
    Similarity,
    build_places,
    fit_similarity,
)
from filmcan.components.visual.core_optical_flow.dense_flow import (
    LEAST_SIDE_PX,
    DenseFlow,
    Explanation,
    explain,
)
from filmcan.media.frames import FrameSample, FrameStream

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_DT_SEC = 1e-4
"""Frames nearer in time than this, 10 000 a second, have broken time stamps: no speed follows."""

_LEAST_NET_PX = 0.02
"""A shorter mean displacement, in pixels of the analysed picture, has no direction: it is noise."""


@dataclass(frozen=True, slots=True)
class PairMotion:
    """What one pair of frames measures.

    All but the last two are keys of the artifact and described in its schema; `matched` becomes
    `flow_matched`, and the mean displacement of all pixels per second serves the features.
    """

    dt_sec: float
    motion_mean_per_sec: float
    motion_p95_per_sec: float
    motion_angle_rad: float
    camera_translation_per_sec: tuple[float, float]
    camera_scale_per_sec: float
    camera_rotation_rad_per_sec: float
    camera_mean_per_sec: float
    camera_inlier_share: float
    residual_mean_per_sec: float
    match_error: float
    matched: bool
    motion_mean_vector_per_sec: tuple[float, float]


class PairMeter:
    """Turns sampled frames with their predecessors into numbers.

    Attributes:
        smallest: (width, height) of pictures that were too small, None when none was.
        unmeasured: Pairs on which the search gave nothing.
        timeless: Pairs whose times do not increase.
    """

    def __init__(self, preset: str, frames: FrameStream, seed: int) -> None:
        """Prepare for the frames of one video, which tell the true aspect ratio."""
        self._flow = DenseFlow(preset)
        self._frames = frames
        self._seed = seed
        self._places: Places | None = None
        self.smallest: tuple[int, int] | None = None
        self.unmeasured = 0
        self.timeless = 0

    def measure(self, sample: FrameSample) -> tuple[PairMotion, NDArray[np.float32]] | None:
        """Return the pair's numbers and its velocity field float32[h, w, 2], or None."""
        current, previous = sample.image, sample.previous_image
        if current is None or previous is None or sample.previous_time_sec is None:
            return None
        dt_sec = sample.time_sec - sample.previous_time_sec
        if dt_sec < LEAST_DT_SEC:
            self.timeless += 1
            return None
        flow = self._flow.measure(previous, current)
        if flow is None:
            self.unmeasured += 1
            if min(current.shape) < LEAST_SIDE_PX:
                self.smallest = (current.shape[1], current.shape[0])
            return None
        explanation = explain(previous, current, flow)
        height, width = current.shape
        full_width, full_height = self._frames.display_size
        aspect = full_height / full_width
        displaced = flow[..., 0] / width + 1j * (flow[..., 1] * (aspect / height))
        displaced = displaced.astype(np.complex64)
        places = self._find_places(height, width, aspect)
        camera = fit_similarity(
            places, displaced, explanation.plain, pixel=1.0 / width, seed=self._seed
        )
        carried = camera.displace(places)
        # Where no motion can be seen, the picture is taken to move with the camera.
        np.copyto(displaced, carried, where=explanation.plain)
        motion = _summarise(displaced, carried, camera, dt_sec, explanation)
        velocity = displaced.view(np.float32).reshape(height, width, 2) / np.float32(dt_sec)
        return motion, velocity

    def build_notes(self) -> Iterable[str]:
        """Say what could not be measured and why."""
        if self.timeless:
            yield f"no flow for {self.timeless} pairs of frames with equal or decreasing times"
        if self.smallest is not None:
            width, height = self.smallest
            yield (
                f"{self.unmeasured} pictures are too small for flow: {width}x{height} px after "
                f"shrinking, at least {LEAST_SIDE_PX}x{LEAST_SIDE_PX} are needed"
            )
        elif self.unmeasured:
            yield f"{self.unmeasured} pairs of frames differ in size or gave no finite flow"

    def _find_places(self, height: int, width: int, aspect: float) -> Places:
        if self._places is None or self._places.shape != (height, width):
            self._places = build_places(height, width, aspect)
        return self._places


def _summarise(
    displaced: Places, carried: Places, camera: Similarity, dt_sec: float, explanation: Explanation
) -> PairMotion:
    lengths = np.abs(displaced)
    net = complex(displaced.mean(dtype=np.complex128))
    has_direction = abs(net) * displaced.shape[1] >= _LEAST_NET_PX
    return PairMotion(
        dt_sec=dt_sec,
        motion_mean_per_sec=float(lengths.mean(dtype=np.float64)) / dt_sec,
        motion_p95_per_sec=float(np.percentile(lengths, 95)) / dt_sec,
        motion_angle_rad=cmath.phase(net) if has_direction else math.nan,
        camera_translation_per_sec=(camera.shift.real / dt_sec, camera.shift.imag / dt_sec),
        camera_scale_per_sec=math.log(abs(camera.factor)) / dt_sec,
        camera_rotation_rad_per_sec=cmath.phase(camera.factor) / dt_sec,
        camera_mean_per_sec=float(np.abs(carried).mean(dtype=np.float64)) / dt_sec,
        camera_inlier_share=camera.inlier_share,
        residual_mean_per_sec=float(np.abs(displaced - carried).mean(dtype=np.float64)) / dt_sec,
        match_error=explanation.mismatch,
        matched=explanation.matched,
        motion_mean_vector_per_sec=(net.real / dt_sec, net.imag / dt_sec),
    )
