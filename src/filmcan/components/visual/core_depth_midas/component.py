"""Relative depth of sampled frames.

Registered with its schema; its network is not part of this version.
"""

from __future__ import annotations

from typing import ClassVar

from filmcan.components.unavailable import UnavailableComponent
from filmcan.contract.manifest import Kind


class CoreDepthMidas(UnavailableComponent):
    """Estimates the relative depth of sampled frames, once its weights can be had."""

    name: ClassVar[str] = "core_depth_midas"
    kind: ClassVar[Kind] = "core"
    schema_version: ClassVar[str] = "core_depth_midas_npz_v1"
    producer_version: ClassVar[str] = "0.0.0"
    weights: ClassVar[str] = "MiDaS v2.1 small (model-small.onnx)"
