"""CLIP embeddings of sampled frames and their agreement with text prompts.

Registered with its schema; its network is not part of this version.
"""

from __future__ import annotations

from typing import ClassVar

from filmcan.components.unavailable import UnavailableComponent
from filmcan.contract.manifest import Kind


class CoreClip(UnavailableComponent):
    """Embeds sampled frames and compares them with prompts, once its weights can be had."""

    name: ClassVar[str] = "core_clip"
    kind: ClassVar[Kind] = "core"
    schema_version: ClassVar[str] = "core_clip_npz_v1"
    producer_version: ClassVar[str] = "0.0.0"
    weights: ClassVar[str] = "Xenova/clip-vit-base-patch32 (vision_model.onnx, text_model.onnx)"
