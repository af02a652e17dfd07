"""The faces of one frame after the other: detected, followed where detection fails, measured.

Called by `component.py` with pictures in time order. Each frame is searched afresh, so that what is
found does not depend on how densely a video is sampled. Only a face of the frame before that no
detection covers is looked for again where it was, and kept when the landmark network says that a
face is there. So a face that turns or blurs for a moment does not vanish; and one that has left
leaves nothing behind, since the network denies what is no face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.core_face_landmarks.detector import (
    SAME_FACE_OVERLAP,
    FaceDetection,
    FaceDetector,
)
from filmcan.components.visual.core_face_landmarks.face_mesh import POINTS, FaceMesh
from filmcan.components.visual.core_face_landmarks.irises import IrisNetwork
from filmcan.components.visual.core_face_landmarks.landmark_regions import (
    surround_detection,
    surround_landmarks,
)
from filmcan.components.visual.overlap import compute_overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.components.visual.resampling import Region


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame.

    Attributes:
        box: float64[4], corners x1 y1 x2 y2 in pixels; may reach beyond the picture.
        score: Of the detector, 0..1; None for a face that was followed, not detected.
        presence: What the landmark network says of its being a face, 0..1.
        points: float64[478, 3], x y z in pixels; None where that network denies the face.
    """

    box: NDArray[np.float64]
    score: float | None
    presence: float
    points: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class FinderSettings:
    """How to decide.

    Attributes:
        max_faces: Of one frame at most so many, the best first.
        min_presence: Below this the landmark network denies the face, 0..1.
        min_denied_score: What the landmark network denies is kept, without landmarks, only where
            the detector is at least this sure, 0..1.
        max_follow_sec: Faces are followed between frames at most this far apart; 0: never.
    """

    max_faces: int
    min_presence: float
    min_denied_score: float
    max_follow_sec: float


class FaceFinder:
    """Finds the faces of the frames of one video; remembers those of the frame before."""

    def __init__(
        self,
        detector: FaceDetector,
        mesh: FaceMesh,
        irises: IrisNetwork,
        settings: FinderSettings,
    ) -> None:
        """Take the networks, which belong to the calling thread."""
        self._detector = detector
        self._mesh = mesh
        self._irises = irises
        self._settings = settings
        self._before: Sequence[Face] = ()
        self._before_sec = 0.0

    def find(self, picture: NDArray[np.uint8], time_sec: float) -> list[Face]:
        """Return the faces of the next frame: detected ones, best first, then followed ones.

        Args:
            picture: uint8[h, w, 3], RGB, the same size as those before.
            time_sec: Its time.
        """
        limit = self._settings.max_faces
        measured = (self._measure(picture, found) for found in self._detector.detect(picture))
        faces = list(islice(filter(self._is_credible, measured), limit))
        if time_sec - self._before_sec <= self._settings.max_follow_sec:
            for lost in self._before:
                if len(faces) < limit and not _is_among(lost.box, faces):
                    followed = self._follow(picture, lost)
                    if followed is not None and not _is_among(followed.box, faces):
                        faces.append(followed)
        self._before, self._before_sec = faces, time_sec
        return faces

    def _measure(self, picture: NDArray[np.uint8], found: FaceDetection) -> Face:
        points, presence = self._fit(picture, surround_detection(found))
        return Face(found.box, found.score, presence, points)

    def _is_credible(self, face: Face) -> bool:
        """Say whether the detector's word suffices where the landmark network denies the face."""
        is_sure = face.score is not None and face.score >= self._settings.min_denied_score
        return face.points is not None or is_sure

    def _follow(self, picture: NDArray[np.uint8], lost: Face) -> Face | None:
        if lost.points is None:
            return None
        points, presence = self._fit(picture, surround_landmarks(lost.points[:POINTS]))
        if points is None:
            return None
        return Face(_carry_box(lost.box, lost.points, points), None, presence, points)

    def _fit(
        self, picture: NDArray[np.uint8], region: Region
    ) -> tuple[NDArray[np.float64] | None, float]:
        points, presence = self._mesh.fit(picture, region)
        if presence < self._settings.min_presence:
            return None, presence
        return np.concatenate([points, self._irises.fit(picture, points)]), presence


def _is_among(box: NDArray[np.float64], faces: Sequence[Face]) -> bool:
    if not faces:
        return False
    overlaps = compute_overlaps(box, np.array([face.box for face in faces]))
    return bool((overlaps > SAME_FACE_OVERLAP).any())


def _carry_box(
    box: NDArray[np.float64], before: NDArray[np.float64], now: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move and scale a box as the landmarks inside it did, so that it stays the detector's kind."""
    low, high = before[:POINTS, :2].min(axis=0), before[:POINTS, :2].max(axis=0)
    new_low, new_high = now[:POINTS, :2].min(axis=0), now[:POINTS, :2].max(axis=0)
    scale = (new_high - new_low).max() / (high - low).max()
    corners = box.reshape(2, 2) - (low + high) / 2
    return (corners * scale + (new_low + new_high) / 2).ravel()
