"""What every object detector gives, and the choice among overlapping boxes that they share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from filmcan.components.visual.overlap import compute_areas, compute_overlaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from filmcan.contract.model_used import ModelUsed


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one picture; what a detector returns stands in falling order of the score.

    Attributes:
        boxes: float64[K, 4], corners x1 y1 x2 y2, fractions of width and height; what a detector
            returns lies within 0..1.
        scores: float64[K], 0..1.
        class_ids: int64[K], positions in the detector's labels.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    class_ids: NDArray[np.int64]


class ObjectDetector(Protocol):
    """A network with its own way in and out; belongs to one thread.

    Attributes:
        labels: Names of the classes it knows.
        label_set: What this set of names is called, for people.
        min_score: Boxes below this score are dropped.
        nms_iou: Of boxes that overlap by more, the best stays.
        nms_scope: `class` when only boxes of one class exclude each other, else `all`.
        used: What runs, for `models_used`.
        notes: Sentences for the manifest.
    """

    labels: tuple[str, ...]
    label_set: str
    min_score: float
    nms_iou: float
    nms_scope: str
    used: ModelUsed
    notes: tuple[str, ...]

    def detect(self, picture: NDArray[np.uint8]) -> Objects:
        """Return the objects of a picture uint8[h, w, 3] in RGB."""
        ...


def choose_objects(found: Objects, *, scope: str, max_overlap: float, max_objects: int) -> Objects:
    """Return the best of the overlapping boxes, cut to the picture.

    Args:
        found: Boxes as the network gives them, in any order, not yet cut. Those that lie beside the
            picture, as in the grey of a letterbox, are dropped.
        scope: `class` when only boxes of one class exclude each other, else `all`.
        max_overlap: Intersection over union above which boxes exclude each other, 0..1.
        max_objects: At most so many, the best.
    """
    groups = found.class_ids if scope == "class" else np.zeros_like(found.class_ids)
    kept = choose_boxes(found.boxes, found.scores, groups, max_overlap=max_overlap)
    boxes = np.clip(found.boxes, 0.0, 1.0)
    kept = kept[compute_areas(boxes[kept]) > 0.0][:max_objects]
    return Objects(boxes[kept], found.scores[kept], found.class_ids[kept])


def choose_boxes(
    boxes: NDArray[np.float64],
    scores: NDArray[np.float64],
    groups: NDArray[np.int64],
    *,
    max_overlap: float,
) -> NDArray[np.int64]:
    """Return which boxes stay when the best of each group of overlapping ones does.

    Greedy non-maximum suppression: the best box left stays, and those of its group that overlap it
    by more than `max_overlap` go.

    Args:
        boxes: float64[K, 4], corners x1 y1 x2 y2.
        scores: float64[K].
        groups: int64[K]; boxes of different groups never exclude each other.
        max_overlap: Intersection over union, 0..1.

    Returns:
        int64[S], positions in falling order of the score; equal scores keep their order.
    """
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while left.size:
        best, left = int(left[0]), left[1:]
        kept.append(best)
        excluded = compute_overlaps(boxes[best], boxes[left]) > max_overlap
        left = left[~(excluded & (groups[left] == groups[best]))]
    return np.array(kept, dtype=np.int64)
