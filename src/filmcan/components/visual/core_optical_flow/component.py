"""Motion of sampled frames against the frame decoded before: the camera's part and the rest.

Each sampled frame and its predecessor give one dense flow field; a global similarity fitted to it
is the camera's motion, what is left over the objects'. All speeds are in fractions of the frame
width per second, horizontally and vertically alike, so that they compare across sizes and rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from filmcan.components.base import Component, Inputs, Parameters, Result
from filmcan.components.parameters import get_choice, get_int
from filmcan.components.visual.core_optical_flow.dense_flow import PRESETS
from filmcan.components.visual.core_optical_flow.features import build_features
from filmcan.components.visual.core_optical_flow.pair_motion import PairMeter, PairMotion
from filmcan.components.visual.core_optical_flow.previews import Previews
from filmcan.components.visual.opencv_threads import one_thread
from filmcan.contract.manifest import Kind
from filmcan.contract.missing import VIDEO_MISSING, VIDEO_TOO_SHORT, build_feature_names
from filmcan.media.frames import FrameRequest, FrameSample, FrameView

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.media.frames import FrameStream

FRAME_TOO_SMALL = "frame_too_small"

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
        with one_thread():
            return self._measure(inputs.frames, inputs.seed)

    def _measure(self, frames: FrameStream, seed: int) -> Result:
        meter = PairMeter(self._preset, frames, seed)
        previews = Previews(self._preview_count, self._preview_width)
        timeline = _Timeline([], [], [], [])
        pairs: list[PairMotion] = []
        for position, sample in enumerate(frames):
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


def _build_empty(timeline: _Timeline, meter: PairMeter) -> Result:
    reason = VIDEO_TOO_SHORT if meter.smallest is None else FRAME_TOO_SMALL
    good = sum(timeline.frame_present)
    notes = [f"{good} of {len(timeline.frame_present)} sampled frames decoded; no pair to compare"]
    return Result(
        status="empty",
        arrays=timeline.build(),
        empty_reason=reason,
        notes=(*notes, *meter.build_notes()),
    )
