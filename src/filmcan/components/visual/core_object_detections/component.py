"""Objects in sampled frames, by one of two kinds of detector.

YOLOX knows the 80 classes of COCO and is what the product is meant to run; SSD MobileNetV2 knows 23
coarser ones and can be had wherever the package registries can. The two never mix: which one ran
stands in the profile of the run, in `models_used`, in the notes and in `class_names`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from filmcan.components.base import Component, Inputs, Parameters, Resources, Result
from filmcan.components.parameters import get_float, get_int, get_text
from filmcan.components.visual.core_object_detections.detection import ObjectDetector
from filmcan.components.visual.core_object_detections.features import build_features
from filmcan.components.visual.core_object_detections.models import (
    DEFAULT,
    Thresholds,
    choose_model,
    find_missing_model,
    opened_detector,
    plan_detector,
)
from filmcan.components.visual.core_object_detections.object_arrays import ObjectArrays
from filmcan.components.visual.opencv_threads import one_thread
from filmcan.components.visual.sampled import SampledFrames
from filmcan.contract.manifest import Kind
from filmcan.contract.missing import VIDEO_MISSING, build_feature_names
from filmcan.contract.model_used import ModelUsed
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.models.execution import AUTO, Execution
from filmcan.models.fetch import build_pull_command


class CoreObjectDetections(Component):
    """Finds objects in sampled frames."""

    name: ClassVar[str] = "core_object_detections"
    kind: ClassVar[Kind] = "core"
    schema_version: ClassVar[str] = "core_object_detections_npz_v1"
    producer_version: ClassVar[str] = "1.0.0"
    resources: ClassVar[Resources] = Resources(gpus=0.25, memory_mib=250)

    def __init__(self, parameters: Parameters) -> None:
        """Check the parameters.

        Raises:
            BadProfileError: A parameter is missing or out of range; the message names it.
        """
        super().__init__(self.resolve_parameters(parameters))
        self._model = get_text(self.parameters, "model")
        self._max_width = get_int(parameters, "max_width", low=32, high=8192)
        self._thresholds = Thresholds(
            yolox_min_score=get_float(parameters, "yolox_min_score", low=0.01, high=1.0),
            yolox_nms_iou=get_float(parameters, "yolox_nms_iou", low=0.0, high=1.0),
            ssd_min_score=get_float(parameters, "ssd_min_score", low=0.01, high=1.0),
            ssd_nms_iou=get_float(parameters, "ssd_nms_iou", low=0.0, high=1.0),
            max_objects=get_int(parameters, "max_objects", low=1, high=1000),
        )

    @classmethod
    def resolve_parameters(cls, parameters: Parameters) -> Parameters:
        """Put the model that this machine can run in the place of `auto`."""
        if parameters.get("model") != AUTO:
            return parameters
        return {**parameters, "model": choose_model()}

    def find_missing_dependency(self) -> str | None:
        """Return the command that brings the model or its runtime, None when both are there."""
        return find_missing_model(self._model)

    def plan_models(self, execution: Execution) -> tuple[ModelUsed, ...]:
        """Name the detector that would run."""
        return (plan_detector(self._model, execution),)

    def frame_request(self) -> FrameRequest:
        """Ask for colour pictures, large ones shrunk."""
        return FrameRequest(FrameView(pixels="rgb", max_width=self._max_width))

    def run(self, inputs: Inputs) -> Result:
        """Measure one video; nothing found in any frame is a measurement, not an empty result."""
        if inputs.frames is None:
            return Result(status="empty", empty_reason=VIDEO_MISSING)
        opened = opened_detector(self._model, self._thresholds, inputs.execution)
        with one_thread(), opened as detector:
            sampled, found = SampledFrames(), ObjectArrays(detector.labels)
            for sample in inputs.frames:
                sampled.add(sample)
                found.add(None if sample.image is None else detector.detect(sample.image))
        if not sampled.decoded:
            return Result("empty", sampled.build(), VIDEO_MISSING)
        arrays = {**sampled.build(), **found.build()}
        features = build_features(arrays)
        arrays["feature_names"] = build_feature_names(list(features))
        arrays["feature_values"] = np.array(list(features.values()), dtype=np.float32)
        return Result(
            status="ok",
            arrays=arrays,
            models_used=(detector.used,),
            device_used=detector.used.device,
            notes=(_tell_labels(detector), *detector.notes),
            extra_meta={
                "score_threshold": detector.min_score,
                "nms_iou": detector.nms_iou,
                "nms_scope": detector.nms_scope,
            },
        )


def _tell_labels(detector: ObjectDetector) -> str:
    """Say which classes were looked for: the artifact of another model has others."""
    name, count = detector.used.model_name, len(detector.labels)
    told = f"LABELS: {count} classes of {detector.label_set}, model {name}."
    if detector.nms_scope == "class":
        return told
    return (
        f"{told} These are not the 80 classes of COCO; do not mix the two in one dataset. "
        f"For those: {build_pull_command(DEFAULT)}"
    )
