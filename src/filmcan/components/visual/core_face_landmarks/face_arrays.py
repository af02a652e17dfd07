"""The faces of all frames as the artifact's arrays, in fractions of the frame.

Called by `component.py`, frame by frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from filmcan.components.visual.core_face_landmarks.face_mesh import POINTS as MESH_POINTS
from filmcan.components.visual.core_face_landmarks.irises import POINTS as IRIS_POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from filmcan.components.visual.core_face_landmarks.face_finder import Face

_POINTS = MESH_POINTS + 2 * IRIS_POINTS


class FaceArrays:
    """Collects the faces of each frame and lays them side by side, padded to the fullest frame."""

    def __init__(self) -> None:
        """Start without a frame."""
        self._frames: list[list[_Row]] = []

    @property
    def followed(self) -> int:
        """Number of faces that were followed, not detected."""
        return sum(row.score is None for rows in self._frames for row in rows)

    def add(self, faces: Sequence[Face], size: tuple[int, int]) -> None:
        """Take the faces of the next sample, none for one that did not decode.

        Args:
            faces: In the order of the artifact.
            size: (width, height) of the picture they were found in, pixels.
        """
        self._frames.append([_Row(face, size) for face in faces])

    def build(self) -> dict[str, np.ndarray]:
        """Return the artifact's keys that have a face axis, NaN where there is no face."""
        shape = len(self._frames), max(map(len, self._frames), default=0)
        arrays = {
            "face_boxes": _missing(*shape, 4),
            "face_scores": _missing(*shape),
            "face_scores_present": np.zeros(shape, dtype=np.bool_),
            "face_present": np.zeros(shape, dtype=np.bool_),
            "landmarks": _missing(*shape, _POINTS, 3),
            "landmarks_present": np.zeros(shape, dtype=np.bool_),
            "landmarks_scores": _missing(*shape),
        }
        for frame, rows in enumerate(self._frames):
            for place, row in enumerate(rows):
                arrays["face_present"][frame, place] = True
                arrays["face_boxes"][frame, place] = row.box
                arrays["landmarks_scores"][frame, place] = row.presence
                if row.score is not None:
                    arrays["face_scores_present"][frame, place] = True
                    arrays["face_scores"][frame, place] = row.score
                if row.points is not None:
                    arrays["landmarks_present"][frame, place] = True
                    arrays["landmarks"][frame, place] = row.points
        return arrays


class _Row:
    """One face, already in fractions and in single precision."""

    __slots__ = ("box", "points", "presence", "score")

    def __init__(self, face: Face, size: tuple[int, int]) -> None:
        width, height = size
        self.box = (face.box / (width, height, width, height)).astype(np.float32)
        self.score = face.score
        self.presence = face.presence
        self.points: NDArray[np.float32] | None = None
        if face.points is not None:
            self.points = (face.points / (width, height, width)).astype(np.float32)


def _missing(*shape: int) -> NDArray[np.float32]:
    return np.full(shape, np.nan, dtype=np.float32)
