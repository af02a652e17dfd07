"""Faces in sampled frames and 478 landmarks on each, by MediaPipe's networks.

The detector finds faces, the face mesh places 468 points on each of them, the iris network ten
more. A face is what both detector and face mesh say is one, or what the latter says of a face
followed from the frame before. A detection that the face mesh denies stays, without landmarks, only
where the detector is sure: in 976 frames of seven test clips without faces, or nearly so, the
full-range one fired 73 times on other things and on turned heads, with scores up to 0.75, and the
face mesh denied all of these.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from filmcan.components.base import Component, Inputs, Parameters, Resources, Result
from filmcan.components.parameters import get_choice, get_float, get_int
from filmcan.components.visual.core_face_landmarks import face_mesh, irises
from filmcan.components.visual.core_face_landmarks.detector import FORMS, FaceDetector
from filmcan.components.visual.core_face_landmarks.face_arrays import FaceArrays
from filmcan.components.visual.core_face_landmarks.face_finder import FaceFinder, FinderSettings
from filmcan.components.visual.core_face_landmarks.face_mesh import FaceMesh
from filmcan.components.visual.core_face_landmarks.features import build_features
from filmcan.components.visual.core_face_landmarks.irises import IrisNetwork
from filmcan.components.visual.opencv_threads import one_thread
from filmcan.components.visual.sampled import SampledFrames
from filmcan.contract.manifest import Kind
from filmcan.contract.missing import NO_FACES, VIDEO_MISSING, build_feature_names
from filmcan.contract.model_used import ModelUsed
from filmcan.media.frames import FrameRequest, FrameView
from filmcan.models.execution import Execution
from filmcan.models.tflite_network import TFLITE_NETWORKS, find_missing_litert, plan_network
from filmcan.models.weights import find_missing_weights, get_weights

if TYPE_CHECKING:
    from filmcan.media.frames import FrameStream
    from filmcan.models.tflite_network import TfliteNetwork

ASSET = "mediapipe_face"


class CoreFaceLandmarks(Component):
    """Finds faces and their landmarks in sampled frames."""

    name: ClassVar[str] = "core_face_landmarks"
    kind: ClassVar[Kind] = "core"
    schema_version: ClassVar[str] = "core_face_landmarks_npz_v1"
    producer_version: ClassVar[str] = "1.0.0"
    resources: ClassVar[Resources] = Resources(memory_mib=200)

    def __init__(self, parameters: Parameters) -> None:
        """Check the parameters.

        Raises:
            BadProfileError: A parameter is missing or out of range; the message names it.
        """
        super().__init__(parameters)
        self._form = FORMS[get_choice(parameters, "detector", tuple(FORMS))]
        self._files = (self._form.file, face_mesh.FILE, irises.FILE)
        self._max_width = get_int(parameters, "max_width", low=128, high=8192)
        self._min_score = get_float(parameters, "min_score", low=0.01, high=1.0)
        self._settings = FinderSettings(
            max_faces=get_int(parameters, "max_faces", low=1, high=64),
            min_presence=get_float(parameters, "min_presence", low=0.0, high=1.0),
            min_denied_score=get_float(parameters, "min_denied_score", low=0.0, high=1.0),
            max_follow_sec=get_float(parameters, "max_follow_sec", low=0.0, high=10.0),
        )

    def find_missing_dependency(self) -> str | None:
        """Return the command that brings LiteRT or the networks, None when both are there."""
        return find_missing_litert() or find_missing_weights(ASSET)

    def plan_models(self, execution: Execution) -> tuple[ModelUsed, ...]:
        """Name the networks that would run; they run on the CPU, whatever the device."""
        del execution
        weights = get_weights(ASSET)
        return tuple(plan_network(weights, file) for file in self._files)

    def frame_request(self) -> FrameRequest:
        """Ask for colour pictures, large ones shrunk."""
        return FrameRequest(FrameView(pixels="rgb", max_width=self._max_width))

    def run(self, inputs: Inputs) -> Result:
        """Measure one video; empty when no frame shows a face."""
        if inputs.frames is None:
            return Result(status="empty", empty_reason=VIDEO_MISSING)
        with ExitStack() as lent:
            lent.enter_context(one_thread())
            weights = get_weights(ASSET)
            networks = [
                lent.enter_context(TFLITE_NETWORKS.borrow(weights, file, inputs.execution))
                for file in self._files
            ]
            sampled, arrays = self._read_frames(inputs.frames, *networks)
        if not sampled.decoded:
            return Result("empty", sampled.build(), VIDEO_MISSING)
        used = tuple(network.used for network in networks)
        return _build_result(sampled, arrays, used, networks[0].notes)

    def _read_frames(
        self,
        frames: FrameStream,
        detector: TfliteNetwork,
        mesh: TfliteNetwork,
        iris: TfliteNetwork,
    ) -> tuple[SampledFrames, FaceArrays]:
        finder = FaceFinder(
            FaceDetector(detector, self._form, self._min_score),
            FaceMesh(mesh),
            IrisNetwork(iris),
            self._settings,
        )
        sampled, arrays = SampledFrames(), FaceArrays()
        for sample in frames:
            sampled.add(sample)
            if sample.image is None:
                arrays.add((), (1, 1))
            else:
                height, width = sample.image.shape[:2]
                arrays.add(finder.find(sample.image, sample.time_sec), (width, height))
        return sampled, arrays


def _build_result(
    sampled: SampledFrames,
    faces: FaceArrays,
    models_used: tuple[ModelUsed, ...],
    notes: tuple[str, ...],
) -> Result:
    arrays = {**sampled.build(), **faces.build()}
    has_any_face = bool(arrays["face_present"].any())
    arrays["has_any_face"] = np.array(has_any_face)
    arrays["faces_empty_reason"] = np.array("" if has_any_face else NO_FACES)
    features = build_features(arrays)
    arrays["feature_names"] = build_feature_names(list(features))
    arrays["feature_values"] = np.array(list(features.values()), dtype=np.float32)
    if faces.followed:
        told = f"{faces.followed} faces were followed from the frame before, not detected."
        notes = (*notes, told)
    return Result(
        status="ok" if has_any_face else "empty",
        arrays=arrays,
        empty_reason=None if has_any_face else NO_FACES,
        models_used=models_used,
        notes=notes,
    )
