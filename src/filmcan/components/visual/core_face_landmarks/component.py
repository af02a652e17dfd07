"""Faces in sampled frames and landmarks on them.

Registered with its schema; its network is not part of this version.
"""

from __future__ import annotations

from typing import ClassVar

from filmcan.components.unavailable import UnavailableComponent
from filmcan.contract.manifest import Kind


class CoreFaceLandmarks(UnavailableComponent):
    """Finds faces and their landmarks in sampled frames, once its weights can be had."""

    name: ClassVar[str] = "core_face_landmarks"
    kind: ClassVar[Kind] = "core"
    schema_version: ClassVar[str] = "core_face_landmarks_npz_v1"
    producer_version: ClassVar[str] = "0.0.0"
    weights: ClassVar[str] = (
        "MediaPipe faces (face_detection_full_range_sparse.tflite, "
        "face_landmark.tflite, iris_landmark.tflite)"
    )
