"""Motion of sampled frames against the frame decoded before: the camera's part and the rest.

Each sampled frame and its predecessor give one dense flow field; a global similarity fitted to it
is the camera's motion, what is left over the objects'. All speeds are in fractions of the frame
width per second, horizontally and vertically alike, so that they compare across sizes and rates.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from filmcan.components.base import Component, Inputs, Parameters, Result
from filmcan.components.parameters import get_choice, get_int
from filmcan.components.visual.core_optical_flow.camera_motion import (
    Places,
    Similarity,
    build_places,
    fit_similarity,
)
from filmcan.components.visual.core_optical_flow.dense_flow import (
    LEAST_SIDE_PX,
    PRESETS,
    DenseFlow,
    Explanation,
    explain,
)
from filmcan.components.visual.core_optical_flow.features import build_features
from filmcan.components.visual.core_optical_flow.previews import Previews
from filmcan.contract.manifest import Kind
from filmcan.contract.missing import VIDEO_MISSING, VIDEO_TOO_SHORT, build_feature_names
from filmcan.media.frames import FrameRequest, FrameSample, FrameStream, FrameView

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME_TOO_SMALL = "frame_too_small"

LEAST_DT_SEC = 1e-4
"""Frames nearer in time than this, 10 000 a second, have broken time stamps: no speed follows."""

_LEAST_NET_PX = 0.02
"""A shorter mean displacement, in pixels of the analysed picture, has no direction: it is noise."""


@dataclass(frozen=True, slots=True)
class PairMotion:
    """What one pair of frames measures; the fields are keys of the artifact and described there."""

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


_SERIES = tuple(name for name in PairMotion.__slots__ if name != "matched")
_KEYS = tuple(name for name in _SERIES if name != "motion_mean_vector_per_sec")


class CoreOpticalFlow(Component):
    """Dense flow, camera motion and residual motion of each sampled frame."""

    name: ClassVar[str] = "core_optical_flow"
    kind: ClassVar[Kind] = "core"
    schema_version: ClassVar[str] = "core_optical_flow_npz_v1"
    producer_version: ClassVar[str] = "1.0.0"

    def __init__(self, parameters: Parameters) -> None:
        """Check the parameters.

        Raises:
            BadProfileError: A parameter is missing or out of range; the message names it.
        """
        super().__init__(parameters)
        self._max_width = get_int(parameters, "max_width", low=32, high=4096)
        self._preset = get_choice(parameters, "preset", tuple(PRESETS))
        self._preview_count = get_int(parameters, "preview_count", low=0, high=64)
        self._preview_width = get_int(parameters, "preview_width", low=8, high=512)

    def frame_request(self) -> FrameRequest:
        """Ask for small luma pictures, each with the one decoded before it."""
        view = FrameView(pixels="gray", max_width=self._max_width)
        return FrameRequest(view=view, with_previous=True)

    def run(self, inputs: Inputs) -> Result:
        """Measure one video; empty when no two neighbouring frames could be compared."""
        if inputs.frames is None:
            return Result(status="empty", empty_reason=VIDEO_MISSING)
        meter = _PairMeter(self._preset, inputs.frames, inputs.seed)
        previews = Previews(self._preview_count, self._preview_width)
        timeline = _Timeline([], [], [], [])
        pairs: list[PairMotion] = []
        for position, sample in enumerate(inputs.frames):
            found = meter.measure(sample)
            timeline.add(sample, flow_present=found is not None)
            if found is not None:
                motion, velocity = found
                pairs.append(motion)
                previews.offer(position, velocity)
        if not pairs:
            return _build_empty(timeline, meter)
        arrays = {**timeline.build(), **_build_series(timeline.flow_present, pairs)}
        matched = np.array([pair.matched for pair in pairs], dtype=np.bool_)
        arrays["flow_matched"] = arrays["flow_present"].copy()
        arrays["flow_matched"][arrays["flow_present"]] = matched
        features = build_features({name: _collect(pairs, name) for name in _SERIES}, matched)
        arrays["preview_indices"], arrays["preview_flow"] = previews.build()
        arrays["feature_names"] = build_feature_names(list(features))
        arrays["feature_values"] = np.array(list(features.values()), dtype=np.float32)
        return Result(status="ok", arrays=arrays, notes=tuple(meter.build_notes()))


class _PairMeter:
    """Turns a sampled frame with its predecessor into numbers."""

    def __init__(self, preset: str, frames: FrameStream, seed: int) -> None:
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


@dataclass(frozen=True, slots=True)
class _Timeline:
    """Which frames were sampled, grown sample by sample."""

    frame_indices: list[int]
    times_sec: list[float]
    frame_present: list[bool]
    flow_present: list[bool]

    def add(self, sample: FrameSample, *, flow_present: bool) -> None:
        self.frame_indices.append(sample.index)
        self.times_sec.append(sample.time_sec)
        self.frame_present.append(sample.image is not None)
        self.flow_present.append(flow_present)

    def build(self) -> dict[str, np.ndarray]:
        return {
            "frame_indices": np.array(self.frame_indices, dtype=np.int32),
            "times_sec": np.array(self.times_sec, dtype=np.float32),
            "frame_present": np.array(self.frame_present, dtype=np.bool_),
            "flow_present": np.array(self.flow_present, dtype=np.bool_),
        }


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


def _collect(pairs: Sequence[PairMotion], name: str) -> NDArray[np.float32]:
    return np.array([getattr(pair, name) for pair in pairs], dtype=np.float32)


def _build_series(
    flow_present: Sequence[bool], pairs: Sequence[PairMotion]
) -> dict[str, np.ndarray]:
    """Spread the measured pairs over all samples, NaN between them."""
    present = np.array(flow_present, dtype=np.bool_)
    arrays = {}
    for name in _KEYS:
        values = _collect(pairs, name)
        spread = np.full((present.size, *values.shape[1:]), np.nan, dtype=np.float32)
        spread[present] = values
        arrays[name] = spread
    return arrays


def _build_empty(timeline: _Timeline, meter: _PairMeter) -> Result:
    reason = VIDEO_TOO_SHORT if meter.smallest is None else FRAME_TOO_SMALL
    good = sum(timeline.frame_present)
    notes = [f"{good} of {len(timeline.frame_present)} sampled frames decoded; no pair to compare"]
    return Result(
        status="empty",
        arrays=timeline.build(),
        empty_reason=reason,
        notes=(*notes, *meter.build_notes()),
    )
