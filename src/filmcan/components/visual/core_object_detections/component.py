"""Objects in sampled frames.

Registered with its schema; its network is not part of this version.
"""

from __future__ import annotations

from typing import ClassVar

from filmcan.components.unavailable import UnavailableComponent
from filmcan.contract.manifest import Kind


class CoreObjectDetections(UnavailableComponent):
    """Finds objects in sampled frames, once its weights can be had."""

    name: ClassVar[str] = "core_object_detections"
    kind: ClassVar[Kind] = "core"
    schema_version: ClassVar[str] = "core_object_detections_npz_v1"
    producer_version: ClassVar[str] = "0.0.0"
    weights: ClassVar[str] = "YOLOX-tiny (yolox_tiny.onnx)"
