"""Every component by name, in planned order. Classes are imported only when asked for.

A new component is one line here, beside its folder, its schema and its tests.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from filmcan.errors import NotFoundError

if TYPE_CHECKING:
    from filmcan.components.base import Component

_MODULES: Mapping[str, str] = {
    "loudness_extractor": "audio.loudness_extractor.component:LoudnessExtractor",
    "tempo_extractor": "audio.tempo_extractor.component:TempoExtractor",
    "clap_extractor": "audio.clap_extractor.component:ClapExtractor",
    "text_processor": "text.text_processor.component:TextProcessor",
    "core_clip": "visual.core_clip.component:CoreClip",
    "core_depth_midas": "visual.core_depth_midas.component:CoreDepthMidas",
    "core_object_detections": "visual.core_object_detections.component:CoreObjectDetections",
    "core_optical_flow": "visual.core_optical_flow.component:CoreOpticalFlow",
    "core_face_landmarks": "visual.core_face_landmarks.component:CoreFaceLandmarks",
}

COMPONENT_NAMES = tuple(_MODULES)
"""All components, in the order in which a run plans them."""


def get_component_class(name: str) -> type[Component]:
    """Return the class of a component.

    Raises:
        NotFoundError: There is no such component; the message names those there are.
    """
    if name not in _MODULES:
        raise NotFoundError(
            f"there is no component {name!r}",
            code="unknown_component",
            hint=f"Components: {', '.join(COMPONENT_NAMES)}.",
        )
    module, _, attribute = _MODULES[name].partition(":")
    found = getattr(importlib.import_module(f"filmcan.components.{module}"), attribute)
    return cast("type[Component]", found)
