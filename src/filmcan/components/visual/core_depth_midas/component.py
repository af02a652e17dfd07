"""Relative depth of sampled frames by MiDaS v2.1 small.

Runs by the pipeline, once per video. Each frame becomes a map of relative inverse depth; its
statistics are always kept, the maps themselves only when the profile asks for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from filmcan.components.base import Component, Inputs, Parameters, Resources, Result
from filmcan.components.network_form import find_missing_part, plan_networks
from filmcan.components.parameters import get_bool, get_int, get_text
from filmcan.components.visual.core_depth_midas.depth_network import DEPTH_FILE, DepthNetwork
from filmcan.components.visual.core_depth_midas.map_statistics import MapStatistics, measure_map
from filmcan.components.visual.core_depth_midas.previews import Previews
from filmcan.components.visual.opencv_threads import one_thread
from filmcan.components.visual.sampled import SampledFrames
from filmcan.contract.manifest import Kind
from filmcan.contract.missing import VIDEO_MISSING, build_feature_names
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.models.weights import get_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.contract.model_used import ModelUsed
    from filmcan.media.frames import FrameStream
    from filmcan.models.execution import Execution

_KEYS = tuple(field.name for field in fields(MapStatistics))
_GREATEST = float(np.finfo(np.float16).max)
_LEAST_FOR_SPREAD = 2


class CoreDepthMidas(Component):
    """Depth statistics, previews and, on request, depth maps of sampled frames."""

    name: ClassVar[str] = "core_depth_midas"
    kind: ClassVar[Kind] = "core"
    schema_version: ClassVar[str] = "core_depth_midas_npz_v1"
    producer_version: ClassVar[str] = "1.0.0"
    resources: ClassVar[Resources] = Resources(gpus=0.25, memory_mib=300)

    def __init__(self, parameters: Parameters) -> None:
        """Check the parameters.

        Raises:
            BadProfileError: A parameter is missing or out of range; the message names it.
        """
        super().__init__(parameters)
        self._model = get_text(parameters, "model")
        self._stores_maps = get_bool(parameters, "store_maps")
        self._preview_count = get_int(parameters, "preview_count", low=0, high=64)
        self._preview_width = get_int(parameters, "preview_width", low=8, high=512)

    def find_missing_dependency(self) -> str | None:
        """Name what is missing: a package, or the weights."""
        return find_missing_part(self._model, (DEPTH_FILE,))

    def plan_models(self, execution: Execution) -> tuple[ModelUsed, ...]:
        """Name the network that would run."""
        return plan_networks(self._model, (DEPTH_FILE,), execution)

    def frame_request(self) -> FrameRequest:
        """Ask for whole pictures: the reference squashes them itself."""
        return FrameRequest(view=FrameView(pixels="rgb"))

    def run(self, inputs: Inputs) -> Result:
        """Measure one video; empty when no frame decoded."""
        if inputs.frames is None:
            return Result("empty", empty_reason=VIDEO_MISSING)
        network = DepthNetwork(get_weights(self._model), inputs.execution)
        sampled = SampledFrames()
        maps = _Maps(self._stores_maps)
        statistics: list[MapStatistics] = []
        previews: Previews | None = None
        with one_thread():
            for sample in inputs.frames:
                if sample.image is not None:
                    depth = network.measure(sample.image)
                    aspect = _find_aspect(inputs.frames)
                    statistics.append(measure_map(depth, aspect))
                    maps.add(depth)
                    if previews is None:
                        previews = Previews(self._preview_count, self._preview_width, aspect)
                    previews.offer(len(sampled), depth)
                sampled.add(sample)
        if previews is None:
            return Result("empty", arrays=sampled.build(), empty_reason=VIDEO_MISSING)
        arrays = sampled.build()
        present = arrays["frame_present"]
        arrays.update({key: _spread(statistics, key, present) for key in _KEYS})
        arrays["preview_indices"], arrays["preview_maps"] = previews.build()
        arrays.update(maps.build(present))
        features = _build_features(statistics)
        arrays["feature_names"] = build_feature_names(list(features))
        arrays["feature_values"] = np.array(list(features.values()), dtype=np.float32)
        return Result(
            "ok",
            arrays=arrays,
            models_used=(network.used,),
            device_used=network.used.device,
            notes=(*network.notes, *maps.build_notes()),
            extra_meta={"normalization": network.normalization},
        )


class _Maps:
    """The maps that are kept whole, as float16."""

    def __init__(self, is_wanted: bool) -> None:  # noqa: FBT001 - the profile's own switch
        self._is_wanted = is_wanted
        self._kept: list[NDArray[np.float16]] = []
        self._greatest = 0.0

    def add(self, depth: NDArray[np.float32]) -> None:
        if not self._is_wanted:
            return
        self._greatest = max(self._greatest, float(depth.max()))
        if self._greatest > _GREATEST:
            self._kept.clear()
        else:
            self._kept.append(depth.astype(np.float16))

    def build(self, present: NDArray[np.bool_]) -> dict[str, np.ndarray]:
        """Return the optional key, NaN for frames that did not decode."""
        if not self._kept:
            return {}
        maps = np.full((present.size, *self._kept[0].shape), np.nan, np.float16)
        maps[present] = self._kept
        return {"depth_maps": maps}

    def build_notes(self) -> tuple[str, ...]:
        if self._greatest <= _GREATEST:
            return ()
        told = f"a map reaches {self._greatest:g}, and float16 holds at most {_GREATEST:g}"
        return (f"depth_maps is left out: {told}.",)


def _find_aspect(frames: FrameStream) -> float:
    width, height = frames.display_size
    return height / width


def _spread(
    statistics: Sequence[MapStatistics], key: str, present: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Spread the measured frames over all samples, NaN between them."""
    values = np.full(present.size, np.nan, np.float32)
    values[present] = [getattr(item, key) for item in statistics]
    return values


def _build_features(statistics: Sequence[MapStatistics]) -> dict[str, float]:
    series = {
        "foreground_fraction": [item.foreground_fraction for item in statistics],
        "depth_gradient_mean": [item.depth_gradient_mean for item in statistics],
        "depth_relative_std": [item.relative_std for item in statistics],
    }
    features = {"depth_frame_count": float(len(statistics))}
    for name, found in series.items():
        values = np.array(found)[~np.isnan(found)]
        features[f"{name}_mean"] = float(values.mean()) if values.size else math.nan
        features[f"{name}_std"] = (
            float(values.std()) if values.size >= _LEAST_FOR_SPREAD else math.nan
        )
        features[f"{name}_max"] = float(values.max()) if values.size else math.nan
    return features
