"""The objects of all frames as the artifact's arrays. Called by `component.py`, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from filmcan.components.visual.core_object_detections.detection import Objects

_PERSON = "person"
_MISSING = -1


class ObjectArrays:
    """Collects the objects of each frame, padded to the fullest frame at the end."""

    def __init__(self, labels: Sequence[str]) -> None:
        """Take the names of the classes, of which one may be `person` in any case of letters."""
        self._labels = tuple(labels)
        self._frames: list[Objects | None] = []

    def add(self, objects: Objects | None) -> None:
        """Take the objects of the next sample, None for one that did not decode."""
        self._frames.append(objects)

    def build(self) -> dict[str, np.ndarray]:
        """Return the artifact's keys that tell of objects."""
        found = [len(objects.scores) if objects is not None else 0 for objects in self._frames]
        shape = len(self._frames), max(found, default=0)
        arrays = {
            "boxes": np.full((*shape, 4), np.nan, dtype=np.float32),
            "scores": np.full(shape, np.nan, dtype=np.float32),
            "class_ids": np.full(shape, _MISSING, dtype=np.int32),
            "box_present": np.zeros(shape, dtype=np.bool_),
            "class_names": np.array(self._labels),
            "det_count": np.full(shape[0], _MISSING, dtype=np.int32),
            "person_count": np.full(shape[0], _MISSING, dtype=np.int32),
        }
        persons = [place for place, name in enumerate(self._labels) if name.lower() == _PERSON]
        for frame, objects in enumerate(self._frames):
            if objects is not None:
                count = len(objects.scores)
                arrays["boxes"][frame, :count] = objects.boxes
                arrays["scores"][frame, :count] = objects.scores
                arrays["class_ids"][frame, :count] = objects.class_ids
                arrays["box_present"][frame, :count] = True
                arrays["det_count"][frame] = count
                arrays["person_count"][frame] = np.isin(objects.class_ids, persons).sum()
        return arrays
