"""CLAP embedding of the sound.

Registered with its schema; its network is not part of this version.
"""

from __future__ import annotations

from typing import ClassVar

from filmcan.components.unavailable import UnavailableComponent
from filmcan.contract.manifest import Kind


class ClapExtractor(UnavailableComponent):
    """Embeds the sound of a video, once its weights can be had."""

    name: ClassVar[str] = "clap_extractor"
    kind: ClassVar[Kind] = "audio"
    schema_version: ClassVar[str] = "audio_npz_v1"
    producer_version: ClassVar[str] = "0.0.0"
    weights: ClassVar[str] = "Xenova/clap-htsat-unfused (audio_model.onnx)"
